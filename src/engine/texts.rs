//! The texts of an open challenge: its code, and what a resend needs.

use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::dialplan::TextRoute;
use crate::phone::PhoneNumber;
use crate::sms::order::TextRef;
use crate::store::CodeHash;
use crate::wording::Letter;

/// What the engine holds of a challenge by text.
pub(super) struct Texts {
    /// The hash of its code.
    pub code: CodeHash,
    /// Whom the texts go to.
    pub to: PhoneNumber,
    /// The words with the code in the clear, and the way. Wiped with the challenge; not there after
    /// a restart, since no code is ever kept in the clear.
    pub again: Option<Again>,
    /// The names of the texts, the first first.
    pub names: SmallVec<[TextRef; 2]>,
    /// When the last was handed over.
    handed: Option<Instant>,
    /// Whether the store is being asked if a text may be sent again.
    pub asking: bool,
}

/// What a resend needs.
#[derive(Clone)]
pub(super) struct Again {
    /// The words and the code.
    pub letter: Letter,
    /// The ways to go.
    pub route: TextRoute,
}

impl Texts {
    pub fn new(code: CodeHash, to: PhoneNumber, again: Option<Again>) -> Texts {
        Texts {
            code,
            to,
            again,
            names: SmallVec::new(),
            handed: None,
            asking: false,
        }
    }

    /// A text was handed over.
    pub fn handed(&mut self, name: TextRef, now: Instant) {
        self.names.push(name);
        self.handed = Some(now);
    }

    /// How long until the next may be; zero for now.
    pub fn wait(&self, between: Duration, now: Instant) -> Duration {
        self.handed.map_or(Duration::ZERO, |handed| {
            (handed + between).saturating_duration_since(now)
        })
    }
}
