//! One open challenge as the engine's task holds it: what is decided, what is durable, and those
//! who watch.

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::challenge::{Challenge, Entry, Event, State, Step};

/// An open challenge.
pub(super) struct Open {
    /// With every event applied.
    decided: Challenge,
    /// As the store last confirmed it; all that anybody outside sees.
    durable: Challenge,
    /// Lines of the log that are decided and not yet handed to the store.
    unsaved: Vec<Entry>,
    /// Whether the store is writing; one write at a time keeps the lines in order.
    saving: bool,
    /// Writes that failed in a row.
    failures: u32,
    /// Made when somebody first watches.
    watched: Option<watch::Sender<Challenge>>,
    /// When it began, on the clock that nobody sets.
    began: Instant,
    /// When it expires, on the same clock.
    pub deadline: Instant,
}

impl Open {
    pub fn new(challenge: Challenge, began: Instant, deadline: Instant) -> Open {
        Open {
            decided: challenge.clone(),
            durable: challenge,
            unsaved: Vec::new(),
            saving: false,
            failures: 0,
            watched: None,
            began,
            deadline,
        }
    }

    /// As the store last confirmed it.
    pub fn durable(&self) -> &Challenge {
        &self.durable
    }

    /// Whether its outcome is decided, durable or not.
    pub fn is_decided(&self) -> bool {
        matches!(self.decided.state(), State::Ended(_))
    }

    /// The challenge's own time: when it began, and what has passed since on a clock that is
    /// never set, so that nobody who sets the system's clock makes a challenge live longer. Whole
    /// milliseconds, as the store keeps them.
    pub fn time(&self, now: Instant) -> Timestamp {
        let created = self.decided.details().created.as_millisecond();
        let passed = now.saturating_duration_since(self.began).as_millis();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(created.saturating_add(passed)).unwrap_or(Timestamp::MAX)
    }

    /// Applies an event; whether anything came of it.
    pub fn apply(&mut self, event: Event, now: Instant) -> bool {
        let time = self.time(now);
        match self.decided.apply(event, time) {
            Step::Noted(entry) => {
                self.unsaved.push(entry);
                true
            }
            Step::Ignored => false,
        }
    }

    /// What the store is to write now, if there is anything and it is not busy with the last.
    pub fn save(&mut self) -> Option<(Challenge, Vec<Entry>)> {
        if self.saving || self.unsaved.is_empty() {
            return None;
        }
        self.saving = true;
        Some((self.decided.clone(), std::mem::take(&mut self.unsaved)))
    }

    /// The store has written this.
    pub fn saved(&mut self, challenge: Challenge) {
        self.saving = false;
        self.failures = 0;
        self.durable = challenge;
        if let Some(watched) = &self.watched {
            watched.send_replace(self.durable.clone());
        }
    }

    /// The store already had this end: it stands, and what was decided here does not.
    pub fn ended_elsewhere(&mut self, challenge: Challenge) {
        self.decided = challenge.clone();
        self.unsaved.clear();
        self.saved(challenge);
    }

    /// The store could not write these lines: they are to be tried again. How often it failed in
    /// a row.
    pub fn not_saved(&mut self, mut entries: Vec<Entry>) -> u32 {
        entries.append(&mut self.unsaved);
        self.unsaved = entries;
        self.failures = self.failures.saturating_add(1);
        self.failures
    }

    /// Tries again what could not be written. An outcome that could not be made durable in time
    /// is given up: the challenge expired before anybody could know of it.
    pub fn try_again(&mut self, now: Instant) {
        self.saving = false;
        if self.is_decided() && self.time(now) >= self.decided.details().expires {
            self.decided = self.durable.clone();
            self.unsaved.clear();
            self.apply(Event::Expire, now);
        }
    }

    /// A view of its durable states, from the present one on; `None` if too many have one.
    pub fn watch(&mut self, most: usize) -> Option<watch::Receiver<Challenge>> {
        let watched = self
            .watched
            .get_or_insert_with(|| watch::Sender::new(self.durable.clone()));
        (watched.receiver_count() < most).then(|| watched.subscribe())
    }
}
