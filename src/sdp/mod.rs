//! SDP: the offer and answer of one audio stream (RFC 8866, RFC 3264).
//!
//! An [`Offer`] is written and the answer to it read, or an offer is read as a [`Description`]
//! and an [`Answer`] made; both end in [`RemoteAudio`], which says where the other side's stream
//! is and what its packets mean. Descriptions come from the network: whatever is in one, reading
//! it is bounded and ends in a value or an [`SdpError`].

mod answer;
mod description;
mod direction;
mod offer;
mod remote;

use std::fmt;
use std::net::IpAddr;

use crate::audio::Codec;

pub use answer::Answer;
pub use description::{Description, Encoding, Media};
pub use direction::Direction;
pub use offer::Offer;
pub use remote::RemoteAudio;

/// Most octets of a description.
pub const MAX_SDP: usize = 16 * 1024;
/// Most media descriptions (`m=`) of one description.
pub const MAX_MEDIA: usize = 16;
/// Most formats of one media description that are looked at.
pub const MAX_FORMATS: usize = 64;
/// Milliseconds of audio in each packet that we send and ask for.
pub const PTIME: u16 = 20;

/// The media type of a description in a SIP body.
pub const CONTENT_TYPE: &str = "application/sdp";

/// Id and version in `o=` (RFC 8866 5.2). The id stays for the whole dialog, the version grows by
/// one with each description that differs (RFC 3264 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionId {
    /// Unique among ours.
    pub id: u64,
    /// Of this description.
    pub version: u64,
}

impl SessionId {
    /// The first version; below 2^62, so that those who read it into a signed number can.
    pub const fn new(id: u64) -> SessionId {
        SessionId {
            id: id & ((1 << 62) - 1),
            version: 1,
        }
    }

    /// The next version.
    #[must_use]
    pub const fn next(self) -> SessionId {
        SessionId {
            id: self.id,
            version: self.version.wrapping_add(1),
        }
    }
}

/// Why a description cannot be used. Quotes nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Longer than [`MAX_SDP`].
    #[error("the session description is longer than {MAX_SDP} octets")]
    TooLong,
    /// More media than [`MAX_MEDIA`].
    #[error("more than {MAX_MEDIA} media in the session description")]
    TooManyMedia,
    /// It breaks the grammar where it matters.
    #[error("the session description is malformed")]
    Malformed,
    /// There is no audio in it.
    #[error("no audio in the session description")]
    NoAudio,
    /// Its audio has port 0: the stream is refused.
    #[error("the audio stream was refused")]
    Refused,
    /// Its audio is not plain RTP: SRTP or something else was not agreed on.
    #[error("the audio is not plain RTP")]
    Transport,
    /// It names no address for its audio.
    #[error("no address for the audio stream")]
    NoAddress,
    /// It names a host instead of an address.
    #[error("a host name where the address of the audio stream should be")]
    HostName,
    /// A multicast or broadcast address: not a phone's.
    #[error("the address of the audio stream is no single host's")]
    UnusableAddress,
    /// No codec of it is one of ours, or was offered.
    #[error("no codec in common")]
    NoCodec,
    /// Our own address is unspecified or our port 0.
    #[error("no address of our own to offer")]
    NoLocalAddress,
    /// A payload type for telephone-event outside 96 to 127.
    #[error("the payload type for telephone-event is not within 96 to 127")]
    EventType,
}

/// Writes the lines of a description up to its first `m=`.
fn write_head(out: &mut String, session: SessionId, address: IpAddr) {
    use fmt::Write;
    let kind = if address.is_ipv4() { "IP4" } else { "IP6" };
    // Writing to a String does not fail.
    let _ = write!(
        out,
        "v=0\r\no=- {} {} IN {kind} {address}\r\ns=-\r\nc=IN {kind} {address}\r\nt=0 0\r\n",
        session.id, session.version,
    );
}

/// Writes one `m=audio` with its attributes. `formats` pairs payload types and codecs.
fn write_audio(
    out: &mut String,
    port: u16,
    transport: &str,
    formats: &[(u8, Codec)],
    event: Option<u8>,
    direction: Direction,
) {
    use fmt::Write;
    let _ = write!(out, "m=audio {port} {transport}");
    for (payload_type, _) in formats {
        let _ = write!(out, " {payload_type}");
    }
    if let Some(event) = event {
        let _ = write!(out, " {event}");
    }
    for (payload_type, codec) in formats {
        let _ = write!(out, "\r\na=rtpmap:{payload_type} {}/8000", codec.name());
    }
    if let Some(event) = event {
        // The sixteen digits, RFC 4733 3.2; without the flash-hook, which is no key of a phone.
        let _ = write!(
            out,
            "\r\na=rtpmap:{event} telephone-event/8000\r\na=fmtp:{event} 0-15"
        );
    }
    let _ = write!(out, "\r\na=ptime:{PTIME}\r\na={direction}\r\n");
}

#[cfg(test)]
mod tests;
