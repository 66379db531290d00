//! The media plane: the streams of all calls, on threads of their own.
//!
//! A *shard* is one thread that owns its streams and their sockets; nothing in it is shared, so
//! it takes no lock. It walks a wheel of twenty slots a millisecond apart, and a stream lives in
//! one slot: every 20 ms its socket is drained and one frame is sent. That is all that happens to
//! a packet; there is no readiness to wait for, and a key is noticed at most 20 ms late.

mod shard;
mod stream;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::sync::mpsc;

pub use super::keys::KeyPress;
use super::wire::Tap;
use crate::audio::{Codec, Prompt};
use crate::dtmf::Digit;
use crate::rtp::Statistics;
use shard::Order;

/// Orders that may wait for a shard. It looks every millisecond and never blocks, so a full queue
/// is waited out.
const ORDERS: usize = 8192;

/// Where and how streams run.
#[derive(Clone)]
pub struct MediaConfig {
    /// The address that sockets are bound to.
    pub bind: IpAddr,
    /// Even ports of this range are used.
    pub ports: RangeInclusive<u16>,
    /// How many threads; one a core is enough for some thousand calls each.
    pub shards: usize,
    /// Where packets are copied to while somebody watches.
    pub tap: Tap,
}

/// Names a stream for the life of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(u64);

/// A bound socket that waits for the answer to its offer. Dropping it frees the port.
#[derive(Debug)]
pub struct Reservation {
    socket: UdpSocket,
    addr: SocketAddr,
}

impl Reservation {
    /// The socket's own address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// What a stream is to be.
#[derive(Debug, Clone, Copy)]
pub struct StreamSpec {
    /// Where the other side wants our packets, and where its own come from.
    pub remote: SocketAddr,
    /// The codec of both directions.
    pub codec: Codec,
    /// Its payload type, as negotiated.
    pub payload_type: u8,
    /// The payload type of telephone events, if they were negotiated.
    pub event: Option<u8>,
    /// Whether the first source of valid RTP is taken in place of `remote`.
    pub latch: bool,
    /// How long it may go without a packet before [`StreamNews::NoMedia`].
    pub media_timeout: Duration,
}

/// How a key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyWay {
    /// As a telephone event.
    Rfc4733,
    /// As tones.
    InBand,
}

/// What a stream can be told.
#[derive(Clone)]
pub enum StreamCommand {
    /// Play these back to back in place of whatever plays.
    Play {
        /// What to play.
        prompts: Vec<Prompt>,
        /// Repeated in [`StreamNews::Finished`].
        tag: u32,
    },
    /// Press a key.
    SendKey {
        /// Which key.
        digit: Digit,
        /// How it is sent.
        way: KeyWay,
        /// For how long, 40 ms to 10 s.
        held: Duration,
    },
    /// The signalling plane heard of a key by SIP INFO; the stream knows whether it is a new one.
    Info {
        /// Which key.
        digit: Digit,
        /// How long it was pressed, if the INFO says so.
        held: Option<Duration>,
    },
    /// End the stream. [`StreamNews::Closed`] follows.
    Close,
}

/// News of one stream.
#[derive(Debug, Clone)]
pub struct StreamEvent {
    /// Which stream.
    pub stream: StreamId,
    /// What happened.
    pub news: StreamNews,
}

/// What happened to a stream.
#[derive(Debug, Clone)]
pub enum StreamNews {
    /// A key was pressed: once for each press, however it was sent.
    Key(KeyPress),
    /// All of a [`StreamCommand::Play`] was sent.
    Finished {
        /// The tag of the order.
        tag: u32,
    },
    /// No packet has come for the time configured. Told once.
    NoMedia,
    /// The stream is gone.
    Closed(Statistics),
}

/// Why a stream cannot be.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// Every port of the range is taken.
    #[error("every even port of {first} to {last} is taken; widen [media] ports")]
    NoPort {
        /// The range's first port.
        first: u16,
        /// Its last.
        last: u16,
    },
    /// The socket cannot be made.
    #[error("a media socket cannot be made: {0}")]
    Socket(#[from] io::Error),
    /// The shard's thread has ended.
    #[error("the media plane has stopped")]
    Stopped,
}

/// The handle of the media plane. Its threads end with its last clone.
#[derive(Clone)]
pub struct MediaPlane {
    config: Arc<MediaConfig>,
    shards: Arc<[SyncSender<Order>]>,
    next: Arc<AtomicU64>,
}

impl MediaPlane {
    /// Starts the shards. `events` should have room for a few events of each stream: while it is
    /// full they wait in the shard.
    ///
    /// # Errors
    /// When the range holds no even port, or a thread cannot be started.
    pub fn start(config: MediaConfig, events: mpsc::Sender<StreamEvent>) -> io::Result<MediaPlane> {
        if even_ports(&config.ports) == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the range of media ports holds no even port",
            ));
        }
        let mut shards = Vec::new();
        for index in 0..config.shards.max(1) {
            let (orders, inbox) = std::sync::mpsc::sync_channel(ORDERS);
            let events = events.clone();
            let tap = config.tap.clone();
            std::thread::Builder::new()
                .name(format!("media-{index}"))
                .spawn(move || shard::run(&inbox, &events, &tap))?;
            shards.push(orders);
        }
        // Starts anywhere, so that a restarted process does not meet the packets of its former calls.
        let next = rand::random::<u32>();
        Ok(MediaPlane {
            config: Arc::new(config),
            shards: shards.into(),
            next: Arc::new(AtomicU64::new(u64::from(next))),
        })
    }

    /// Binds a socket on the next free even port.
    ///
    /// # Errors
    /// When every port is taken or the system refuses a socket.
    pub fn reserve(&self) -> Result<Reservation, MediaError> {
        let ports = &self.config.ports;
        let (first, last) = (*ports.start(), *ports.end());
        let base = first + (first & 1);
        let count = even_ports(ports);
        for _ in 0..count {
            let step = self.next.fetch_add(1, Ordering::Relaxed) % u64::from(count);
            // Within the range by construction: `step` counts its even ports.
            let port = base + 2 * step as u16;
            match UdpSocket::bind((self.config.bind, port)) {
                Ok(socket) => {
                    socket.set_nonblocking(true)?;
                    let addr = socket.local_addr()?;
                    return Ok(Reservation { socket, addr });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(MediaError::NoPort { first, last })
    }

    /// Opens a stream on a reserved socket.
    ///
    /// # Errors
    /// When the plane has stopped.
    pub fn open(&self, reservation: Reservation, spec: StreamSpec) -> Result<StreamId, MediaError> {
        let stream = StreamId(self.next.fetch_add(1, Ordering::Relaxed));
        self.order(stream, Order::Open(stream, Box::new((reservation, spec))))?;
        Ok(stream)
    }

    /// Tells a stream something. A stream that is gone does not hear it.
    ///
    /// # Errors
    /// When the plane has stopped.
    pub fn command(&self, stream: StreamId, command: StreamCommand) -> Result<(), MediaError> {
        self.order(stream, Order::Tell(stream, command))
    }

    fn order(&self, stream: StreamId, order: Order) -> Result<(), MediaError> {
        let index = (stream.0 % self.shards.len() as u64) as usize;
        let shard = self.shards.get(index).ok_or(MediaError::Stopped)?;
        shard.send(order).map_err(|_| MediaError::Stopped)
    }
}

/// How many even ports a range holds.
fn even_ports(ports: &RangeInclusive<u16>) -> u16 {
    let (first, last) = (u32::from(*ports.start()), u32::from(*ports.end()));
    let first = first + (first & 1);
    if last < first {
        0
    } else {
        ((last - first) / 2 + 1) as u16
    }
}
