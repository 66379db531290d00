//! What a recording sounds like to who must tell its echo from an answer: its level, and whether
//! it holds the tones of a key.

use super::FRAME_SAMPLES;
use crate::dtmf::analysis::analyse;
use crate::dtmf::{DetectorConfig, Digit, dbm0};

/// One 20 ms frame in outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outline {
    /// Its level in dBm0: that of a sine of the same power, -90 at least.
    pub dbm0: i8,
    /// The key whose tones it holds.
    pub key: Option<Digit>,
}

impl Outline {
    /// A frame of silence.
    pub const SILENT: Outline = Outline {
        dbm0: -90,
        key: None,
    };

    /// The outline of a recording at 8 kHz, frame by frame.
    pub fn of(samples: &[i16]) -> Vec<Outline> {
        let mut outline: Vec<Outline> = samples
            .chunks(FRAME_SAMPLES)
            .map(|frame| {
                let power = frame.iter().map(|x| f32::from(*x).powi(2)).sum::<f32>();
                let amplitude = (2.0 * power / FRAME_SAMPLES as f32).sqrt();
                Outline {
                    dbm0: dbm0(amplitude).round().clamp(-90.0, 10.0) as i8,
                    key: None,
                }
            })
            .collect();
        for key in analyse(samples, LENIENT).keys {
            let first = key.start_sample as usize / FRAME_SAMPLES;
            let last = key.end_sample as usize / FRAME_SAMPLES;
            for frame in outline.iter_mut().take(last + 1).skip(first) {
                frame.key = Some(key.digit);
            }
        }
        outline
    }
}

/// What is near enough to a key that an echo of it could be taken for one.
const LENIENT: DetectorConfig = DetectorConfig {
    weakest_dbm0: -60.0,
    high_stronger_db: 10.0,
    high_weaker_db: 14.0,
    snr_db: 4.0,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{PromptLibrary, PromptName};
    use crate::dtmf::{Generator, KeyShape};

    #[test]
    fn level_and_keys_are_known_frame_by_frame() {
        let mut samples = vec![0; 4_000];
        samples.extend(Generator::new(&[Digit::HASH], KeyShape::default()).render());
        let outline = Outline::of(&samples);
        assert_eq!(outline.len(), 35);
        assert_eq!(outline[10], Outline::SILENT);
        assert_eq!(outline[27].key, Some(Digit::HASH));
        // Two tones of -10 dBm0.
        assert_eq!(outline[27].dbm0, -7);
        let with_key = outline.iter().filter(|o| o.key.is_some()).count();
        assert!((5..=7).contains(&with_key), "{with_key}");
        assert_eq!(Outline::of(&[]), []);
    }

    /// A key taken for an echo would be a key that a person presses in vain.
    #[test]
    fn no_recording_that_comes_with_the_program_is_anywhere_near_a_key() {
        let locale = PromptLibrary::DEFAULT_LOCALE.parse().unwrap();
        let library = PromptLibrary::builtin(&locale).unwrap();
        for set in library.sets() {
            for name in PromptName::ALL {
                let prompt = set.get(name);
                let key = (0..prompt.frames()).find_map(|at| prompt.outline(at).key);
                assert_eq!(key, None, "{} {}", set.locale(), prompt.name());
            }
        }
    }
}
