//! Whether a recording is fit for a call: its level, its ends, what a recorder did to it.

use serde::Serialize;

use super::wav::Recording;
use super::{PromptName, SAMPLE_RATE, level, resample};

/// Speech between these is heard well, in dBm0.
const COMFORTABLE_DBM0: std::ops::RangeInclusive<f64> = -26.0..=-14.0;
/// Outside these it is too faint or distorts, in dBm0.
const BEARABLE_DBM0: std::ops::RangeInclusive<f64> = -35.0..=-9.0;
/// A DC offset is heard as a click at either end, as a part of full scale.
const OFFSET_WARNED: f64 = 0.01;
const OFFSET_REFUSED: f64 = 0.05;
/// Clipped samples that are heard as distortion.
const CLIPPED_REFUSED: usize = 40;
/// Longer silence than this at the ends makes the caller wait, in seconds.
const LEAD_SECONDS: f64 = 0.5;
const TAIL_SECONDS: f64 = 1.0;
/// Lengths in seconds that sentences and digits are expected within.
const SENTENCE_SECONDS: std::ops::RangeInclusive<f64> = 0.4..=20.0;
const DIGIT_SECONDS: std::ops::RangeInclusive<f64> = 0.2..=1.5;
/// The shortest sound that can be a word, in seconds.
const SHORTEST_SECONDS: f64 = 0.1;

/// What a recording measures, and what is to be said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// Its length in seconds.
    pub seconds: f64,
    /// Its level at 8 kHz.
    pub level: level::Level,
    /// Silence before the first sound, in seconds; all of it for silence.
    pub lead_seconds: f64,
    /// Silence after the last sound, in seconds.
    pub tail_seconds: f64,
    /// What is to be said, the worst first.
    pub findings: Vec<Finding>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Note,
    /// A person would notice.
    Warning,
    /// Not fit for a call.
    Error,
}

/// One thing to be said about a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, and what to do.
    pub text: String,
}

impl Finding {
    /// An error.
    pub fn error(text: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Error,
            text: text.into(),
        }
    }

    /// A warning.
    pub fn warning(text: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Warning,
            text: text.into(),
        }
    }

    /// A note.
    pub fn note(text: impl Into<String>) -> Finding {
        Finding {
            severity: Severity::Note,
            text: text.into(),
        }
    }
}

/// Inspects a recording of `name`. The samples it is heard as, at 8 kHz, come with it.
///
/// # Errors
/// [`resample::RateError`] if the recording's rate is out of range.
pub fn inspect(
    name: PromptName,
    recording: &Recording,
) -> Result<(Inspection, Vec<f32>), resample::RateError> {
    let samples = resample::to_8k(&recording.samples, recording.rate)?;
    let mut findings = Vec::new();
    let seconds = recording.samples.len() as f64 / f64::from(recording.rate);
    // Clipping is seen in the recording as it was made: resampling rounds it off.
    let clipped = level::measure(&recording.samples).clipped;
    let level = level::Level {
        clipped,
        ..level::measure(&samples)
    };

    rate(recording, &mut findings);
    loudness(&level, &mut findings);
    let (lead, tail) = match level.speech {
        Some(speech) => ends(&samples, speech.active_dbfs),
        None => (samples.len(), samples.len()),
    };
    let second = f64::from(SAMPLE_RATE);
    let (lead_seconds, tail_seconds) = (lead as f64 / second, tail as f64 / second);
    if level.speech.is_some() {
        length(name, seconds, &mut findings);
        silences(lead_seconds, tail_seconds, &mut findings);
        edges(&samples, &mut findings);
    }
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    let inspection = Inspection {
        seconds,
        level,
        lead_seconds,
        tail_seconds,
        findings,
    };
    Ok((inspection, samples))
}

fn rate(recording: &Recording, findings: &mut Vec<Finding>) {
    let rate = recording.rate;
    if rate < SAMPLE_RATE {
        findings.push(Finding::warning(format!(
            "sounds dull: recorded at {rate} Hz, less than the {SAMPLE_RATE} Hz of a call"
        )));
    } else if rate != SAMPLE_RATE {
        findings.push(Finding::note(format!(
            "converted from {rate} Hz each time it is loaded"
        )));
    }
    if recording.channels > 1 {
        findings.push(Finding::note(format!(
            "{} channels are mixed to one",
            recording.channels
        )));
    }
}

fn loudness(level: &level::Level, findings: &mut Vec<Finding>) {
    const FIX: &str = "level it with `ringtrue prompts convert`";
    match level.speech {
        None => findings.push(Finding::error("is silent: record it again")),
        Some(speech) => {
            let dbm0 = speech.active_dbm0();
            let text = format!(
                "speech is at {dbm0:.1} dBm0, and {} to {} is heard well: {FIX}",
                COMFORTABLE_DBM0.start(),
                COMFORTABLE_DBM0.end()
            );
            if !BEARABLE_DBM0.contains(&dbm0) {
                findings.push(Finding::error(text));
            } else if !COMFORTABLE_DBM0.contains(&dbm0) {
                findings.push(Finding::warning(text));
            }
        }
    }
    if level.clipped > 0 {
        let text = format!(
            "{} samples are clipped: record it at a lower level",
            level.clipped
        );
        findings.push(if level.clipped >= CLIPPED_REFUSED {
            Finding::error(text)
        } else {
            Finding::warning(text)
        });
    }
    if level.offset.abs() > OFFSET_WARNED {
        let text = format!("a DC offset of {:.1} %: {FIX}", level.offset * 100.0);
        findings.push(if level.offset.abs() > OFFSET_REFUSED {
            Finding::error(text)
        } else {
            Finding::warning(text)
        });
    }
}

fn length(name: PromptName, seconds: f64, findings: &mut Vec<Finding>) {
    let expected = if name.is_digit() {
        DIGIT_SECONDS
    } else {
        SENTENCE_SECONDS
    };
    if seconds < SHORTEST_SECONDS {
        findings.push(Finding::error(format!(
            "lasts {:.0} ms, too short for a word: record it again",
            seconds * 1_000.0
        )));
    } else if !expected.contains(&seconds) {
        findings.push(Finding::warning(format!(
            "lasts {seconds:.1} s, and {} to {} s is usual for it",
            expected.start(),
            expected.end()
        )));
    }
}

fn silences(lead: f64, tail: f64, findings: &mut Vec<Finding>) {
    if lead > LEAD_SECONDS {
        findings.push(Finding::warning(format!(
            "begins with {lead:.1} s of silence: cut it to 0.1 s"
        )));
    }
    if tail > TAIL_SECONDS {
        findings.push(Finding::warning(format!(
            "ends with {tail:.1} s of silence: cut it to 0.3 s"
        )));
    }
}

/// A recording cut inside a sound clicks: its very first and last samples should be near zero.
fn edges(samples: &[f32], findings: &mut Vec<Finding>) {
    /// -30 dB below full scale.
    const HEARD: f32 = 0.031_6;
    for (edge, word) in [(samples.first(), "begins"), (samples.last(), "ends")] {
        if edge.is_some_and(|sample| sample.abs() > HEARD) {
            findings.push(Finding::warning(format!(
                "{word} inside a sound, with a click: leave some silence there"
            )));
        }
    }
}

/// Samples before the first and after the last sound: 10 ms within 40 dB of the active level.
pub(super) fn ends(samples: &[f32], active_dbfs: f64) -> (usize, usize) {
    const WINDOW: usize = SAMPLE_RATE as usize / 100;
    let sounding = |window: &[f32]| {
        let square: f64 = window.iter().map(|s| f64::from(*s).powi(2)).sum();
        10.0 * (2.0 * square / window.len() as f64).log10() > active_dbfs - 40.0
    };
    let windows = || samples.chunks(WINDOW);
    let lead = windows().position(sounding).unwrap_or(0) * WINDOW;
    let last = windows()
        .rposition(sounding)
        .map_or(samples.len(), |at| (at + 1) * WINDOW);
    (lead, samples.len().saturating_sub(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::wav::Encoding;

    /// A second of something like a vowel, `amplitude` high, between silences.
    fn spoken(amplitude: f32, rate: u32, lead: f64, tail: f64) -> Recording {
        let second = f64::from(rate);
        let mut samples = vec![0.0; (lead * second) as usize];
        samples.extend((0..rate).map(|n| {
            let angle = std::f64::consts::TAU * f64::from(n) / second;
            amplitude * ((220.0 * angle).sin() * 0.6 + (660.0 * angle).sin() * 0.4) as f32
        }));
        samples.extend(vec![0.0; (tail * second) as usize]);
        Recording {
            rate,
            channels: 1,
            encoding: Encoding::Pcm { bytes: 2 },
            samples,
        }
    }

    fn findings(name: PromptName, recording: &Recording) -> Vec<Finding> {
        inspect(name, recording).unwrap().0.findings
    }

    #[test]
    fn a_good_recording_has_nothing_to_be_said() {
        let recording = spoken(0.15, 8_000, 0.1, 0.2);
        let (inspection, samples) = inspect(PromptName::Greeting, &recording).unwrap();
        assert_eq!(inspection.findings, []);
        assert_eq!(samples.len(), 10_400);
        assert!((inspection.seconds - 1.3).abs() < 1e-9);
        assert!(
            (inspection.lead_seconds - 0.1).abs() < 0.011,
            "{inspection:?}"
        );
        assert!(
            (inspection.tail_seconds - 0.2).abs() < 0.011,
            "{inspection:?}"
        );
    }

    #[track_caller]
    fn finds(recording: &Recording, severity: Severity, words: &str) {
        let findings = findings(PromptName::Greeting, recording);
        let found = findings
            .iter()
            .any(|f| f.severity == severity && f.text.contains(words));
        assert!(found, "{words} in {findings:?}");
    }

    #[test]
    fn faults_are_found() {
        finds(&spoken(0.003, 8_000, 0.1, 0.2), Severity::Error, "dBm0");
        finds(&spoken(0.05, 8_000, 0.1, 0.2), Severity::Warning, "dBm0");
        finds(&spoken(0.0, 8_000, 0.1, 0.2), Severity::Error, "silent");
        finds(
            &spoken(0.15, 8_000, 0.7, 0.2),
            Severity::Warning,
            "begins with 0.7 s",
        );
        finds(
            &spoken(0.15, 8_000, 0.1, 1.5),
            Severity::Warning,
            "ends with 1.5 s",
        );
        finds(&spoken(0.15, 6_000, 0.1, 0.2), Severity::Warning, "dull");
        finds(&spoken(0.15, 44_100, 0.1, 0.2), Severity::Note, "44100 Hz");

        let mut clipped = spoken(0.15, 8_000, 0.1, 0.2);
        clipped.samples[4_000..4_004].fill(1.0);
        finds(&clipped, Severity::Warning, "4 samples are clipped");
        clipped.samples[4_000..4_060].fill(1.0);
        finds(&clipped, Severity::Error, "60 samples are clipped");

        let mut offset = spoken(0.15, 8_000, 0.1, 0.2);
        offset.samples.iter_mut().for_each(|s| *s += 0.02);
        finds(&offset, Severity::Warning, "DC offset of 2.0 %");
        offset.samples.iter_mut().for_each(|s| *s += 0.06);
        finds(&offset, Severity::Error, "DC offset of 8.0 %");

        let mut cut = spoken(0.15, 8_000, 0.0, 0.2);
        cut.samples.drain(..4);
        finds(&cut, Severity::Warning, "begins inside a sound");

        let mut short = spoken(0.15, 8_000, 0.0, 0.0);
        short.samples.truncate(600);
        finds(&short, Severity::Error, "75 ms");
    }

    #[test]
    fn a_digit_is_short() {
        let long = spoken(0.15, 8_000, 0.3, 0.3);
        assert_eq!(findings(PromptName::Greeting, &long), []);
        let found = findings(PromptName::Digit4, &long);
        assert!(found[0].text.contains("0.2 to 1.5 s"), "{found:?}");
    }

    #[test]
    fn the_worst_comes_first() {
        let found = findings(PromptName::Greeting, &spoken(0.003, 44_100, 0.1, 0.2));
        let severities: Vec<Severity> = found.iter().map(|f| f.severity).collect();
        assert_eq!(severities, [Severity::Error, Severity::Note]);
    }
}
