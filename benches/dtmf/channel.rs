//! What telephone networks do to a key on its way.

use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};
use rand::{Rng, RngExt};

/// A companding law of G.711.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    A,
    Mu,
}

/// Rounds, clips and sends samples through a companding law.
pub fn compand(samples: &[f64], law: Law) -> Vec<i16> {
    samples
        .iter()
        .map(|x| {
            let x = x.round().clamp(-32_768.0, 32_767.0) as i16;
            match law {
                Law::A => decode_alaw(encode_alaw(x)),
                Law::Mu => decode_ulaw(encode_ulaw(x)),
            }
        })
        .collect()
}

/// A normal deviate.
fn normal(rng: &mut impl Rng) -> f64 {
    let u: f64 = rng.random_range(1e-12..1.0);
    let v: f64 = rng.random();
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// Adds white noise of this power over the whole 4 kHz.
pub fn add_noise(samples: &mut [f64], power: f64, rng: &mut impl Rng) {
    for x in samples {
        *x += normal(rng) * power.sqrt();
    }
}

/// Adds clicks of 1 to 3 samples, `rate` a second, up to overload.
pub fn add_impulses(samples: &mut [f64], rate: f64, rng: &mut impl Rng) {
    let mut at = 0;
    while at < samples.len() {
        if rng.random_bool(rate / 8_000.0) {
            let height =
                rng.random_range(6_000.0..32_000.0) * if rng.random() { 1.0 } else { -1.0 };
            for x in samples.iter_mut().skip(at).take(rng.random_range(1..=3)) {
                *x += height;
            }
        }
        at += 1;
    }
}

/// Adds sines of these frequencies, the given amplitude each.
pub fn add_tones(samples: &mut [f64], hz: &[f64], amplitude: f64, rng: &mut impl Rng) {
    for f in hz {
        let phase: f64 = rng.random();
        for (n, x) in samples.iter_mut().enumerate() {
            *x += amplitude * (std::f64::consts::TAU * (f * n as f64 / 8_000.0 + phase)).sin();
        }
    }
}

/// How lost frames are filled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// With silence.
    Zero,
    /// With the frame before.
    Repeat,
}

/// Loses 20 ms frames with this probability, never two in a row; says which.
pub fn lose(samples: &mut [i16], probability: f64, fill: Fill, rng: &mut impl Rng) -> Vec<bool> {
    let mut lost = vec![false; samples.len() / 160];
    for frame in 1..lost.len() {
        if lost[frame - 1] || !rng.random_bool(probability) {
            continue;
        }
        lost[frame] = true;
        match fill {
            Fill::Zero => samples[frame * 160..(frame + 1) * 160].fill(0),
            Fill::Repeat => samples.copy_within((frame - 1) * 160..frame * 160, frame * 160),
        }
    }
    lost
}
