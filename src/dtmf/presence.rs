//! The third step: the two tones of a key, followed to their end.

use std::f32::consts::TAU;

use super::bank::{GAIN, Kernel, Sums};
use super::blocks::Blocks;
use super::measures::Measures;
use super::tones::{BLOCK, FRAME, RATE, SPAN, SPAN_SCALE, TONES};
use super::turns::cos_sin;
use super::{Digit, amplitude};

/// The two tones of a key as the fit found them.
#[derive(Debug, Clone, Copy)]
pub struct Tones {
    row: usize,
    column: usize,
    /// Amplitudes in sample units.
    amplitude: [f32; 2],
    /// Cosine and sine of what each tone turns by from block to block, beyond its nominal.
    turn: [[f32; 2]; 2],
    /// What the bank hears of each in a frame that it fills to [`WHOLE`], squared.
    in_frame: [f32; 2],
    /// What a span hears of each, as a share of its amplitude.
    in_span: [f32; 2],
}

/// Whoever holds this share of what the bank would hear of them fills the frame: one block of five
/// left out would leave 0.8.
const WHOLE: f32 = 0.85;

impl Tones {
    /// The tones of a key as they were measured.
    pub fn new(digit: Digit, measures: &Measures) -> Tones {
        let (row, column) = digit.row_column();
        let (low, high) = digit.frequencies();
        let amplitude = [amplitude(measures.low_dbm0), amplitude(measures.high_dbm0)];
        let off = [measures.low_hz - low as f32, measures.high_hz - high as f32];
        let turns_in = |k: usize, samples: usize| off[k] * (samples as f32 / RATE as f32);
        let mut tones = Tones {
            row,
            column,
            amplitude,
            turn: [[1.0, 0.0]; 2],
            in_frame: [0.0; 2],
            in_span: [0.0; 2],
        };
        for k in 0..2 {
            let (c, s) = cos_sin(turns_in(k, BLOCK));
            tones.turn[k] = [c, s];
            // A tone that turns against the bank's is heard weaker: by sin x / x, and in the
            // span's Hann window by about 1 - 0.645 turns^2.
            let x = turns_in(k, FRAME) * TAU / 2.0;
            let (_, s) = cos_sin(turns_in(k, FRAME) / 2.0);
            let heard = if x.abs() < 1e-3 { 1.0 } else { s / x };
            tones.in_frame[k] = (WHOLE * heard * amplitude[k] * GAIN).powi(2);
            let turns = turns_in(k, SPAN);
            tones.in_span[k] = 1.0 - 0.645 * turns * turns;
        }
        tones
    }

    /// Whether both tones fill a frame with these sums.
    #[inline(always)]
    pub fn fill(&self, sums: &Sums) -> bool {
        let heard = |tone: usize| {
            let (c, s) = (sums.even[tone & 7] as f32, sums.odd[tone & 7] as f32);
            c * c + s * s
        };
        (heard(self.row) >= self.in_frame[0]) & (heard(4 + self.column) >= self.in_frame[1])
    }

    /// Their correlations with blocks of audio.
    pub fn blocks(&self, kernel: Kernel, audio: &[i16]) -> [Blocks; 2] {
        Blocks::of_key(kernel, audio, self.row, self.column)
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
    pub fn strength(&self, kernel: Kernel, span: &[i16; SPAN]) -> f32 {
        let tables = &TONES.keys[(self.row & 3) * 4 + (self.column & 3)];
        let [low_cos, low_sin, high_cos, high_sin] = kernel.span(span, &tables.span);
        let heard = |c: i32, s: i32| {
            let (c, s) = (c as f32, s as f32);
            (c * c + s * s).sqrt() * (2.0 / SPAN as f32 / SPAN_SCALE as f32)
        };
        let share = |heard: f32, k: usize| heard / (self.amplitude[k] * self.in_span[k]).max(1e-3);
        share(heard(low_cos, low_sin), 0).min(share(heard(high_cos, high_sin), 1))
    }
}
