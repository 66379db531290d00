//! The events of a stream on their way out. A shard never waits for whoever reads them: what does
//! not fit into the channel stays here, in order, and is offered again.

use std::collections::VecDeque;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::StreamEvent;

/// Events that wait before further ones are dropped, and counted as dropped.
const MOST_WAITING: usize = 64;

/// Events that wait to be read.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<StreamEvent>,
    /// Whether any of them is worth waking a reader for.
    due: bool,
    dropped: u64,
}

impl Outbox {
    /// Puts an event behind those that wait.
    pub(super) fn post(&mut self, event: StreamEvent) {
        self.due = true;
        self.post_along(event);
    }

    /// Puts an event behind those that wait, to leave together with the next: nobody acts on it
    /// before, and waking whoever reads costs more than a packet.
    pub(super) fn post_along(&mut self, event: StreamEvent) {
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(event);
        } else {
            self.dropped += 1;
        }
    }

    /// Puts the last event of the stream behind those that wait, whatever their number.
    pub(super) fn post_last(&mut self, event: StreamEvent) {
        self.due = true;
        self.waiting.push_back(event);
    }

    /// Events dropped because nobody read them.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Sends what fits. `true` when nothing is due any more, because all is sent or because nobody
    /// will ever read.
    pub(super) fn flush(&mut self, events: &Sender<StreamEvent>) -> bool {
        if !self.due {
            return true;
        }
        while let Some(event) = self.waiting.pop_front() {
            match events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.waiting.push_front(event);
                    return false;
                }
                Err(TrySendError::Closed(_)) => self.waiting.clear(),
            }
        }
        self.due = false;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::voice::media::{StreamId, StreamNews};

    fn event(tag: u32) -> StreamEvent {
        StreamEvent {
            stream: StreamId::for_test(1),
            at: Instant::now(),
            news: StreamNews::Finished { tag },
        }
    }

    fn tags(receiver: &mut tokio::sync::mpsc::Receiver<StreamEvent>) -> Vec<u32> {
        let mut tags = Vec::new();
        while let Ok(event) = receiver.try_recv() {
            match event.news {
                StreamNews::Finished { tag } => tags.push(tag),
                other => panic!("{other:?}"),
            }
        }
        tags
    }

    #[test]
    fn order_is_kept_though_the_channel_is_full() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(2);
        let mut outbox = Outbox::default();
        (0..5).for_each(|tag| outbox.post(event(tag)));
        assert!(!outbox.flush(&sender));
        assert_eq!(tags(&mut receiver), [0, 1]);
        outbox.post(event(5));
        assert!(!outbox.flush(&sender));
        assert_eq!(tags(&mut receiver), [2, 3]);
        assert!(outbox.flush(&sender));
        assert_eq!(tags(&mut receiver), [4, 5]);
        assert_eq!(outbox.dropped(), 0);
    }

    #[test]
    fn what_nobody_reads_is_bounded_and_the_last_always_fits() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(200);
        let mut outbox = Outbox::default();
        (0..100).for_each(|tag| outbox.post(event(tag)));
        outbox.post_last(event(1_000));
        assert_eq!(outbox.dropped(), 100 - MOST_WAITING as u64);
        assert!(outbox.flush(&sender));
        let tags = tags(&mut receiver);
        assert_eq!(tags.len(), MOST_WAITING + 1);
        assert_eq!(tags.last(), Some(&1_000));
    }

    #[test]
    fn what_goes_along_waits_for_the_next_and_keeps_its_place() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
        let mut outbox = Outbox::default();
        outbox.post_along(event(0));
        assert!(outbox.flush(&sender), "nothing is due");
        assert_eq!(tags(&mut receiver), [0_u32; 0]);
        outbox.post(event(1));
        outbox.post_along(event(2));
        assert!(outbox.flush(&sender));
        assert_eq!(tags(&mut receiver), [0, 1, 2]);
        outbox.post_along(event(3));
        outbox.post_last(event(4));
        assert!(outbox.flush(&sender));
        assert_eq!(tags(&mut receiver), [3, 4]);
    }

    #[test]
    fn without_a_reader_nothing_waits() {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let mut outbox = Outbox::default();
        (0..5).for_each(|tag| outbox.post(event(tag)));
        drop(receiver);
        assert!(outbox.flush(&sender));
    }
}
