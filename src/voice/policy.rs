//! What an operator decides about verification calls, as configured under `[call]`.

use std::time::Duration;

use super::evidence::Keeping;
use crate::dtmf::Digit;

/// The policy of a verification call.
#[derive(Debug, Clone)]
pub struct CallPolicy {
    /// How long a phone may ring before the call is given up.
    pub ring_time: Duration,
    /// The longest an answered call may last, goodbye included.
    pub longest_call: Duration,
    /// How often the prompt is played in all; at least 1.
    pub prompt_plays: u32,
    /// Silence between two plays of the prompt, and after the last, in which keys count.
    pub pause_between_plays: Duration,
    /// How much of the invitation must have been played before a key counts.
    pub listen_first: Duration,
    /// Wrong keys that end the call.
    pub wrong_keys: u32,
    /// The key that confirms.
    pub confirm: Digit,
    /// The key that reports a sign-in the person did not start; ends in `refused`.
    pub refuse: Option<Digit>,
    /// Whether a forwarded call (181, Diversion, History-Info in an answer) is refused. A 3xx always is.
    pub refuse_forwarded: bool,
    /// What a voicemail or another recording that answers is told. A fax, and an announcement of
    /// the network behind its special tones, always end the call.
    pub machine: OnMachine,
    /// Where the sound of approving keys is kept, if it is.
    pub evidence: Option<Keeping>,
    /// How long an answered call may go without one RTP packet before it counts as `media_lost`.
    pub media_timeout: Duration,
}

/// What happens when a machine answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMachine {
    /// The prompt is played to it: who takes the call over can still press the key.
    Continue,
    /// The call ends.
    HangUp,
}

impl OnMachine {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            OnMachine::Continue => "continue",
            OnMachine::HangUp => "hang_up",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<OnMachine> {
        [OnMachine::Continue, OnMachine::HangUp]
            .into_iter()
            .find(|on| on.name() == name)
    }
}

impl Default for CallPolicy {
    fn default() -> Self {
        CallPolicy {
            ring_time: Duration::from_secs(30),
            longest_call: Duration::from_secs(90),
            prompt_plays: 3,
            pause_between_plays: Duration::from_secs(3),
            listen_first: Duration::from_millis(500),
            wrong_keys: 3,
            confirm: Digit::HASH,
            refuse: Digit::from_event(0),
            refuse_forwarded: true,
            machine: OnMachine::Continue,
            evidence: None,
            media_timeout: Duration::from_secs(10),
        }
    }
}
