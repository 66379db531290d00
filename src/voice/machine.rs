//! What answers at the sandbox phone where no person does: the sounds of machines.

use std::f32::consts::TAU;

use crate::audio::{Prompt, PromptLibrary, PromptName, SAMPLE_RATE};
use crate::dtmf::amplitude;

/// A machine that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// Speaks a greeting, beeps and records.
    Voicemail,
    /// Sends the answer tone of a fax (CED, ITU-T T.30).
    Fax,
    /// The network: special information tones (ITU-T E.180) before an announcement.
    Announcement,
}

impl Machine {
    /// What it plays.
    pub fn sounds(self) -> Vec<Prompt> {
        let made = |name, parts: &[(f32, u32)]| {
            let samples: Vec<i16> = parts.iter().flat_map(|(hz, ms)| tone(*hz, *ms)).collect();
            Prompt::from_samples(name, &samples)
        };
        match self {
            Machine::Voicemail => {
                let mut sounds = greeting();
                sounds.push(made("beep", &[(0.0, 300), (1_000.0, 400), (0.0, 1_000)]));
                sounds
            }
            Machine::Fax => vec![made("ced", &[(0.0, 400), (2_100.0, 3_000)])],
            Machine::Announcement => {
                let tones = [(985.2, 380), (1_428.5, 276), (1_776.7, 380)];
                vec![made("sit", &tones)]
            }
        }
    }
}

/// Somebody's voice for some seconds.
fn greeting() -> Vec<Prompt> {
    let library = PromptLibrary::DEFAULT_LOCALE
        .parse()
        .ok()
        .and_then(|locale| PromptLibrary::builtin(&locale).ok());
    library.map_or_else(Vec::new, |library| {
        let names = [PromptName::Greeting, PromptName::PressHash];
        let set = library.default_set();
        names.map(|name| set.get(name).clone()).into()
    })
}

/// So many milliseconds of a tone at -14 dBm0; of silence at 0 Hz.
fn tone(hz: f32, ms: u32) -> impl Iterator<Item = i16> {
    let step = TAU * hz / SAMPLE_RATE as f32;
    (0..ms * SAMPLE_RATE / 1_000).map(move |n| ((n as f32 * step).sin() * amplitude(-14.0)) as i16)
}
