//! How loud speech is, and making it as loud as it should be.
//!
//! Levels are in dBFS against a full-scale *sine* (a sine of peak 1.0 is 0 dBFS), and in dBm0,
//! the telephone network's level at its reference point. G.711 clause 6 ties the two: a sine
//! that just fills the A-law coder is +3.14 dBm0 (mu-law +3.17), so [`OVERLOAD_DBM0`] is the
//! offset; on our 16-bit scale the two laws lie within 0.1 dB of it.

use super::SAMPLE_RATE;

/// The level in dBm0 of a sine at full scale (G.711 clause 6, A-law).
#[allow(clippy::approx_constant)] // a level, not pi
pub const OVERLOAD_DBM0: f64 = 3.14;

/// Active speech level that prompts are brought to, in dBm0. Carriers plan for about -20 dBm0;
/// it lies 23 dB below overload, enough for the peaks of speech.
pub const SPEECH_DBM0: f64 = -20.0;

/// The highest peak in a levelled prompt, in dB below full scale: -3 dBFS leaves room for
/// transcoding and for the overshoot of filters on the way.
pub const PEAK_DBFS: f64 = -3.0;

/// dBFS to dBm0.
pub fn dbm0(dbfs: f64) -> f64 {
    dbfs + OVERLOAD_DBM0
}

/// What a stretch of audio measures. All levels are `NEG_INFINITY` for digital silence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Root mean square over the whole stretch, dBFS.
    pub rms_dbfs: f64,
    /// The highest sample, in dB below 1.0.
    pub peak_dbfs: f64,
    /// The mean of all samples, -1.0 to 1.0: the DC offset.
    pub offset: f64,
    /// Samples at or beyond full scale in runs of at least two: clipping as a recorder leaves
    /// it.
    pub clipped: usize,
    /// Level of the parts with speech, and how large a part that is.
    pub speech: Option<Speech>,
}

/// The level of speech without its pauses, by the method of ITU-T P.56 (method B).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speech {
    /// Active speech level, dBFS.
    pub active_dbfs: f64,
    /// The part of the time that is speech, 0.0 to 1.0.
    pub activity: f64,
}

impl Speech {
    /// Active speech level in dBm0.
    pub fn active_dbm0(&self) -> f64 {
        dbm0(self.active_dbfs)
    }
}

/// Measures a recording at [`SAMPLE_RATE`].
pub fn measure(samples: &[f32]) -> Level {
    let count = samples.len().max(1) as f64;
    let mut square = 0.0;
    let mut sum = 0.0;
    let mut peak = 0.0f32;
    let mut clipped = 0;
    let mut run = 0;
    // A 16-bit recording reaches 32,767 of 32,768 at most.
    const FULL: f32 = 32_767.0 / 32_768.0;
    for sample in samples {
        square += f64::from(*sample).powi(2);
        sum += f64::from(*sample);
        peak = peak.max(sample.abs());
        if sample.abs() >= FULL {
            run += 1;
            clipped += match run {
                1 => 0,
                2 => 2,
                _ => 1,
            };
        } else {
            run = 0;
        }
    }
    Level {
        rms_dbfs: power_dbfs(square / count),
        peak_dbfs: 20.0 * f64::from(peak).log10(),
        offset: sum / count,
        clipped,
        speech: speech(samples),
    }
}

/// Mean square to dBFS against a full-scale sine, whose mean square is one half.
fn power_dbfs(mean_square: f64) -> f64 {
    10.0 * (2.0 * mean_square).log10()
}

/// P.56 method B at [`SAMPLE_RATE`]; `None` if nothing rises above the lowest threshold.
pub fn speech(samples: &[f32]) -> Option<Speech> {
    const THRESHOLDS: usize = 15;
    /// Smoothing of the envelope: 30 ms (P.56 clause 8).
    const TIME_CONSTANT: f64 = 0.03;
    /// A pause shorter than 200 ms is part of the speech.
    const HANGOVER: u32 = SAMPLE_RATE / 5;
    /// The threshold lies so far below the active level, in dB.
    const MARGIN: f64 = 15.9;

    let smooth = (-1.0 / (f64::from(SAMPLE_RATE) * TIME_CONSTANT)).exp();
    let mut square = 0.0;
    let (mut once, mut twice) = (0.0f64, 0.0f64);
    let mut active = [0u64; THRESHOLDS];
    let mut hang = [HANGOVER; THRESHOLDS];
    for sample in samples {
        let sample = f64::from(*sample);
        square += sample * sample;
        once = smooth * once + (1.0 - smooth) * sample.abs();
        twice = smooth * twice + (1.0 - smooth) * once;
        let mut threshold = 0.5f64.powi(THRESHOLDS as i32);
        for (count, hang) in active.iter_mut().zip(&mut hang) {
            if twice >= threshold {
                *count += 1;
                *hang = 0;
            } else if *hang < HANGOVER {
                *count += 1;
                *hang += 1;
            }
            threshold *= 2.0;
        }
    }

    // The active level at each threshold falls towards the threshold as it rises; the answer is
    // where they stand MARGIN apart.
    let point = |index: usize| {
        let count = active[index] as f64;
        (count > 0.0).then(|| {
            let level = power_dbfs(square / count);
            let threshold =
                20.0 * 0.5f64.powi((THRESHOLDS - index) as i32).log10() + 10.0 * 2f64.log10();
            (level, level - threshold)
        })
    };
    let (mut level, mut above) = point(0)?;
    if above <= MARGIN {
        return Some(activity_of(level, square, samples.len()));
    }
    for index in 1..THRESHOLDS {
        let Some((next_level, next_above)) = point(index) else {
            break;
        };
        if next_above <= MARGIN {
            let part = (above - MARGIN) / (above - next_above).max(1e-9);
            level += (next_level - level) * part;
            return Some(activity_of(level, square, samples.len()));
        }
        (level, above) = (next_level, next_above);
    }
    Some(activity_of(level, square, samples.len()))
}

fn activity_of(level: f64, square: f64, length: usize) -> Speech {
    let whole = power_dbfs(square / length.max(1) as f64);
    Speech {
        active_dbfs: level,
        activity: 10f64.powf((whole - level) / 10.0).min(1.0),
    }
}

/// Takes the DC offset out, brings speech at [`SAMPLE_RATE`] to `target_dbm0` and holds its peaks
/// under `peak_dbfs` with a look-ahead limiter. Silence is left alone. Returns the gain in dB.
pub fn normalise(samples: &mut [f32], target_dbm0: f64, peak_dbfs: f64) -> f64 {
    remove_offset(samples);
    let Some(speech) = speech(samples) else {
        return 0.0;
    };
    let gain_db = target_dbm0 - speech.active_dbm0();
    let gain = 10f64.powf(gain_db / 20.0) as f32;
    for sample in samples.iter_mut() {
        *sample *= gain;
    }
    limit(samples, 10f64.powf(peak_dbfs / 20.0) as f32);
    gain_db
}

/// Takes the DC offset out: the mean of all samples.
pub fn remove_offset(samples: &mut [f32]) {
    let sum: f64 = samples.iter().map(|s| f64::from(*s)).sum();
    let mean = (sum / samples.len().max(1) as f64) as f32;
    for sample in samples {
        *sample -= mean;
    }
}

/// Holds every sample within `peak` by lowering the gain smoothly around each excess: the gain
/// that a sample needs is spread over 5 ms either side, so no edge is heard.
pub fn limit(samples: &mut [f32], peak: f32) {
    const REACH: usize = SAMPLE_RATE as usize / 200;
    if samples.iter().all(|s| s.abs() <= peak) {
        return;
    }
    let needed: Vec<f32> = samples
        .iter()
        .map(|s| if s.abs() > peak { peak / s.abs() } else { 1.0 })
        .collect();
    // The least gain within reach, then its mean over the same reach: never above what the
    // sample itself needs.
    let window = |values: &[f32], at: usize| {
        let last = (at + REACH).min(values.len() - 1);
        at.saturating_sub(REACH)..last + 1
    };
    let least: Vec<f32> = (0..needed.len())
        .map(|at| {
            let near = &needed[window(&needed, at)];
            near.iter().copied().fold(1.0, f32::min)
        })
        .collect();
    for (at, sample) in samples.iter_mut().enumerate() {
        let near = &least[window(&least, at)];
        let gain = near.iter().sum::<f32>() / near.len() as f32;
        *sample = (*sample * gain).clamp(-peak, peak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Codec, g711, pcm};
    use proptest::prelude::*;

    fn sine(amplitude: f64, seconds: f64) -> Vec<f32> {
        (0..(8_000.0 * seconds) as usize)
            .map(|n| {
                (amplitude * (std::f64::consts::TAU * 1_000.0 * n as f64 / 8_000.0).sin()) as f32
            })
            .collect()
    }

    #[test]
    fn a_full_scale_sine_is_0_dbfs() {
        let level = measure(&sine(1.0, 1.0));
        assert!(level.rms_dbfs.abs() < 0.001);
        assert!(level.peak_dbfs.abs() < 0.001);
        assert!(level.offset.abs() < 1e-6);
    }

    /// The eight octets that G.711 (Tables 5 and 6) gives for 1 kHz at 0 dBm0.
    #[test]
    fn the_digital_milliwatt_is_0_dbm0() {
        let sequences = [
            (
                Codec::Pcmu,
                [0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e],
            ),
            (
                Codec::Pcma,
                [0x34, 0x21, 0x21, 0x34, 0xb4, 0xa1, 0xa1, 0xb4],
            ),
        ];
        for (codec, octets) in sequences {
            let samples = pcm::to_f32(&g711::decode_all(codec, &octets.repeat(500)));
            let level = dbm0(measure(&samples).rms_dbfs);
            assert!(level.abs() < 0.1, "{codec:?}: {level:.3} dBm0");
        }
    }

    #[test]
    fn silence_has_no_level() {
        for samples in [vec![], vec![0.0; 8_000]] {
            let level = measure(&samples);
            assert_eq!(level.rms_dbfs, f64::NEG_INFINITY);
            assert_eq!(level.peak_dbfs, f64::NEG_INFINITY);
            assert_eq!(level.speech, None);
        }
    }

    #[test]
    fn clipping_is_runs_at_full_scale() {
        let mut samples = vec![0.1f32; 100];
        samples[10] = 1.0;
        samples[20..23].fill(-1.0);
        assert_eq!(measure(&samples).clipped, 3);
    }

    #[test]
    fn pauses_do_not_count_as_speech() {
        // A second of tone, three of silence: the level is the tone's, the activity about a
        // quarter, and 200 ms of hangover more.
        let mut samples = sine(0.1, 1.0);
        samples.extend(vec![0.0; 24_000]);
        let speech = speech(&samples).unwrap();
        assert!((speech.active_dbfs - -20.8).abs() < 0.5, "{speech:?}");
        assert!((0.25..0.34).contains(&speech.activity), "{speech:?}");
    }

    #[test]
    fn normalising_hits_level_and_peak() {
        for amplitude in [0.003, 0.05, 0.5, 1.0] {
            let mut samples = sine(amplitude, 2.0);
            for sample in &mut samples {
                *sample += 0.01;
            }
            normalise(&mut samples, SPEECH_DBM0, PEAK_DBFS);
            let level = measure(&samples);
            let speech = level.speech.unwrap();
            assert!(
                (speech.active_dbm0() - SPEECH_DBM0).abs() < 0.2,
                "{speech:?}"
            );
            assert!(level.offset.abs() < 1e-4);
        }
        let mut spiky = sine(0.05, 1.0);
        spiky[4_000] = 0.9;
        normalise(&mut spiky, SPEECH_DBM0, PEAK_DBFS);
        assert!(measure(&spiky).peak_dbfs <= PEAK_DBFS + 1e-3);
        let mut silent = vec![0.0; 800];
        assert_eq!(normalise(&mut silent, SPEECH_DBM0, PEAK_DBFS), 0.0);
        assert_eq!(silent, [0.0; 800]);
    }

    proptest! {
        #[test]
        fn the_limiter_limits(
            mut samples in proptest::collection::vec(-4.0f32..4.0, 0..400),
            peak in 0.05f32..1.0,
        ) {
            limit(&mut samples, peak);
            prop_assert!(samples.iter().all(|s| s.abs() <= peak));
        }
    }
}
