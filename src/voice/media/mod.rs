//! The media plane: the sockets, the pacing and the ears of all streams.
//!
//! One thread a shard; each owns its streams and their sockets, and no stream is touched by any
//! other thread. A wheel of 20 slots of 1 ms paces them: in its slot, every 20 ms, a stream reads
//! what has come and sends one frame: the prompt's, a key's, or silence, which keeps NAT bindings
//! open and the other side's media timeout quiet. There is no lock and no allocation per packet,
//! and no readiness to wait for: what comes is read in the stream's own slot.
//!
//! [`MediaPlane`] is the handle. A stream is reserved (which names the port for the offer), opened
//! when the answer is known, commanded, and closed; what it hears comes as [`StreamEvent`]s.

mod listening;
mod memory;
mod outbox;
mod plane;
mod playback;
mod ports;
mod pressing;
mod shard;
mod stream;
mod wheel;

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

pub use super::keys::KeyPress;
use super::wire::Tap;
use crate::answer::AnsweredBy;
use crate::audio::{Codec, Prompt};
use crate::dtmf::Digit;
use crate::rtp::{Media, Statistics};
use crate::sdp::RemoteAudio;

pub use memory::KeySound;
pub use plane::{MediaError, MediaPlane, Reservation};
pub use pressing::KeyWay;

/// Where and how streams run.
#[derive(Clone)]
pub struct MediaConfig {
    /// The address that sockets are bound to.
    pub bind: IpAddr,
    /// The address that offers carry where it is not the bound one; `None` is the bound one, or
    /// the one towards the trunk if all are bound.
    pub advertise: Option<IpAddr>,
    /// The UDP ports; the even ones are used.
    pub ports: RangeInclusive<u16>,
    /// Threads, 1 to 256; one a core carries thousands of calls. 0 counts as 1.
    pub shards: usize,
    /// Where packets are copied to while somebody watches.
    pub tap: Tap,
}

/// Names a stream of one [`MediaPlane`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    number: u64,
    shard: u8,
}

impl StreamId {
    #[cfg(test)]
    pub(super) fn for_test(number: u64) -> StreamId {
        StreamId { number, shard: 0 }
    }
}

/// What a stream is to be, as negotiated.
#[derive(Debug, Clone, Copy)]
pub struct StreamSpec {
    /// Where the other side wants our packets, and where its own come from.
    pub remote: SocketAddr,
    /// The codec to send with.
    pub codec: Codec,
    /// Its payload type, as negotiated.
    pub payload_type: u8,
    /// The payload type to send telephone events with, if they were negotiated.
    pub event: Option<u8>,
    /// What the payload types of the packets that come mean.
    pub hears: Media,
    /// Whether the first source of valid RTP is taken for the peer, whatever its address.
    pub latch: bool,
    /// Without a packet for this long, [`StreamNews::NoMedia`] is reported.
    pub media_timeout: Duration,
}

impl StreamSpec {
    /// A stream as the descriptions agreed on it.
    pub fn agreed(remote: &RemoteAudio, latch: bool, media_timeout: Duration) -> StreamSpec {
        let events = remote.event.into_iter().chain(remote.event_alias);
        let hears = events.fold(Media::default(), Media::with_event);
        let hears = remote
            .payloads
            .iter()
            .fold(hears, |hears, (payload_type, codec)| {
                hears.with_audio(*payload_type, *codec)
            });
        StreamSpec {
            remote: remote.addr,
            codec: remote.codec,
            payload_type: remote.payload_type,
            event: remote.event,
            hears,
            latch,
            media_timeout,
        }
    }
}

/// A command to a stream.
#[derive(Debug, Clone)]
pub enum StreamCommand {
    /// Play these back to back, in place of whatever plays. Ends in exactly one
    /// [`StreamNews::Finished`] or [`StreamNews::Stopped`], unless the stream closes before.
    Play {
        /// What to play.
        prompts: Vec<Prompt>,
        /// Repeated in what is reported of it.
        tag: u32,
    },
    /// Play nothing any more.
    StopPlaying,
    /// From now on remember half a second, and tell the sound of each key heard in the audio:
    /// [`StreamNews::Sound`].
    Remember,
    /// Press a key towards the peer, after those before it.
    SendKey {
        /// Which key.
        digit: Digit,
        /// How it is sent.
        way: KeyWay,
        /// For how long: 40 ms to 30 s.
        held: Duration,
    },
    /// A SIP INFO of this call named a key: it is merged with what the stream hears, and reported
    /// as [`StreamNews::Key`] if it is of a press not reported yet.
    Info {
        /// Which key.
        digit: Digit,
        /// How long it was pressed, if the INFO says so.
        held: Option<Duration>,
        /// When the INFO came.
        at: Instant,
    },
    /// The session was described anew: another address, codec or event payload type. The media
    /// timeout stays as it was.
    Redirect(StreamSpec),
    /// End the stream; [`StreamNews::Closed`] follows. Never lost, whatever waits before it.
    Close,
}

/// Something happened on a stream.
#[derive(Debug, Clone)]
pub struct StreamEvent {
    /// Which stream.
    pub stream: StreamId,
    /// When.
    pub at: Instant,
    /// What happened.
    pub news: StreamNews,
}

/// What happened on a stream.
#[derive(Debug, Clone)]
pub enum StreamNews {
    /// The first frame was sent. Told together with what happens next on the stream, in order.
    Started {
        /// Of the [`StreamCommand::Play`].
        tag: u32,
    },
    /// All was played: the last frame was sent 20 ms ago.
    Finished {
        /// Of the [`StreamCommand::Play`].
        tag: u32,
    },
    /// It was cut short by [`StreamCommand::StopPlaying`] or by another play.
    Stopped {
        /// Of the [`StreamCommand::Play`].
        tag: u32,
    },
    /// A key was pressed: reported once a press.
    Key(KeyPress),
    /// The sound of a key that was heard in the audio, 200 ms after it began.
    Sound(Box<KeySound>),
    /// Who or what has answered, as far as its sounds tell; reported anew when they tell more.
    AnsweredBy(AnsweredBy),
    /// The peer has sent nothing for [`StreamSpec::media_timeout`]. Reported again only after
    /// packets have come.
    NoMedia,
    /// The first source of valid RTP was taken for the peer.
    Latched {
        /// Its address.
        to: SocketAddr,
    },
    /// Somebody else sends packets here; they are not heard. Reported once, counted always.
    WrongSource {
        /// The first such address.
        from: SocketAddr,
    },
    /// The stream is over; nothing follows.
    Closed(Box<StreamReport>),
}

/// A stream in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct StreamReport {
    /// What was received.
    pub received: Statistics,
    /// Packets sent.
    pub sent: u64,
    /// Packets that the system would not take.
    pub unsent: u64,
    /// Frames left out because the machine stalled.
    pub skipped: u64,
    /// Events that nobody read in time.
    pub events_dropped: u64,
}
