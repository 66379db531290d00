//! The challenge: one question, "does this person hold this phone now?", with one outcome.
//!
//! This room is pure. [`Challenge::apply`] is the only way a challenge moves: an [`Event`] and
//! the time go in, what is to be written down comes out. Two rules hold whatever the events are:
//! an outcome, once reached, never changes; and each channel has one way to approval, before the
//! challenge expires. A call is approved by [`Event::Ended`] with [`Reason::KeyPressed`] once it was
//! answered, a text by [`Event::Code`] with [`Match::Right`] before too many were wrong.

mod code;
mod details;
mod event;
mod life;
mod outcome;
mod state;
mod text;

pub use code::{CodeLength, NotACode, OneTimeCode};
pub use details::{
    Attempts, Channel, Details, InvalidTenant, Purpose, Subject, SubjectLength, Tenant,
};
pub use event::{Entry, Event, Key, KeySource, Match, Step, What};
pub use life::{KeptLife, LONG_LOG, Life};
pub use outcome::{Outcome, Reason};
pub use state::{Stage, State, Status};
pub use text::{CarrierWord, Text, TextNews, TextState, Unsent};

use jiff::Timestamp;

/// One challenge: what was asked, and how far it has come. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    details: std::sync::Arc<Details>,
    life: Life,
}

impl Challenge {
    /// A new challenge, queued, and the first entry of its log.
    pub fn begin(details: Details) -> (Challenge, Entry) {
        let (life, entry) = Life::begin(&details);
        let details = std::sync::Arc::new(details);
        (Challenge { details, life }, entry)
    }

    /// A challenge as the store kept it.
    pub fn restore(details: Details, life: Life) -> Challenge {
        Challenge {
            details: std::sync::Arc::new(details),
            life,
        }
    }

    /// What was asked.
    pub fn details(&self) -> &Details {
        &self.details
    }

    /// How far it has come.
    pub fn life(&self) -> Life {
        self.life
    }

    /// Open at a stage, or ended for a reason.
    pub fn state(&self) -> State {
        self.life.state()
    }

    /// How many more wrong codes may be entered before the challenge ends; `None` for a call.
    pub fn attempts_left(&self) -> Option<u8> {
        let most = self.details.attempts.get();
        (self.details.channel == Channel::Sms).then(|| most.saturating_sub(self.life.wrong()))
    }

    /// Applies an event at a time; what comes out is to be written to the log.
    ///
    /// Time is that of the challenge's own clock and never runs backwards between two calls.
    pub fn apply(&mut self, event: Event, now: Timestamp) -> Step {
        self.life.apply(event, now, &self.details)
    }

    /// Takes in what a carrier says of a text after the challenge has ended. See
    /// [`Life::hear_late`].
    pub fn hear_late(&mut self, sending: u8, news: TextNews, now: Timestamp) -> bool {
        self.life.hear_late(sending, news, now)
    }
}
