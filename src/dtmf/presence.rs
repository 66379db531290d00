//! The third step: the two tones of a key, followed to their end.

use std::f32::consts::TAU;

use super::tones::RATE;

/// Samples of the window in which a tone is looked for, 10 ms.
pub const SPAN: usize = 80;

/// The two tones of a key as the fit found them.
#[derive(Debug, Clone, Copy)]
pub struct Tones {
    /// Frequencies in hertz.
    pub hz: [f32; 2],
    /// Amplitudes in sample units.
    pub amplitude: [f32; 2],
}

impl Tones {
    /// How strong the weaker of both tones is in these 10 ms, as a share of its amplitude in the
    /// fit. A Hann window keeps the tones apart; an edge of the key in its middle gives one half.
    pub fn strength(&self, span: &[f32; SPAN]) -> f32 {
        let mut least = f32::INFINITY;
        for k in 0..2 {
            let step = self.hz[k] * (TAU / RATE as f32);
            let (turn_s, turn_c) = step.sin_cos();
            let (hann_s, hann_c) = (TAU / SPAN as f32).sin_cos();
            let (mut s, mut c) = (0f32, 1f32);
            let (mut hs, mut hc) = (TAU / SPAN as f32 * 0.5).sin_cos();
            let (mut re, mut im) = (0f32, 0f32);
            for x in span {
                let weighted = x * (1.0 - hc);
                re += weighted * c;
                im += weighted * s;
                (c, s) = (c * turn_c - s * turn_s, s * turn_c + c * turn_s);
                (hc, hs) = (hc * hann_c - hs * hann_s, hs * hann_c + hc * hann_s);
            }
            let amplitude = (re * re + im * im).sqrt() * 2.0 / SPAN as f32;
            least = least.min(amplitude / self.amplitude[k].max(1e-3));
        }
        least
    }
}
