//! What happens to open challenges: reports of calls, and time.

use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;
use uuid::Uuid;

use super::Task;
use super::stopping::LAST_WRITES;
use crate::challenge::{Event, Key, KeySource};
use crate::voice::order::{self, CallRef, Command, News, Report};

impl Task {
    pub(super) fn report(&mut self, report: Report) {
        let CallRef(id) = report.call;
        if !self.open.contains_key(&id) {
            self.metrics.late_reports.inc();
            return;
        }
        let event = match report.news {
            News::Dialling => Event::Dialling,
            News::Ringing => Event::Ringing,
            News::Answered => Event::Answered,
            News::Key {
                digit,
                source,
                counted,
            } => Event::Key(Key {
                digit,
                source: match source {
                    order::KeySource::Rfc4733 => KeySource::Rfc4733,
                    order::KeySource::SipInfo => KeySource::SipInfo,
                    order::KeySource::InBand => KeySource::InBand,
                },
                counted,
            }),
            News::AnsweredBy(by) => {
                self.metrics.answered_by(by);
                Event::AnsweredBy(by)
            }
            News::Ended(reason) => {
                // The gateway's last word on the call: there is nothing left to cancel.
                self.apply(id, Event::Ended(reason));
                return;
            }
        };
        // Whatever it reports, it may report it too late.
        self.end(id, event);
    }

    /// Applies an event; whether that decided the outcome.
    pub(super) fn apply(&mut self, id: Uuid, event: Event) -> bool {
        let Some(open) = self.open.get_mut(&id) else {
            return false;
        };
        if !open.apply(event, Instant::now()) {
            return false;
        }
        let decided = open.is_decided();
        if decided {
            self.deadlines.remove(&(open.deadline, id));
        }
        self.unsaved(id);
        decided
    }

    /// Applies an event that may end a challenge whose call stands or whose text waits, and if so
    /// calls it off.
    pub(super) fn end(&mut self, id: Uuid, event: Event) {
        if self.apply(id, event) {
            self.call_off(id);
        }
    }

    /// Ends the call, or takes back the text that has not left.
    pub(super) fn call_off(&mut self, id: Uuid) {
        match self.open.get(&id) {
            Some(open) if open.is_text() => {
                if let Some(text) = open.unsent() {
                    self.withdraw(text);
                }
            }
            _ => self.cancel_call(CallRef(id)),
        }
    }

    pub(super) fn cancel_call(&mut self, call: CallRef) {
        if !self.unsent_cancels.is_empty() {
            self.unsent_cancels.push_back(call);
            return;
        }
        if let Err(TrySendError::Full(_)) = self.commands.try_send(Command::Cancel(call)) {
            self.unsent_cancels.push_back(call);
        }
    }

    pub(super) fn clock(&mut self) {
        let now = Instant::now();
        while let Some(&(deadline, id)) = self.deadlines.first() {
            if deadline > now {
                break;
            }
            self.deadlines.pop_first();
            self.end(id, Event::Expire);
        }
        if let Some(shutdown) = &mut self.shutdown
            && !shutdown.interrupted
            && shutdown.deadline <= now
        {
            shutdown.interrupted = true;
            shutdown.deadline = now + LAST_WRITES;
            let open: Vec<Uuid> = self.open.keys().copied().collect();
            for id in open {
                self.end(id, Event::Interrupt);
            }
        }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let expiry = self.deadlines.first().map(|(deadline, _)| *deadline);
        let shutdown = self.shutdown.as_ref().map(|shutdown| shutdown.deadline);
        [expiry, shutdown].into_iter().flatten().min()
    }

    /// A gateway that ends is a fault, unless the engine is being stopped too.
    pub(super) fn note_gone(&self, gateway: &'static str) {
        if self.health.borrow().draining {
            tracing::debug!(gateway, "the gateway has stopped");
        } else {
            tracing::error!(gateway, "the gateway has stopped");
        }
    }

    pub(super) fn lose_gateway(&mut self) {
        self.note_gone("voice");
        self.health.send_modify(|health| health.gateway = false);
        let calls = self.open.iter().filter(|(_, open)| !open.is_text());
        let calls: Vec<Uuid> = calls.map(|(id, _)| *id).collect();
        for id in calls {
            self.apply(id, Event::Interrupt);
        }
    }
}
