//! One open challenge as the engine's task holds it: what is decided, what is durable, and those
//! who watch.

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::texts::Texts;
use crate::challenge::{
    Challenge, Channel, Entry, Event, Match, Reason, Stage, State, Step, Text, TextState, What,
};
use crate::guard::Admission;
use crate::sms::order::{Acknowledgement, TextRef};
use crate::store::{CodeHash, Haste};

/// An open challenge.
pub(super) struct Open {
    /// With every event applied.
    decided: Challenge,
    /// As the store last confirmed it; all that anybody outside sees.
    durable: Challenge,
    /// Lines of the log that are decided and not yet handed to the store.
    unsaved: Vec<Entry>,
    /// How soon what the store is writing is to be durable; one write at a time keeps the lines in
    /// order.
    saving: Option<Haste>,
    /// Writes that failed in a row.
    failures: u32,
    /// Whether the phone has rung, whatever the call came to.
    rang: bool,
    /// Made when somebody first watches.
    watched: Option<watch::Sender<Challenge>>,
    /// An instant on the clock that nobody sets, and the challenge's own time then.
    began: (Instant, Timestamp),
    /// When it expires, on the same clock.
    pub deadline: Instant,
    /// What the guard admitted, to be handed back when it has ended; `None` after a restart.
    pub admission: Option<Admission>,
    /// Its code and texts, if it is by text.
    pub texts: Option<Texts>,
    /// Receipts whose lines are not durable yet; no more than carriers leave unacknowledged.
    unwritten: Vec<Acknowledgement>,
}

/// How an entered code was judged. It is to be told once the line that says so is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is the code, in time: the line ends the challenge.
    Right,
    /// It is another.
    Wrong {
        /// How many more may be; none if the line ends the challenge.
        left: u8,
    },
    /// The challenge has ended or expired; the code was not looked at.
    TooLate,
}

/// What there is to be written.
pub(super) struct Write {
    pub challenge: Challenge,
    pub entries: Vec<Entry>,
    pub haste: Haste,
}

/// How soon a line is to be durable. What somebody waits for, and what another process has to know
/// after a crash, at once; what merely tells how far a call has come, in company.
fn haste(what: &What) -> Haste {
    match what {
        What::Stage(_) | What::Key(_) | What::AnsweredBy(_) => Haste::InCompany,
        // That a text may have left keeps its challenge alive, and no receipt comes twice.
        What::Text { .. } => Haste::Now,
        What::Resent { .. } | What::WrongCode { .. } | What::Ended(_) => Haste::Now,
    }
}

impl Open {
    pub fn new(
        challenge: Challenge,
        began: (Instant, Timestamp),
        deadline: Instant,
        admission: Option<Admission>,
        texts: Option<Texts>,
    ) -> Open {
        Open {
            decided: challenge.clone(),
            durable: challenge,
            unsaved: Vec::new(),
            saving: None,
            failures: 0,
            rang: false,
            watched: None,
            began,
            deadline,
            admission,
            texts,
            unwritten: Vec::new(),
        }
    }

    /// One that an earlier process left open, at this time on both clocks. Whatever the system's
    /// clock was set to meanwhile, it lives no longer than it was to.
    pub fn resumed(
        challenge: Challenge,
        (instant, now): (Instant, Timestamp),
        texts: Texts,
    ) -> Open {
        let details = challenge.details();
        // Whole milliseconds, as all its times are: else it might be found at its deadline to have
        // a part of one left.
        let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(details.expires);
        let now = now.clamp(details.created, details.expires);
        let left = details.expires.duration_since(now).unsigned_abs();
        Open::new(challenge, (instant, now), instant + left, None, Some(texts))
    }

    /// As the store last confirmed it.
    pub fn durable(&self) -> &Challenge {
        &self.durable
    }

    /// Whether its outcome is decided, durable or not.
    pub fn is_decided(&self) -> bool {
        matches!(self.decided.state(), State::Ended(_))
    }

    /// The number of the last line that is decided, durable or not.
    pub fn decided_seq(&self) -> u32 {
        self.decided.life().seq()
    }

    /// The last text as decided, durable or not; `None` for a call.
    pub fn text(&self) -> Option<Text> {
        self.decided.life().text().copied()
    }

    /// Its stage as decided; `None` once its end is.
    pub fn stage(&self) -> Option<Stage> {
        match self.decided.state() {
            State::Open(stage) => Some(stage),
            State::Ended(_) => None,
        }
    }

    /// Whether the phone has rung: a person was disturbed, whatever the call came to.
    pub fn has_rung(&self) -> bool {
        self.rang
    }

    /// Whether it is by text.
    pub fn is_text(&self) -> bool {
        self.decided.details().channel == Channel::Sms
    }

    /// Acknowledges a receipt once all that is decided is durable.
    pub fn acknowledge_when_written(&mut self, acknowledgement: Acknowledgement) {
        self.unwritten.push(acknowledgement);
        self.acknowledge();
    }

    fn acknowledge(&mut self) {
        if self.saving.is_none() && self.unsaved.is_empty() {
            for acknowledgement in self.unwritten.drain(..) {
                acknowledgement.taken();
            }
        }
    }

    /// Whether it can outlive the process just so: its text has left, and all of it is durable.
    pub fn is_at_rest(&self) -> bool {
        let has_left = matches!(
            self.durable.state(),
            State::Open(stage) if stage != Stage::Queued
        );
        let is_durable = self.saving.is_none() && self.unsaved.is_empty() && !self.is_decided();
        self.is_text() && has_left && is_durable
    }

    /// The text that has not left yet, if there is one.
    pub fn unsent(&self) -> Option<TextRef> {
        let text = self.text()?;
        let names = &self.texts.as_ref()?.names;
        let name = names.get(usize::from(text.sending.checked_sub(1)?))?;
        (text.state == TextState::Queued).then_some(*name)
    }

    /// Judges a code by its hash, at this time on both clocks; the attempt is a line to be written.
    pub fn judge(&mut self, code: &CodeHash, (now, wall): (Instant, Timestamp)) -> Judgement {
        if self.is_decided() {
            return Judgement::TooLate;
        }
        let Some(texts) = &self.texts else {
            return Judgement::TooLate;
        };
        let matched = match texts.code.matches(code) {
            true => Match::Right,
            false => Match::Wrong,
        };
        // The clock that nobody sets stands still while the machine sleeps: what has expired by the
        // other has expired.
        let expires = self.decided.details().expires;
        let time = match wall >= expires {
            true => self.time(now).max(expires),
            false => self.time(now),
        };
        self.apply_at(Event::Code(matched), time);
        match (matched, self.decided.state()) {
            (Match::Right, State::Ended(Reason::CodeMatched)) => Judgement::Right,
            (Match::Wrong, State::Open(_) | State::Ended(Reason::TooManyAttempts)) => {
                Judgement::Wrong {
                    left: self.decided.attempts_left().unwrap_or(0),
                }
            }
            // It expired at this very moment.
            _ => Judgement::TooLate,
        }
    }

    /// The challenge's own time: when it began, and what has passed since on a clock that is
    /// never set, so that nobody who sets the system's clock makes a challenge live longer. Whole
    /// milliseconds, as the store keeps them.
    pub fn time(&self, now: Instant) -> Timestamp {
        let (began, at) = self.began;
        let passed = now.saturating_duration_since(began).as_millis();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let time = at.as_millisecond().saturating_add(passed);
        Timestamp::from_millisecond(time).unwrap_or(Timestamp::MAX)
    }

    /// Applies an event; whether anything came of it.
    pub fn apply(&mut self, event: Event, now: Instant) -> bool {
        self.apply_at(event, self.time(now))
    }

    fn apply_at(&mut self, event: Event, time: Timestamp) -> bool {
        match self.decided.apply(event, time) {
            Step::Noted(entry) => {
                self.rang |= matches!(entry.what, What::Stage(Stage::Ringing | Stage::Answered));
                self.unsaved.push(entry);
                true
            }
            Step::Ignored => false,
        }
    }

    /// Whether the store is to hurry: it writes in company, and something that does not wait comes
    /// after it. Once for each write.
    pub fn hurries(&mut self) -> bool {
        let hurries = self.saving == Some(Haste::InCompany) && self.haste() == Some(Haste::Now);
        if hurries {
            self.saving = Some(Haste::Now);
        }
        hurries
    }

    /// What the store is to write, if there is anything and it does not write yet.
    pub fn save(&mut self) -> Option<Write> {
        if self.saving.is_some() {
            return None;
        }
        self.saving = self.haste();
        Some(Write {
            haste: self.saving?,
            challenge: self.decided.clone(),
            entries: std::mem::take(&mut self.unsaved),
        })
    }

    /// How soon what is unsaved is to be durable; `None` if there is nothing.
    fn haste(&self) -> Option<Haste> {
        let haste = self.unsaved.iter().map(|entry| haste(&entry.what));
        haste.reduce(|most, one| if one == Haste::Now { one } else { most })
    }

    /// The store has written this.
    pub fn saved(&mut self, challenge: Challenge) {
        self.saving = None;
        self.failures = 0;
        self.durable = challenge;
        if let Some(watched) = &self.watched {
            watched.send_replace(self.durable.clone());
        }
        self.acknowledge();
    }

    /// The store already had this end: it stands, and what was decided here does not.
    pub fn ended_elsewhere(&mut self, challenge: Challenge) {
        self.decided = challenge.clone();
        self.forget_unsaved();
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
        self.saving = None;
        if self.is_decided() && self.time(now) >= self.decided.details().expires {
            self.decided = self.durable.clone();
            self.forget_unsaved();
            self.apply(Event::Expire, now);
        }
    }

    /// Receipts that are among it are not acknowledged, so that they come again.
    fn forget_unsaved(&mut self) {
        self.unsaved.clear();
        self.unwritten.clear();
    }

    /// A view of its durable states, from the present one on; `None` if too many have one.
    pub fn watch(&mut self, most: usize) -> Option<watch::Receiver<Challenge>> {
        let watched = self
            .watched
            .get_or_insert_with(|| watch::Sender::new(self.durable.clone()));
        (watched.receiver_count() < most).then(|| watched.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::challenge::{Attempts, Details, OneTimeCode, Purpose, Tenant};
    use crate::phone::PhoneNumber;
    use crate::store::Vault;

    fn challenge() -> Challenge {
        let created = Timestamp::from_millisecond(1_000_000).expect("a time");
        let (challenge, _) = Challenge::begin(Details {
            id: Uuid::nil(),
            tenant: Tenant::default(),
            subject: None,
            purpose: Purpose::SignIn,
            channel: Channel::Sms,
            to: None,
            locale: "en-GB".into(),
            created,
            expires: created + Duration::from_secs(60),
            attempts: Attempts::default(),
        });
        challenge
    }

    #[test]
    fn one_that_was_left_open_expires_at_its_deadline_and_not_before() {
        let code = OneTimeCode::parse("123456").expect("a code");
        let hash = Vault::new(&[7; 32]).hash_code(Uuid::nil(), &code);
        let to = PhoneNumber::parse("+442079460123").expect("a number");
        let created = challenge().details().created;
        // Before it began, since clocks are set, at parts of milliseconds, and long after.
        for microseconds in [
            -5_000_000, 0, 1, 499, 999, 1_000, 59_999_001, 60_000_000, 90_000_000,
        ] {
            let now = created + jiff::SignedDuration::from_micros(microseconds);
            let instant = Instant::now();
            let texts = Texts::new(hash, to.clone(), None);
            let mut open = Open::resumed(challenge(), (instant, now), texts);
            let left = open.deadline.duration_since(instant);
            assert!(left <= Duration::from_secs(60), "{microseconds}");
            if let Some(before) = open.deadline.checked_sub(Duration::from_millis(1))
                && before >= instant
            {
                assert!(!open.apply(Event::Expire, before), "{microseconds}");
            }
            let deadline = open.deadline;
            assert!(open.apply(Event::Expire, deadline), "{microseconds}");
            assert_eq!(open.judge(&hash, (deadline, now)), Judgement::TooLate);
        }
    }

    #[test]
    fn a_code_is_too_late_by_either_clock() {
        let code = OneTimeCode::parse("123456").expect("a code");
        let hash = Vault::new(&[7; 32]).hash_code(Uuid::nil(), &code);
        let to = PhoneNumber::parse("+442079460123").expect("a number");
        let details = challenge().details().clone();
        let (created, expires) = (details.created, details.expires);
        let second = jiff::SignedDuration::from_secs(1);
        // The monotonic clock stood still while the machine slept; or the system's was set back.
        for (wall, passed, judgement) in [
            (created, 1, Judgement::Right),
            (expires - second, 1, Judgement::Right),
            (expires, 1, Judgement::TooLate),
            (expires + second * 3600, 0, Judgement::TooLate),
            (created - second * 3600, 1, Judgement::Right),
            (created, 600, Judgement::TooLate),
        ] {
            let instant = Instant::now();
            let texts = Texts::new(hash, to.clone(), None);
            let mut open = Open::resumed(challenge(), (instant, created), texts);
            let now = instant + Duration::from_secs(passed);
            assert_eq!(open.judge(&hash, (now, wall)), judgement, "{wall} {passed}");
            assert!(open.is_decided());
        }
    }
}
