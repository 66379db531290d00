//! The handle of the media plane: reserves, opens and commands streams.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Instant;

use super::ports::Ports;
use super::shard::{Opening, Order, Shard, Shared};
use super::stream::Line;
use super::{MediaConfig, StreamCommand, StreamEvent, StreamId, StreamSpec};
use crate::rtp::Sender;
use crate::voice::wire::Tap;

/// Orders that wait for a shard.
const MOST_ORDERS: usize = 4_096;
/// Most threads.
const MOST_SHARDS: usize = 256;

/// Why a stream cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Every port of the range is in use.
    #[error(
        "all {0} media ports are in use; widen `ports` under [media] or lower the trunks' `max_calls`"
    )]
    NoPort(usize),
    /// The system refuses a socket.
    #[error("cannot open a media socket: {0}")]
    Socket(#[source] io::Error),
    /// The peer's address is of the other IP version than the bound one.
    #[error("the peer's media address is of another IP version than the media address bound")]
    OtherFamily,
    /// The shard's queue is full.
    #[error("the media shard is overloaded")]
    Busy,
    /// The plane has been shut down.
    #[error("the media plane is down")]
    Down,
}

/// The media plane. Cheap to clone; the threads end with the last clone.
#[derive(Clone)]
pub struct MediaPlane {
    inner: Arc<Inner>,
}

struct Inner {
    bind: IpAddr,
    advertise: Option<IpAddr>,
    ports: Arc<Ports>,
    shards: Vec<Handle>,
    next: AtomicU64,
}

struct Handle {
    orders: SyncSender<Order>,
    shared: Arc<Shared>,
    thread: Thread,
    join: Mutex<Option<JoinHandle<()>>>,
}

/// A stream's identity and port, to be named in an offer. Gives the port back if it is dropped
/// without having been opened.
pub struct Reservation {
    id: StreamId,
    line: Line,
    load: Load,
}

impl Reservation {
    /// The stream's name once it is open.
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// The socket's own address: its port is the one to name in the offer.
    pub fn addr(&self) -> SocketAddr {
        self.line.local
    }
}

/// One stream of a shard's load.
struct Load {
    shared: Option<Arc<Shared>>,
}

impl Load {
    /// The stream is open: the shard counts it from here on.
    fn hand_over(&mut self) {
        self.shared = None;
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.load.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl std::fmt::Debug for Reservation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reservation")
            .field("id", &self.id)
            .field("addr", &self.line.local)
            .finish_non_exhaustive()
    }
}

/// So many streams on a shard before the next is used: a twentieth of a core. A shard that serves
/// many wakes up no oftener than one that serves few.
const FEW: usize = 128;

/// The shard for one more stream: the fullest of those with few, else the emptiest.
fn choose(loads: impl Iterator<Item = usize> + Clone) -> Option<usize> {
    let few = loads.clone().enumerate().filter(|(_, load)| *load < FEW);
    // Of equals the first.
    let few = few.max_by_key(|(index, load)| (*load, std::cmp::Reverse(*index)));
    few.or_else(|| loads.enumerate().min_by_key(|(_, load)| *load))
        .map(|(index, _)| index)
}

impl MediaPlane {
    /// The address that an offer carries for a socket bound to `bound`; `towards` is the local
    /// address towards the trunk.
    pub fn advertised(&self, bound: IpAddr, towards: IpAddr) -> IpAddr {
        let bound = if bound.is_unspecified() {
            towards
        } else {
            bound
        };
        self.inner.advertise.unwrap_or(bound)
    }

    /// Starts the shards. What their streams hear goes to `events`; a reader that falls behind
    /// makes events wait, never a shard. Fails if the range has no even
    /// port, or a thread cannot be started.
    pub fn start(
        config: MediaConfig,
        events: tokio::sync::mpsc::Sender<StreamEvent>,
    ) -> io::Result<MediaPlane> {
        let ports = Arc::new(Ports::new(config.bind, &config.ports)?);
        let mut shards = Vec::new();
        for number in 0..config.shards.clamp(1, MOST_SHARDS) {
            shards.push(Handle::start(number, events.clone(), config.tap.clone())?);
        }
        Ok(MediaPlane {
            inner: Arc::new(Inner {
                bind: config.bind,
                advertise: config.advertise,
                ports,
                shards,
                next: AtomicU64::new(1),
            }),
        })
    }

    /// Opens a socket on a free port and names the stream.
    pub fn reserve(&self) -> Result<Reservation, MediaError> {
        let inner = &*self.inner;
        let opened = inner.ports.open(&mut rand::rng(), Instant::now());
        let opened = opened.map_err(MediaError::Socket)?;
        let (socket, port) = opened.ok_or_else(|| MediaError::NoPort(inner.ports.count()))?;
        let local = socket.local_addr().map_err(MediaError::Socket)?;
        let loads = inner.shards.iter();
        let loads = loads.map(|shard| shard.shared.load.load(Ordering::Relaxed));
        let index = choose(loads).ok_or(MediaError::Down)?;
        let shard = inner.shards.get(index).ok_or(MediaError::Down)?;
        shard.shared.load.fetch_add(1, Ordering::Relaxed);
        Ok(Reservation {
            id: StreamId {
                number: inner.next.fetch_add(1, Ordering::Relaxed),
                shard: index as u8,
            },
            line: Line {
                socket,
                local,
                _port: port,
            },
            load: Load {
                shared: Some(Arc::clone(&shard.shared)),
            },
        })
    }

    /// Opens the stream: from now on it sends, and hears what comes. What came before is not heard.
    pub fn open(&self, reservation: Reservation, spec: StreamSpec) -> Result<StreamId, MediaError> {
        let id = reservation.id;
        if spec.remote.is_ipv4() != self.inner.bind.is_ipv4() {
            return Err(MediaError::OtherFamily);
        }
        let shard = self.shard(id)?;
        let Reservation { line, mut load, .. } = reservation;
        let order = Order::Open(Box::new(Opening {
            id,
            line,
            sender: Sender::new(&mut rand::rng()),
            spec,
        }));
        shard.send(order)?;
        load.hand_over();
        shard.wake();
        Ok(id)
    }

    /// Commands a stream. A command to a stream that has closed is forgotten.
    pub fn command(&self, stream: StreamId, command: StreamCommand) -> Result<(), MediaError> {
        let shard = self.shard(stream)?;
        let (closing, urgent) = match command {
            StreamCommand::Close => (true, false),
            StreamCommand::Info { .. } => (false, true),
            // These show with the stream's next frame, and the shard is awake for that.
            _ => (false, false),
        };
        match shard.send(Order::Stream(stream, command)) {
            Err(MediaError::Busy) if closing => shard.shared.close(stream),
            result => result?,
        }
        if urgent {
            shard.wake();
        }
        Ok(())
    }

    /// Ends all streams and waits for the threads, which takes some milliseconds.
    pub fn shutdown(&self) {
        self.inner.stop();
        for shard in &self.inner.shards {
            let join = shard.join.lock();
            let join = join.unwrap_or_else(PoisonError::into_inner).take();
            if let Some(join) = join {
                // A shard that has panicked has said so; there is nothing to add.
                let _ = join.join();
            }
        }
    }

    fn shard(&self, stream: StreamId) -> Result<&Handle, MediaError> {
        let shard = self.inner.shards.get(usize::from(stream.shard));
        shard.ok_or(MediaError::Down)
    }
}

impl std::fmt::Debug for MediaPlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaPlane")
            .field("bind", &self.inner.bind)
            .field("shards", &self.inner.shards.len())
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn stop(&self) {
        for shard in &self.shards {
            shard.shared.stop.store(true, Ordering::SeqCst);
            shard.thread.unpark();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Handle {
    fn start(
        number: usize,
        events: tokio::sync::mpsc::Sender<StreamEvent>,
        tap: Tap,
    ) -> io::Result<Handle> {
        let (orders, queue) = sync_channel(MOST_ORDERS);
        let shared = Arc::new(Shared::default());
        let shard = Shard::new(queue, events, Arc::clone(&shared), tap);
        let join = std::thread::Builder::new()
            .name(format!("media-{number}"))
            .spawn(move || shard.run())?;
        Ok(Handle {
            orders,
            shared,
            thread: join.thread().clone(),
            join: Mutex::new(Some(join)),
        })
    }

    fn send(&self, order: Order) -> Result<(), MediaError> {
        self.orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => MediaError::Busy,
            TrySendError::Disconnected(_) => MediaError::Down,
        })
    }

    fn wake(&self) {
        if self.shared.dozing.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_streams_share_a_shard_and_many_are_spread() {
        let mut loads = [0; 3];
        for stream in 0..3 * FEW {
            let index = choose(loads.into_iter()).expect("a shard");
            assert_eq!(index, stream / FEW, "one after the other is filled");
            loads[index] += 1;
        }
        for _ in 0..30 {
            loads[choose(loads.into_iter()).expect("a shard")] += 1;
        }
        assert_eq!(loads, [FEW + 10; 3], "and then all alike");
        assert_eq!(choose([FEW, 3, 7].into_iter()), Some(2));
        assert_eq!(choose(std::iter::empty()), None);
    }
}
