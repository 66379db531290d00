//! Keeping: what is decided is written, and what is durable is told.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{Done, Task};
use crate::challenge::{Challenge, Entry, Reason, State};
use crate::engine::open::{Open, Write};
use crate::guard::Ending;
use crate::store::{Purged, Recorded, StoreError};

/// Between two tries of a write: the first wait, doubled each time up to the longest.
const RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(3);

impl Task {
    /// Has a challenge saved when all that came at once has been applied to it: one write for all.
    pub(super) fn unsaved(&mut self, id: Uuid) {
        self.unsaved.push(id);
    }

    pub(super) fn save_all(&mut self) {
        let mut unsaved = std::mem::take(&mut self.unsaved);
        for id in unsaved.drain(..) {
            self.save(id);
        }
        self.unsaved = unsaved;
    }

    fn save(&mut self, id: Uuid) {
        let Some(open) = self.open.get_mut(&id) else {
            return;
        };
        if open.hurries() {
            return self.store.hurry();
        }
        let Some(write) = open.save() else {
            return;
        };
        let Write {
            challenge,
            entries,
            haste,
        } = write;
        let recorded = self.store.record(challenge.clone(), entries.clone(), haste);
        self.doing.push(Box::pin(async move {
            let recorded = recorded.await;
            Done::Recorded {
                challenge,
                entries,
                recorded,
            }
        }));
    }

    pub(super) fn recorded(
        &mut self,
        challenge: Challenge,
        entries: Vec<Entry>,
        recorded: Result<Recorded, StoreError>,
    ) {
        self.note_store(recorded.is_ok());
        let id = challenge.details().id;
        let Some(open) = self.open.get_mut(&id) else {
            return;
        };
        match recorded {
            Ok(Recorded::Yes) => open.saved(challenge),
            Ok(Recorded::AlreadyEnded(ended)) => {
                tracing::error!(challenge = %id, "the store had already ended a challenge that was open here");
                open.ended_elsewhere(ended);
                self.deadlines.remove(&(open.deadline, id));
                self.call_off(id);
            }
            Ok(Recorded::Unknown) => {
                tracing::error!(challenge = %id, "an open challenge is gone from the store");
                self.deadlines.remove(&(open.deadline, id));
                self.call_off(id);
                self.let_go(id);
                return;
            }
            Err(error) => {
                self.metrics.store_retries.inc();
                let failures = open.not_saved(entries);
                let wait = RETRY
                    .saturating_mul(1 << failures.min(10))
                    .min(LONGEST_RETRY);
                tracing::error!(challenge = %id, %error, failures, "a challenge could not be written; trying again");
                self.later(wait, Done::TryAgain(id));
                return;
            }
        }
        self.close_or_save(id);
    }

    /// Lets go of a challenge whose end is durable; writes on if there is more to write.
    fn close_or_save(&mut self, id: Uuid) {
        let Some(open) = self.open.get(&id) else {
            return;
        };
        let State::Ended(reason) = open.durable().state() else {
            return self.unsaved(id);
        };
        let challenge = open.durable();
        tracing::info!(
            challenge = %id,
            tenant = %challenge.details().tenant,
            outcome = reason.outcome().name(),
            reason = reason.name(),
            "challenge ended"
        );
        self.metrics.ended(challenge, reason);
        let Some(open) = self.let_go(id) else {
            return;
        };
        let ending = ending(reason, open.has_rung());
        if let Some(admission) = open.admission {
            let now = Instant::now().into_std();
            self.guard.conclude(admission, ending, now);
        }
    }

    fn let_go(&mut self, id: Uuid) -> Option<Open> {
        let open = self.open.remove(&id);
        let texts = open.as_ref().and_then(|open| open.texts.as_ref());
        // A text that the gateway has in hand may still leave and be named: its receipts are to find
        // it then. What it comes to is told.
        let in_hand = open.as_ref().and_then(Open::unsent);
        for name in texts.into_iter().flat_map(|texts| &texts.names) {
            if Some(*name) != in_hand {
                self.text_of.remove(name);
            }
        }
        self.metrics.open.set(self.open.len() as i64);
        open
    }

    /// The store has, or has not, dropped what is no longer kept.
    pub(super) fn purged(&mut self, purged: Result<Purged, StoreError>) {
        match purged {
            Ok(purged) if purged == Purged::default() => {}
            Ok(purged) => tracing::info!(
                numbers = purged.numbers,
                challenges = purged.challenges,
                idempotency_keys = purged.idempotency_keys,
                messages = purged.messages,
                receipts = purged.receipts,
                "dropped what is no longer kept"
            ),
            Err(error) => tracing::error!(%error, "could not drop what is no longer kept"),
        }
        self.later(self.config.purge_every, Done::PurgeTime);
    }

    pub(super) fn purge(&mut self) {
        let purged = self.store.purge(self.config.retention, Timestamp::now());
        self.doing
            .push(Box::pin(async move { Done::Purged(purged.await) }));
    }

    pub(super) fn later(&mut self, wait: Duration, done: Done) {
        self.doing.push(Box::pin(async move {
            sleep(wait).await;
            done
        }));
    }

    pub(super) fn note_store(&mut self, works: bool) {
        self.health.send_if_modified(|health| {
            let changed = health.store != works;
            health.store = works;
            changed
        });
    }
}

/// How a challenge ended, as far as the guard's limits care. Many phones answer busy where a
/// person rejects the call: one that has rung counts whatever follows.
fn ending(reason: Reason, has_rung: bool) -> Ending {
    match reason {
        Reason::KeyPressed | Reason::CodeMatched => Ending::Approved,
        Reason::Refused => Ending::Reported,
        _ if has_rung => Ending::Unconfirmed,
        // Else the phone cannot have rung, nor got a text.
        Reason::Busy
        | Reason::NoSuchNumber
        | Reason::TrunkRejected
        | Reason::TrunkUnavailable
        | Reason::CarrierUnavailable
        | Reason::TextRejected
        | Reason::TextTooLong
        | Reason::Undeliverable
        | Reason::Overloaded
        | Reason::Interrupted => Ending::NotCalled,
        Reason::WrongKeys
        | Reason::NoKeys
        | Reason::HungUp
        | Reason::TooManyAttempts
        | Reason::NoAnswer
        | Reason::Declined
        | Reason::Forwarded
        | Reason::MediaIncompatible
        | Reason::MediaLost
        | Reason::AnsweredByMachine
        | Reason::AnsweredByFax
        | Reason::Announcement
        | Reason::CallFailed
        | Reason::CallTooLong
        | Reason::TimedOut
        | Reason::CancelledByCaller => Ending::Unconfirmed,
    }
}
