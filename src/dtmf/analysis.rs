//! Whole recordings: every key in them, and what resembled one and why it is none.

use serde::Serialize;

use super::{Detection, Detector, DetectorConfig, Digit, Measures, Refusal, Verdict};

/// A key in a recording. Positions are samples at 8 kHz.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// Which key.
    pub digit: Digit,
    /// Where its tones begin.
    pub start_sample: u64,
    /// Where they end.
    pub end_sample: u64,
    /// What was measured.
    pub measures: Measures,
}

/// A stretch that resembled a key and is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refused {
    /// Which key it resembled.
    pub digit: Digit,
    /// Where the best of its windows begins.
    pub start_sample: u64,
    /// What was measured there.
    pub measures: Measures,
    /// Why it is none.
    pub refusal: Refusal,
}

/// What a recording holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Analysis {
    /// The keys, in order.
    pub keys: Vec<Key>,
    /// What was refused after its tones were measured, in order; windows less than 100 ms apart
    /// that resemble the same key are one, and none that belongs to a key.
    pub refused: Vec<Refused>,
}

/// Windows of one refused stretch lie closer than this, 100 ms.
const APART: u64 = 800;
/// Refused stretches kept of one recording.
const MOST_REFUSED: usize = 100_000;

/// Listens to a recording and remembers what a [`Detector`] says of it.
#[derive(Debug, Clone)]
pub struct Analyser {
    detector: Detector,
    analysis: Analysis,
}

impl Analyser {
    /// An analyser at the start of a recording.
    pub fn new(config: DetectorConfig) -> Analyser {
        Analyser {
            detector: Detector::new(config).thorough(),
            analysis: Analysis::default(),
        }
    }

    /// How many samples the recording has brought, gaps included.
    pub fn position(&self) -> u64 {
        self.detector.position()
    }

    /// Takes the next samples at 8 kHz.
    pub fn feed(&mut self, samples: &[i16]) {
        let Analysis { keys, refused } = &mut self.analysis;
        self.detector.feed_traced(
            samples,
            &mut |detection| note(keys, detection),
            &mut |verdict| note_refusal(refused, &verdict),
        );
    }

    /// Tells of samples that are missing.
    pub fn gap(&mut self, samples: u64) {
        let keys = &mut self.analysis.keys;
        self.detector
            .gap(samples, &mut |detection| note(keys, detection));
    }

    /// The recording is over.
    pub fn finish(mut self) -> Analysis {
        let keys = &mut self.analysis.keys;
        self.detector.finish(&mut |detection| note(keys, detection));
        // The edges of a key resemble it and fill their windows too little.
        let keys = &self.analysis.keys;
        self.analysis.refused.retain(|refused| {
            !keys.iter().any(|key| {
                refused.start_sample < key.end_sample + 256
                    && refused.start_sample + 512 > key.start_sample
            })
        });
        self.analysis
    }
}

fn note(keys: &mut Vec<Key>, detection: Detection) {
    if let Detection::Ended {
        digit,
        start_sample,
        end_sample,
        measures,
    } = detection
    {
        keys.push(Key {
            digit,
            start_sample,
            end_sample,
            measures,
        });
    }
}

fn note_refusal(refused: &mut Vec<Refused>, verdict: &Verdict) {
    let (Some(measures), Some(refusal)) = (verdict.measures, verdict.refusal) else {
        return;
    };
    let new = Refused {
        digit: verdict.digit,
        start_sample: verdict.start_sample,
        measures,
        refusal,
    };
    let full = refused.len() >= MOST_REFUSED;
    match refused.last_mut() {
        Some(last)
            if last.digit == new.digit
                && new.start_sample < last.start_sample.saturating_add(APART) =>
        {
            if new.measures.snr_db > last.measures.snr_db {
                *last = new;
            }
        }
        _ if full => {}
        _ => refused.push(new),
    }
}

/// Everything that a recording at 8 kHz holds.
pub fn analyse(samples: &[i16], config: DetectorConfig) -> Analysis {
    let mut analyser = Analyser::new(config);
    analyser.feed(samples);
    analyser.finish()
}

/// The keys that a detector hears in a recording at 8 kHz: a prompt must hold none.
pub fn hears_keys(samples: &[i16]) -> Vec<Key> {
    analyse(samples, DetectorConfig::default()).keys
}

/// A digit in JSON is its name.
impl Serialize for Digit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_char(self.as_char())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::{Generator, KeyShape};

    #[test]
    fn a_key_is_found_where_it_is_and_one_off_frequency_is_refused_with_the_reason() {
        let shape = KeyShape::default();
        let mut samples = vec![0; 4_000];
        samples.extend(Generator::new(&[Digit::HASH], shape).render());
        let off = KeyShape {
            high_scale: 1.03,
            ..shape
        };
        samples.extend(vec![0; 4_000]);
        samples.extend(Generator::new(&[Digit::STAR], off).render());
        let found = analyse(&samples, DetectorConfig::default());
        assert_eq!(found.keys.len(), 1);
        let key = found.keys[0];
        assert_eq!(key.digit, Digit::HASH);
        assert!(key.start_sample.abs_diff(4_000) <= 24, "{key:?}");
        assert!(key.end_sample.abs_diff(4_800) <= 24, "{key:?}");
        assert!((key.measures.low_hz - 941.0).abs() < 0.5);
        assert!((key.measures.high_hz - 1477.0).abs() < 0.5);
        assert!((key.measures.low_dbm0 + 10.0).abs() < 0.2);
        assert!(key.measures.twist_db().abs() < 0.2);
        assert_eq!(found.refused.len(), 1);
        assert_eq!(found.refused[0].digit, Digit::STAR);
        assert_eq!(found.refused[0].refusal, Refusal::OffFrequency);
        assert_eq!(hears_keys(&samples).len(), 1);
    }
}
