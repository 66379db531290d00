//! The third step: the two tones of a key, followed to their end.

use std::f32::consts::TAU;

use super::bank::Kernel;
use super::fit::{Blocks, lanes};
use super::measures::Measures;
use super::tones::{BLOCK, RATE, TONES};
use super::{Digit, amplitude};

pub use super::tones::SPAN;

/// The two tones of a key as the fit found them.
#[derive(Debug, Clone, Copy)]
pub struct Tones {
    /// Frequencies in hertz.
    pub hz: [f32; 2],
    /// Amplitudes in sample units.
    pub amplitude: [f32; 2],
    /// Cosine and sine of what each tone turns by from block to block, beyond its nominal.
    pub turn: [[f32; 2]; 2],
}

impl Tones {
    /// The tones of a key as they were measured.
    pub fn new(digit: Digit, measures: &Measures) -> Tones {
        let hz = [measures.low_hz, measures.high_hz];
        let (low, high) = digit.frequencies();
        let turn = |hz: f32, nominal: f64| {
            let (s, c) = ((hz - nominal as f32) * (TAU * BLOCK as f32 / RATE as f32)).sin_cos();
            [c, s]
        };
        Tones {
            hz,
            amplitude: [amplitude(measures.low_dbm0), amplitude(measures.high_dbm0)],
            turn: [turn(hz[0], low), turn(hz[1], high)],
        }
    }

    /// How strong the weaker of both tones is about block `middle`, as a share of its amplitude
    /// in the fit.
    pub fn strength_in(&self, blocks: &[Blocks; 2], middle: usize) -> f32 {
        let mut least = f32::INFINITY;
        for ((blocks, turn), full) in blocks.iter().zip(self.turn).zip(self.amplitude) {
            least = least.min(blocks.amplitude(middle, turn) / full.max(1e-3));
        }
        least
    }

    /// How strong the weaker of both tones is in these 10 ms, as a share of its amplitude in the
    /// fit. A Hann window keeps the tones apart; an edge of the key in its middle gives one half.
    pub fn strength(&self, kernel: Kernel, span: &[f32; SPAN]) -> f32 {
        kernel.wide(
            #[inline(always)]
            || self.weigh(span),
        )
    }

    #[inline(always)]
    fn weigh(&self, span: &[f32; SPAN]) -> f32 {
        let mut least = f32::INFINITY;
        for k in 0..2 {
            let step = self.hz[k] * (TAU / RATE as f32);
            let (mut s, mut c) = ([0f32; 8], [0f32; 8]);
            c[0] = 1.0;
            lanes(step, &mut s, &mut c);
            let (turn_s, turn_c) = (step * 8.0).sin_cos();
            let (mut re, mut im) = ([0f32; 8], [0f32; 8]);
            for (x, hann) in span.chunks_exact(8).zip(TONES.hann.chunks_exact(8)) {
                for lane in 0..8 {
                    let weighted = x[lane] * hann[lane];
                    re[lane] += weighted * c[lane];
                    im[lane] += weighted * s[lane];
                    let turned = c[lane] * turn_c - s[lane] * turn_s;
                    s[lane] = s[lane] * turn_c + c[lane] * turn_s;
                    c[lane] = turned;
                }
            }
            let (re, im) = (re.iter().sum::<f32>(), im.iter().sum::<f32>());
            let amplitude = (re * re + im * im).sqrt() * 2.0 / SPAN as f32;
            least = least.min(amplitude / self.amplitude[k].max(1e-3));
        }
        least
    }
}
