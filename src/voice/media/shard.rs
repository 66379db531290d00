//! A shard: one thread that serves its streams in the slots of its wheel.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender as EventSender;

use super::outbox::Outbox;
use super::stream::{Buffers, Line, Stream};
use super::wheel::{SLOTS, Tick, Wheel};
use super::{StreamCommand, StreamEvent, StreamId, StreamSpec};
use crate::rtp::Sender;
use crate::voice::wire::Tap;

/// Commands taken between two slots: opening many streams must not hold up those that play.
const MOST_COMMANDS: usize = 64;
/// A shard that sleeps longer than this wants to be woken for a command: one that has streams does
/// not, for it looks at its orders before the next of them is due.
const DOZE: Duration = Duration::from_millis(20);
/// How often events that could not be delivered are offered again.
const RETRY: Duration = Duration::from_millis(20);

/// What the plane sends to a shard.
pub(super) enum Order {
    Open(Box<Opening>),
    Stream(StreamId, StreamCommand),
}

/// A stream to be opened.
pub(super) struct Opening {
    pub(super) id: StreamId,
    pub(super) line: Line,
    pub(super) sender: Sender,
    pub(super) spec: StreamSpec,
}

/// What plane and shard both see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The shard is to end.
    pub(super) stop: AtomicBool,
    /// The shard sleeps long.
    pub(super) dozing: AtomicBool,
    /// Streams reserved or open.
    pub(super) load: AtomicUsize,
    /// Streams to be closed whose command found the queue full.
    closing: Mutex<Vec<StreamId>>,
    any_closing: AtomicBool,
}

impl Shared {
    /// Closes a stream though the queue is full.
    pub(super) fn close(&self, stream: StreamId) {
        let mut closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        closing.push(stream);
        self.any_closing.store(true, Ordering::Release);
    }

    fn to_close(&self) -> Vec<StreamId> {
        if !self.any_closing.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut closing = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        self.any_closing.store(false, Ordering::Release);
        std::mem::take(&mut *closing)
    }
}

struct Seat {
    stream: Stream,
    slot: usize,
    /// Ticks before this are from before it was opened.
    first: Tick,
}

/// The streams of one thread.
pub(super) struct Shard {
    orders: Receiver<Order>,
    events: EventSender<StreamEvent>,
    shared: Arc<Shared>,
    tap: Tap,
    wheel: Wheel,
    seats: Vec<Option<Seat>>,
    free: Vec<usize>,
    by_number: HashMap<u64, usize>,
    /// Streams whose end overtook their beginning, which is in the queue.
    overtaken: Vec<u64>,
    /// What closed streams still have to report.
    leaving: Vec<Outbox>,
    buffers: Buffers,
}

impl Shard {
    pub(super) fn new(
        orders: Receiver<Order>,
        events: EventSender<StreamEvent>,
        shared: Arc<Shared>,
        tap: Tap,
    ) -> Shard {
        Shard {
            orders,
            events,
            shared,
            tap,
            wheel: Wheel::new(Instant::now()),
            seats: Vec::new(),
            free: Vec::new(),
            by_number: HashMap::new(),
            overtaken: Vec::new(),
            leaving: Vec::new(),
            buffers: Buffers::new(),
        }
    }

    /// Serves until told to stop, or until nobody can command or hear any more.
    pub(super) fn run(mut self) {
        loop {
            let commanded = self.take_orders();
            if self.shared.stop.load(Ordering::Acquire)
                || self.events.is_closed()
                || commanded == Taken::Disconnected
            {
                break;
            }
            self.serve();
            self.leaving
                .retain_mut(|outbox| !outbox.flush(&self.events));
            if commanded != Taken::More {
                self.sleep();
            }
        }
        self.close_all();
    }

    fn serve(&mut self) {
        let mut now = Instant::now();
        // Once around the wheel at most: orders are taken even if there is more than can be done.
        for _ in 0..SLOTS {
            let Some(tick) = self.wheel.due(now) else {
                return;
            };
            for index in self.wheel.at(tick) {
                if let Some(Some(seat)) = self.seats.get_mut(*index)
                    && tick >= seat.first
                {
                    seat.stream.turn(tick, now, &mut self.buffers, &self.events);
                }
            }
            now = Instant::now();
        }
    }

    fn sleep(&mut self) {
        let now = Instant::now();
        let retry = (!self.leaving.is_empty()).then_some(now + RETRY);
        let deadline = [self.wheel.deadline(), retry].into_iter().flatten().min();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
        if left.is_some_and(|left| left <= DOZE) {
            // Orders can wait that long.
            thread::sleep(left.unwrap_or_default());
            return;
        }
        self.shared.dozing.store(true, Ordering::SeqCst);
        // An order that came before the flag was seen would not have woken us.
        if self.take_orders() == Taken::Nothing && !self.shared.stop.load(Ordering::SeqCst) {
            match left {
                Some(left) => thread::park_timeout(left),
                None => thread::park(),
            }
        }
        self.shared.dozing.store(false, Ordering::SeqCst);
    }

    fn take_orders(&mut self) -> Taken {
        let now = Instant::now();
        let mut taken = Taken::Nothing;
        for stream in self.shared.to_close() {
            if !self.close(stream, now) {
                self.overtaken.push(stream.number);
            }
            taken = Taken::Some;
        }
        for _ in 0..MOST_COMMANDS {
            match self.orders.try_recv() {
                Ok(Order::Open(opening)) => {
                    let id = opening.id;
                    self.open(*opening, now);
                    if self.overtaken.contains(&id.number) {
                        self.close(id, now);
                    }
                }
                Ok(Order::Stream(stream, StreamCommand::Close)) => {
                    self.close(stream, now);
                }
                Ok(Order::Stream(stream, command)) => {
                    let index = self.by_number.get(&stream.number);
                    let seat = index.and_then(|index| self.seats.get_mut(*index));
                    if let Some(Some(seat)) = seat {
                        seat.stream.command(command, now);
                    }
                }
                Err(TryRecvError::Empty) => {
                    // Whatever was ordered before its stream was closed has been taken.
                    self.overtaken.clear();
                    return taken;
                }
                Err(TryRecvError::Disconnected) => return Taken::Disconnected,
            }
            taken = Taken::Some;
        }
        Taken::More
    }

    fn open(&mut self, opening: Opening, now: Instant) {
        let Opening {
            id,
            line,
            sender,
            spec,
        } = opening;
        let mut stream = Stream::new(id, line, sender, spec, self.tap.clone(), now);
        stream.discard(&mut self.buffers);
        let index = self.free.pop().unwrap_or_else(|| {
            self.seats.push(None);
            self.seats.len() - 1
        });
        let slot = self.wheel.seat(index, now);
        let first = self.wheel.tick_at(now);
        if let Some(seat) = self.seats.get_mut(index) {
            *seat = Some(Seat {
                stream,
                slot,
                first,
            });
        }
        self.by_number.insert(id.number, index);
    }

    /// Closes a stream; false if it is not open.
    fn close(&mut self, stream: StreamId, now: Instant) -> bool {
        let Some(index) = self.by_number.remove(&stream.number) else {
            return false;
        };
        let Some(seat) = self.seats.get_mut(index).and_then(Option::take) else {
            return false;
        };
        self.wheel.unseat(seat.slot, index);
        self.free.push(index);
        self.shared.load.fetch_sub(1, Ordering::Relaxed);
        let mut outbox = seat.stream.close(now);
        if !outbox.flush(&self.events) {
            self.leaving.push(outbox);
        }
        true
    }

    fn close_all(&mut self) {
        let now = Instant::now();
        // Streams that were ordered and never opened give their ports back with the queue.
        for index in std::mem::take(&mut self.by_number).into_values() {
            if let Some(seat) = self.seats.get_mut(index).and_then(Option::take) {
                let mut outbox = seat.stream.close(now);
                outbox.flush(&self.events);
            }
        }
    }
}

/// What a look into the queue brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Nothing,
    Some,
    /// And more is waiting.
    More,
    Disconnected,
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::mpsc;

    use super::super::StreamNews;
    use super::super::ports::Ports;
    use super::*;
    use crate::audio::Codec;
    use crate::rtp::Media;

    #[test]
    fn a_stream_whose_end_overtook_its_beginning_is_closed() {
        let (orders, taken) = mpsc::sync_channel(4);
        let (events, mut told) = tokio::sync::mpsc::channel(16);
        let shared = Arc::new(Shared::default());
        let mut shard = Shard::new(taken, events, Arc::clone(&shared), Tap::default());
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let ports = Arc::new(Ports::new(here, &(25_900..=25_949)).unwrap());
        let open = |number| {
            let (socket, port) = ports
                .open(&mut rand::rng(), Instant::now())
                .unwrap()
                .unwrap();
            let local = socket.local_addr().unwrap();
            let id = StreamId { number, shard: 0 };
            shared.load.fetch_add(1, Ordering::Relaxed);
            let opening = Opening {
                id,
                line: Line {
                    socket,
                    local,
                    _port: port,
                },
                sender: Sender::new(&mut rand::rng()),
                spec: StreamSpec {
                    remote: local,
                    codec: Codec::Pcma,
                    payload_type: 8,
                    event: None,
                    hears: Media::default(),
                    latch: false,
                    media_timeout: Duration::from_secs(1),
                },
            };
            orders.send(Order::Open(Box::new(opening))).unwrap();
            id
        };
        let (one, two) = (open(1), open(2));
        shared.close(two);
        while shard.take_orders() != Taken::Nothing {}
        assert_eq!(shared.load.load(Ordering::Relaxed), 1, "the other is open");
        let over = told.try_recv().expect("its end is told");
        assert_eq!(over.stream, two);
        assert!(matches!(over.news, StreamNews::Closed(_)));
        shared.close(one);
        // Of what was closed before, nothing is remembered.
        shared.close(two);
        while shard.take_orders() != Taken::Nothing {}
        assert_eq!(shared.load.load(Ordering::Relaxed), 0);
        assert!(shard.overtaken.is_empty());
    }
}
