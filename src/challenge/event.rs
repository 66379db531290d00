//! What can happen to a challenge, and the log that is kept of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Reason, Stage, TextNews};
use crate::answer::AnsweredBy;
use crate::dtmf::Digit;

/// What can happen to a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The call went out.
    Dialling,
    /// The phone rings.
    Ringing,
    /// The call was answered.
    Answered,
    /// A key was pressed. Noted, never acted on: what a key means is the call script's to say.
    Key(Key),
    /// Its sounds told who or what has answered the call. Noted, never acted on.
    AnsweredBy(AnsweredBy),
    /// Something happened to one of its texts.
    Text {
        /// Which of its texts, from 1.
        sending: u8,
        /// What happened.
        news: TextNews,
    },
    /// The text is sent once more, with the same code.
    Resend,
    /// A code was entered, and compared.
    Code(Match),
    /// The gateway says that it is over, and why.
    Ended(Reason),
    /// The challenge's time is thought to have run out; it ends only if it has.
    Expire,
    /// The caller of the API takes it back.
    Cancel,
    /// The process stops. A challenge whose text has left stays open: the person has the code, and
    /// the next process can check it.
    Interrupt,
}

/// How a code that was entered compares with the one that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Match {
    /// It is the one.
    Right,
    /// It is another.
    Wrong,
}

/// A key press as the log keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// Which key.
    pub digit: Digit,
    /// How it was heard.
    pub source: KeySource,
    /// Whether the call script acted on it.
    pub counted: bool,
}

/// How a key was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// An RFC 4733 telephone-event.
    Rfc4733,
    /// A SIP INFO request.
    SipInfo,
    /// Tones in the audio.
    InBand,
}

/// One line of a challenge's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its number within the challenge: 1, 2, 3...
    pub seq: u32,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub what: What,
}

/// What a line of the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A stage was reached.
    Stage(Stage),
    /// A key was pressed.
    Key(Key),
    /// Who or what answered the call, by its sounds.
    AnsweredBy(AnsweredBy),
    /// Something happened to one of its texts.
    Text {
        /// Which of its texts, from 1.
        sending: u8,
        /// What happened.
        news: TextNews,
    },
    /// The text is sent once more.
    Resent {
        /// Which of its texts the new one is.
        sending: u8,
    },
    /// A wrong code was entered.
    WrongCode {
        /// How many more may be.
        left: u8,
    },
    /// It ended; always the last line.
    Ended(Reason),
}

/// What an event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an entry that is not written is lost"]
pub enum Step {
    /// The challenge moved on or a key was noted: this line is to be written.
    Noted(Entry),
    /// Nothing changed: the event came late, came twice, or meant nothing here.
    Ignored,
}
