//! What a telephone line does to a key on its way, for tests, benches and made recordings.
//!
//! Samples are in 16-bit units, not yet rounded or clipped.

use std::f64::consts::TAU;

use rand::{Rng, RngExt};

use super::tones::{FRAME, RATE};

/// Adds white noise of this mean power over the whole 4 kHz.
pub fn add_noise(samples: &mut [f64], power: f64, rng: &mut impl Rng) {
    let deviation = power.max(0.0).sqrt();
    for x in samples {
        *x += normal(rng) * deviation;
    }
}

/// A normal deviate, by Box and Muller.
fn normal(rng: &mut impl Rng) -> f64 {
    let u: f64 = rng.random_range(1e-12..1.0);
    let v: f64 = rng.random();
    (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
}

/// Adds clicks of 1 to 3 samples, about `rate` a second, up to overload.
pub fn add_clicks(samples: &mut [f64], rate: f64, rng: &mut impl Rng) {
    let probability = (rate / RATE).clamp(0.0, 1.0);
    for at in 0..samples.len() {
        if rng.random_bool(probability) {
            let sign = if rng.random() { 1.0 } else { -1.0 };
            let height = rng.random_range(6_000.0..32_000.0) * sign;
            for x in samples.iter_mut().skip(at).take(rng.random_range(1..=3)) {
                *x += height;
            }
        }
    }
}

/// Adds sines of these frequencies, each of this amplitude and any phase.
pub fn add_tones(samples: &mut [f64], hz: &[f64], amplitude: f64, rng: &mut impl Rng) {
    for f in hz {
        let phase: f64 = rng.random();
        for (n, x) in samples.iter_mut().enumerate() {
            *x += amplitude * (TAU * (f * n as f64 / RATE + phase)).sin();
        }
    }
}

/// How lost frames are filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// With silence.
    Silence,
    /// With the frame before.
    Repeat,
}

/// Loses 20 ms frames with this probability, never two in a row nor the first; says which.
pub fn lose(samples: &mut [i16], probability: f64, fill: Fill, rng: &mut impl Rng) -> Vec<bool> {
    let probability = probability.clamp(0.0, 1.0);
    let mut lost = vec![false; samples.len() / FRAME];
    for frame in 1..lost.len() {
        if lost[frame - 1] || !rng.random_bool(probability) {
            continue;
        }
        lost[frame] = true;
        let here = frame * FRAME;
        match fill {
            Fill::Silence => samples[here..here + FRAME].fill(0),
            Fill::Repeat => samples.copy_within(here - FRAME..here, here),
        }
    }
    lost
}
