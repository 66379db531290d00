//! One thread, its streams, its clock.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::warn;

use super::stream::{Scratch, Stream};
use super::{Reservation, StreamCommand, StreamEvent, StreamId, StreamNews, StreamSpec};
use crate::voice::wire::Tap;

/// Slots of the wheel, a millisecond each.
const SLOTS: u64 = 20;
const SLOT: Duration = Duration::from_millis(1);
/// A shard that is later than this leaves frames out instead of sending them in a burst.
const LATEST: Duration = Duration::from_millis(60);
/// Orders carried out between two slots.
const ORDERS_A_SLOT: usize = 512;
/// Keys that may wait for a receiver that does not keep up. A key beyond is dropped: a lost key
/// asks a person to press again, and approves nobody.
const KEYS_WAITING: usize = 16_384;

/// What a shard is asked to do.
pub(super) enum Order {
    /// Open a stream.
    Open(StreamId, Box<(Reservation, StreamSpec)>),
    /// Tell a stream something.
    Tell(StreamId, StreamCommand),
}

/// Events on their way out.
struct Outbox<'a> {
    events: &'a mpsc::Sender<StreamEvent>,
    waiting: VecDeque<StreamEvent>,
}

impl Outbox<'_> {
    fn push(&mut self, stream: StreamId, news: StreamNews) {
        if matches!(news, StreamNews::Key(_)) && self.waiting.len() >= KEYS_WAITING {
            warn!("a key was dropped: nobody takes the events of the media plane");
            return;
        }
        self.waiting.push_back(StreamEvent { stream, news });
    }

    fn flush(&mut self) {
        while !self.waiting.is_empty() {
            // With a permit in hand the event cannot be lost between the queue and the channel.
            match self.events.try_reserve() {
                Ok(permit) => match self.waiting.pop_front() {
                    Some(event) => permit.send(event),
                    None => return,
                },
                Err(mpsc::error::TrySendError::Full(())) => return,
                Err(mpsc::error::TrySendError::Closed(())) => self.waiting.clear(),
            }
        }
    }
}

/// Runs until every handle of the plane is gone.
pub(super) fn run(orders: &Receiver<Order>, events: &mpsc::Sender<StreamEvent>, tap: &Tap) {
    let mut wheel: Vec<Vec<Stream>> = (0..SLOTS).map(|_| Vec::new()).collect();
    let mut streams = 0usize;
    let mut scratch = Scratch::new();
    let mut outbox = Outbox {
        events,
        waiting: VecDeque::new(),
    };
    let mut epoch = Instant::now();
    let mut slot = 0u64;
    loop {
        if streams == 0 && outbox.waiting.is_empty() {
            // Nothing to pace: sleep until there is something to do.
            let Ok(order) = orders.recv() else { return };
            streams = carry_out(order, &mut wheel, streams, &mut outbox);
            epoch = Instant::now();
            slot = 0;
        }
        for _ in 0..ORDERS_A_SLOT {
            match orders.try_recv() {
                Ok(order) => streams = carry_out(order, &mut wheel, streams, &mut outbox),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        outbox.flush();
        let due = epoch + SLOT * u32::try_from(slot).unwrap_or(u32::MAX);
        let now = Instant::now();
        if now < due {
            std::thread::sleep(due - now);
        } else if now - due > LATEST {
            // The machine stood still: go on from now, in step with the wheel.
            let turns = (now - due).as_millis() as u64 / SLOTS;
            slot += turns * SLOTS;
        }
        let now = Instant::now();
        if let Some(here) = wheel.get_mut((slot % SLOTS) as usize) {
            for stream in here {
                stream.tick(now, &mut scratch, tap, &mut |id, news| {
                    outbox.push(id, news)
                });
            }
        }
        slot += 1;
        // Keeps the product of slot and millisecond in the range of u32.
        if slot >= 1_000_000 * SLOTS {
            epoch += SLOT * (1_000_000 * SLOTS) as u32;
            slot -= 1_000_000 * SLOTS;
        }
    }
}

/// Carries an order out; how many streams there are then.
fn carry_out(
    order: Order,
    wheel: &mut [Vec<Stream>],
    streams: usize,
    outbox: &mut Outbox<'_>,
) -> usize {
    let (Order::Open(id, _) | Order::Tell(id, _)) = &order;
    let Some(here) = wheel.get_mut((id.0 % SLOTS) as usize) else {
        return streams;
    };
    match order {
        Order::Open(id, opened) => {
            let (reservation, spec) = *opened;
            here.push(Stream::new(
                id,
                reservation,
                spec,
                Instant::now(),
                &mut rand::rng(),
            ));
            streams + 1
        }
        Order::Tell(id, command) => {
            let Some(index) = here.iter().position(|stream| stream.id() == id) else {
                return streams;
            };
            if matches!(command, StreamCommand::Close) {
                let stream = here.swap_remove(index);
                outbox.push(id, StreamNews::Closed(stream.statistics()));
                return streams - 1;
            }
            if let Some(stream) = here.get_mut(index) {
                stream.tell(command, Instant::now(), &mut |id, news| {
                    outbox.push(id, news)
                });
            }
            streams
        }
    }
}
