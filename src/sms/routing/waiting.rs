//! Texts that wait for a way: in order, by the ways that they may still go, each until its time is
//! over.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use smallvec::SmallVec;

use crate::sms::order::TextRef;

/// The lines that texts of one queue may go by, in order.
pub(super) type QueueKey = SmallVec<[u16; 4]>;

/// A place in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    number: u64,
    until: Instant,
}

/// All queues. One that is empty is not kept.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    queues: HashMap<QueueKey, BTreeMap<u64, TextRef>>,
    /// When each gives up.
    ends: BTreeSet<(Instant, TextRef)>,
    next: u64,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Puts a text at the end of its queue.
    pub(super) fn put(&mut self, key: QueueKey, text: TextRef, until: Instant) -> Ticket {
        self.next += 1;
        self.queues.entry(key).or_default().insert(self.next, text);
        self.ends.insert((until, text));
        Ticket {
            number: self.next,
            until,
        }
    }

    /// Takes a text out.
    pub(super) fn take(&mut self, key: &QueueKey, text: TextRef, ticket: Ticket) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.remove(&ticket.number);
            if queue.is_empty() {
                self.queues.remove(key);
            }
        }
        self.ends.remove(&(ticket.until, text));
    }

    /// The text that has waited longest, of all queues but these.
    pub(super) fn oldest(&self, without: &[QueueKey]) -> Option<(QueueKey, TextRef)> {
        let queues = self.queues.iter().filter(|(key, _)| !without.contains(key));
        let fronts = queues.filter_map(|(key, queue)| Some((queue.first_key_value()?, key)));
        let ((_, text), key) = fronts.min_by_key(|((number, _), _)| **number)?;
        Some((key.clone(), *text))
    }

    /// When the first gives up.
    pub(super) fn first_end(&self) -> Option<Instant> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// A text whose time is over.
    pub(super) fn past(&self, now: Instant) -> Option<TextRef> {
        let (end, text) = self.ends.first()?;
        (*end <= now).then_some(*text)
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<TextRef> {
        self.ends.iter().map(|(_, text)| *text).collect()
    }
}
