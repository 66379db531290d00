//! RTP: packet views, telephone events (RFC 4733), sequence and source handling.
//!
//! - [`Packet`] looks at a received datagram; [`Sender`] writes packets into a fixed buffer;
//! - [`Receiver`] takes every datagram of one stream, checks where it came from, and hands on the
//!   audio in order, with what was lost marked as lost, and the [`event::News`] of telephone events;
//! - [`event`] is RFC 4733 itself, both ways.
//!
//! Everything is G.711 at 8 kHz: one octet of payload is one sample, one tick of the timestamp.

pub mod event;
mod media;
mod packet;
mod peer;
mod receiver;
mod sender;
mod sequence;
mod statistics;
mod timeline;
mod transit;
mod window;

pub use media::Media;
pub use packet::{NotRtp, Packet};
pub use peer::Peer;
pub use receiver::{Arrival, Heard, PressBegan, Received, Receiver};
pub use sender::{Sender, Unwritable};
pub use statistics::Statistics;

/// Ticks of the RTP timestamp a second, for audio and telephone events alike.
pub const CLOCK_RATE: u32 = 8_000;
/// The length of a header without contributing sources or extension (RFC 3550 5.1).
pub const HEADER: usize = 12;
/// The longest audio payload handled: 120 ms of G.711. Longer ones are dropped.
pub const MAX_PAYLOAD: usize = 960;
/// The longest packet written.
pub const MAX_PACKET: usize = HEADER + MAX_PAYLOAD;

/// `samples` at 8 kHz as a length of time.
pub(crate) fn samples_to_time(samples: u64) -> std::time::Duration {
    std::time::Duration::from_micros(samples.saturating_mul(125))
}
