//! Makes a recording fit for a call: 8 kHz, levelled, with short silences at its ends.

use super::wav::Recording;
use super::{SAMPLE_RATE, inspection, level, pcm, resample};

/// Silence left before the first sound, in samples: 60 ms.
const LEAD: usize = SAMPLE_RATE as usize * 6 / 100;
/// Silence left after the last sound, in samples: 200 ms, so that sentences played in a row keep a
/// pause between them.
const TAIL: usize = SAMPLE_RATE as usize / 5;
/// A cut is faded over so many samples: 8 ms.
const FADE: usize = SAMPLE_RATE as usize / 125;

/// Converts a recording to 8 kHz, takes its DC offset out, brings speech to
/// [`level::SPEECH_DBM0`] with its peaks under [`level::PEAK_DBFS`], and trims or fills the
/// silences at its ends. A silent recording only changes its rate.
///
/// # Errors
/// [`resample::RateError`] if the recording's rate is out of range.
pub fn prepare(recording: &Recording) -> Result<Vec<i16>, resample::RateError> {
    // Before resampling: an offset would leave a step at either end, which is heard as a sound.
    let mut studio = recording.samples.clone();
    level::remove_offset(&mut studio);
    let mut samples = resample::to_8k(&studio, recording.rate)?;
    level::normalise(&mut samples, level::SPEECH_DBM0, level::PEAK_DBFS);
    if let Some(speech) = level::speech(&samples) {
        let (lead, tail) = inspection::ends(&samples, speech.active_dbfs);
        samples = frame(&samples, lead, tail);
    }
    Ok(pcm::to_i16(&samples))
}

/// Cuts both silences down to what is left of them, or fills them up.
fn frame(samples: &[f32], lead: usize, tail: usize) -> Vec<f32> {
    let first = lead.saturating_sub(LEAD);
    let last = samples.len() - tail.saturating_sub(TAIL);
    let mut kept = samples[first..last.max(first)].to_vec();
    let fade = FADE.min(kept.len() / 2);
    for n in 0..fade {
        let gain = n as f32 / fade as f32;
        kept[n] *= gain;
        let from_end = kept.len() - 1 - n;
        kept[from_end] *= gain;
    }
    let mut framed = vec![0.0; LEAD.saturating_sub(lead)];
    framed.extend(kept);
    framed.extend(vec![0.0; TAIL.saturating_sub(tail)]);
    framed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::PromptName;
    use crate::audio::wav::{self, Encoding};

    fn tone(amplitude: f32, rate: u32, lead: f64, tail: f64) -> Recording {
        let second = f64::from(rate);
        let mut samples = vec![0.0; (lead * second) as usize];
        samples.extend((0..rate).map(|n| {
            let angle = std::f64::consts::TAU * 500.0 * f64::from(n) / second;
            amplitude * angle.sin() as f32 + 0.02
        }));
        samples.extend(vec![0.0; (tail * second) as usize]);
        Recording {
            rate,
            channels: 1,
            encoding: Encoding::Pcm { bytes: 2 },
            samples,
        }
    }

    #[test]
    fn any_recording_becomes_a_fit_one() {
        for amplitude in [0.005, 0.1, 1.0] {
            for (lead, tail) in [(0.0, 0.0), (0.06, 0.2), (1.5, 3.0)] {
                let prepared = prepare(&tone(amplitude, 44_100, lead, tail)).unwrap();
                let again = wav::read(&wav::write(&prepared)).unwrap();
                let (inspection, _) = inspection::inspect(PromptName::Greeting, &again).unwrap();
                assert_eq!(inspection.findings, [], "{amplitude} {lead} {tail}");
                assert!(
                    (inspection.lead_seconds - 0.06).abs() < 0.03,
                    "{inspection:?}"
                );
                assert!(
                    (inspection.tail_seconds - 0.2).abs() < 0.03,
                    "{inspection:?}"
                );
            }
        }
    }

    #[test]
    fn silence_and_odd_rates_are_survived() {
        let mut recording = tone(0.0, 16_000, 0.0, 0.0);
        recording.samples.fill(0.0);
        assert_eq!(prepare(&recording).unwrap(), [0; 8_000]);
        recording.samples.clear();
        assert!(prepare(&recording).unwrap().is_empty());
        recording.rate = 1;
        assert!(prepare(&recording).is_err());
    }
}
