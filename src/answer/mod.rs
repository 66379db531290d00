//! Who or what has answered a call, told from its first seconds of audio: a person, a recording,
//! a voicemail's beep, a fax, the network's tones, or nobody.
//!
//! A [`Classifier`] is fed the same 20 ms frames as the key detector. Each frame is silence, one
//! steady tone or some other sound (`frame`); tones that last are told by their frequency and
//! length (`tone`), and speech by how long it goes on before it waits for an answer
//! (`classifier`). It allocates nothing.

mod classifier;
mod frame;
mod tone;

use serde::Serialize;

pub use classifier::{Alongside, Classifier};

/// Who or what has answered a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnsweredBy {
    /// Short speech, then silence: somebody says hello and waits.
    Person,
    /// Speech or music that goes on and on: a recorded greeting, an announcement, a queue.
    Recording,
    /// A beep after speech: a voicemail records now.
    Voicemail,
    /// The tones of a fax: CED or CNG (ITU-T T.30).
    Fax,
    /// Special information tones (ITU-T E.180): the network explains why the call cannot be
    /// connected.
    Announcement,
    /// The network's own ringing or busy tone, though the call counts as answered.
    Ringback,
    /// No sound for four seconds.
    Silence,
}

impl AnsweredBy {
    /// Every class.
    pub const ALL: [AnsweredBy; 7] = [
        AnsweredBy::Person,
        AnsweredBy::Recording,
        AnsweredBy::Voicemail,
        AnsweredBy::Fax,
        AnsweredBy::Announcement,
        AnsweredBy::Ringback,
        AnsweredBy::Silence,
    ];

    /// Its name in logs, metrics and the API.
    pub const fn name(self) -> &'static str {
        match self {
            AnsweredBy::Person => "person",
            AnsweredBy::Recording => "recording",
            AnsweredBy::Voicemail => "voicemail",
            AnsweredBy::Fax => "fax",
            AnsweredBy::Announcement => "announcement",
            AnsweredBy::Ringback => "ringback",
            AnsweredBy::Silence => "silence",
        }
    }

    /// The class of that name.
    pub fn from_name(name: &str) -> Option<AnsweredBy> {
        AnsweredBy::ALL.into_iter().find(|by| by.name() == name)
    }
}
