//! What one 20 ms frame sounds like: its level, and whether it is one steady tone.
//!
//! A sinusoid keeps `x[n+L] + x[n-L] = 2 cos(wL) x[n]` for every lag `L`. The least-squares
//! coefficient gives its frequency, and what it leaves over how far the frame's energy spreads
//! about it. The longer the lag, the sharper the frequency, up to where `sin(wL)` is small.

use std::f32::consts::{PI, TAU};

use crate::dtmf::dbm0;

/// Samples of a frame.
pub const FRAME: usize = 160;
/// Longest lag.
const LAGS: usize = 4;
const INNER: usize = FRAME - 2 * LAGS;
const RATE: f32 = 8_000.0;
/// The energy of a tone spreads no farther than this. Two tones of a ringing tone, 50 Hz apart,
/// are one; two vowels' harmonics are not.
const NARROW_HZ: f32 = 45.0;

/// Seen at the first lag alone, a tone on a noisy line spreads no farther than this.
const WIDE_HZ: f32 = 250.0;

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Its level: that of a sine of the same power.
    pub dbm0: f32,
    /// The frequency in hertz, if it is a tone.
    pub tone_hz: Option<f32>,
}

/// Looks at a frame; the tone is not looked for in what is quieter than `quiet_dbm0`.
pub fn look(samples: &[i16; FRAME], quiet_dbm0: f32) -> Frame {
    let mut x = [0f32; FRAME];
    for (x, sample) in x.iter_mut().zip(samples) {
        *x = f32::from(*sample);
    }
    let level = dbm0((2.0 * dot(&x, &x) / FRAME as f32).sqrt());
    let tone_hz = if level < quiet_dbm0 { None } else { tone(&x) };
    Frame {
        dbm0: level,
        tone_hz,
    }
}

fn tone(x: &[f32; FRAME]) -> Option<f32> {
    let mid: &[f32; INNER] = x[LAGS..].first_chunk()?;
    let own = dot(mid, mid);
    if own <= 0.0 {
        return None;
    }
    let (mut cosine, mut rest) = ([0f32; LAGS], [0f32; LAGS]);
    for lag in 1..=LAGS {
        let before: &[f32; INNER] = x[LAGS - lag..].first_chunk()?;
        let after: &[f32; INNER] = x[LAGS + lag..].first_chunk()?;
        let mut both = [0f32; INNER];
        for n in 0..INNER {
            both[n] = before[n] + after[n];
        }
        let c = dot(mid, &both) / (2.0 * own);
        cosine[lag - 1] = c.clamp(-1.0, 1.0);
        rest[lag - 1] = (dot(&both, &both) / own - 4.0 * c * c).max(0.0);
        // Most frames are speech, and the first lag says so.
        if lag == 1 && rest[0].sqrt() > WIDE_HZ * 2.0 * (1.0 - c * c).max(0.0).sqrt() * TAU / RATE {
            return None;
        }
    }
    let rough = cosine[0].acos();
    let sharpness = |lag: usize| lag as f32 * (rough * lag as f32).sin().abs();
    let lag = (1..=LAGS).max_by(|a, b| sharpness(*a).total_cmp(&sharpness(*b)))?;
    let spread = rest[lag - 1].sqrt() / (2.0 * sharpness(lag).max(1e-3)) * RATE / TAU;
    if spread > NARROW_HZ {
        return None;
    }
    // The angle at this lag is known up to its sign and whole turns: the nearest to the rough one.
    let angle = cosine[lag - 1].acos();
    let turned = rough * lag as f32;
    let whole = (turned / TAU).round();
    let exact = [-1.0, 0.0, 1.0]
        .into_iter()
        .flat_map(|k| [(whole + k) * TAU + angle, (whole + k) * TAU - angle])
        .min_by(|a, b| (a - turned).abs().total_cmp(&(b - turned).abs()))?;
    let hz = exact / lag as f32 * RATE / TAU;
    (0.0..RATE * PI / TAU).contains(&hz).then_some(hz)
}

/// Sum of products, in eight lanes so that it vectorises.
fn dot<const N: usize>(a: &[f32; N], b: &[f32; N]) -> f32 {
    const { assert!(N.is_multiple_of(8)) };
    let mut lanes = [0f32; 8];
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::{Digit, Generator, KeyShape, amplitude};

    fn sines(parts: &[f32], level: f32) -> [i16; FRAME] {
        std::array::from_fn(|n| {
            let t = n as f32 / RATE;
            let sum: f32 = parts
                .iter()
                .map(|hz| (TAU * hz * t + hz).sin() * amplitude(level))
                .sum();
            sum.round() as i16
        })
    }

    #[test]
    fn a_tone_of_any_frequency_is_measured_to_a_few_hertz() {
        for hz in (300..2_600).step_by(7) {
            for level in [-6.0, -20.0, -35.0] {
                let frame = look(&sines(&[hz as f32], level), -45.0);
                let found = frame.tone_hz.unwrap_or_else(|| panic!("{hz} at {level}"));
                assert!((found - hz as f32).abs() < 6.0, "{found} for {hz}");
                assert!((frame.dbm0 - level).abs() < 0.5, "{frame:?}");
            }
        }
    }

    #[test]
    fn a_ringing_tone_is_one_tone_and_a_key_or_a_vowel_is_none() {
        for pair in [[440.0, 480.0], [400.0, 450.0]] {
            let found = look(&sines(&pair, -18.0), -45.0).tone_hz;
            let middle = (pair[0] + pair[1]) / 2.0;
            assert!(
                found.is_some_and(|hz| (hz - middle).abs() < 25.0),
                "{found:?} for {pair:?}"
            );
        }
        for digit in Digit::all() {
            let key = Generator::new(&[digit], KeyShape::default()).render();
            let frame = key[160..].first_chunk().unwrap();
            assert_eq!(look(frame, -45.0).tone_hz, None, "{digit}");
        }
        let vowel = sines(&[140.0, 280.0, 420.0, 560.0, 700.0], -20.0);
        assert_eq!(look(&vowel, -45.0).tone_hz, None);
        assert_eq!(look(&[0; FRAME], -45.0).tone_hz, None);
    }
}
