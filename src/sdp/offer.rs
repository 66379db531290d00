//! Our offer, and the answer to it read.

use std::fmt;
use std::net::SocketAddr;

use smallvec::SmallVec;

use super::{Description, Direction, RemoteAudio, SdpError, SessionId, write_audio, write_head};
use crate::audio::Codec;

/// An offer of one audio stream: the codecs in order of preference, telephone events, 20 ms,
/// both ways. Its `Display` is the description.
///
/// ```
/// use ringtrue::audio::Codec;
/// use ringtrue::sdp::{Offer, SessionId};
///
/// let local = "192.0.2.1:20000".parse().expect("an address");
/// let offer = Offer::new(local, &[Codec::Pcma], Some(101), SessionId::new(7)).expect("sound");
/// let answer = "v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 8 101\r\n\
///               a=rtpmap:101 telephone-event/8000\r\n";
/// let remote = offer.read_answer(answer.as_bytes()).expect("agreed");
/// assert_eq!(remote.addr, "192.0.2.9:4000".parse().expect("an address"));
/// assert_eq!(remote.event, Some(101));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    local: SocketAddr,
    codecs: SmallVec<[Codec; 2]>,
    event: Option<u8>,
    session: SessionId,
    direction: Direction,
}

impl Offer {
    /// An offer to receive at `local`. `event` is the payload type for telephone events, 96 to
    /// 127; `None` offers none.
    pub fn new(
        local: SocketAddr,
        codecs: &[Codec],
        event: Option<u8>,
        session: SessionId,
    ) -> Result<Offer, SdpError> {
        if local.ip().is_unspecified() || local.port() == 0 {
            return Err(SdpError::NoLocalAddress);
        }
        if event.is_some_and(|e| !(96..=127).contains(&e)) {
            return Err(SdpError::EventType);
        }
        let mut wanted: SmallVec<[Codec; 2]> = SmallVec::new();
        for codec in codecs {
            if !wanted.contains(codec) {
                wanted.push(*codec);
            }
        }
        if wanted.is_empty() {
            return Err(SdpError::NoCodec);
        }
        Ok(Offer {
            local,
            codecs: wanted,
            event,
            session,
            direction: Direction::SendRecv,
        })
    }

    /// The same offer in another direction, for a re-INVITE that holds.
    #[must_use]
    pub fn with_direction(mut self, direction: Direction) -> Offer {
        self.direction = direction;
        self
    }

    /// Where it offers to receive.
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Id and version.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// Reads the answer. Formats in it that were not offered are passed over, media that were not
    /// offered too; a codec under another payload type than ours is still that codec (RFC 3264
    /// 6.1 lets the two sides number differently).
    pub fn read_answer(&self, sdp: &[u8]) -> Result<RemoteAudio, SdpError> {
        let description = Description::parse(sdp)?;
        let (_, media) = description.audio()?;
        let addr = media.address()?;
        let first = media
            .codecs()
            .find(|(_, codec)| self.codecs.contains(codec))
            .ok_or(SdpError::NoCodec)?;
        let mut remote = RemoteAudio::new(addr, media, first);
        if let (Some(offered), Some(answered)) = (self.event, media.event()) {
            // Audio read as events would be keys that nobody pressed: a number that stands for
            // anything else on either side is no event's.
            let of_theirs = Some(answered).filter(|a| !self.offers_audio_as(*a));
            if media.maps_to_no_event(offered) {
                remote.event = of_theirs;
            } else {
                remote.event = Some(offered);
                remote.event_alias = of_theirs.filter(|a| *a != offered);
            }
        }
        // It sends with our numbers; with its own where they cannot be mistaken.
        let agreed = || media.codecs().filter(|(_, c)| self.codecs.contains(c));
        for (_, codec) in agreed() {
            remote.add_payload(codec.payload_type(), codec);
        }
        for (payload_type, codec) in agreed() {
            remote.add_payload(payload_type, codec);
        }
        Ok(remote)
    }
}

impl Offer {
    fn offers_audio_as(&self, payload_type: u8) -> bool {
        self.codecs.iter().any(|c| c.payload_type() == payload_type)
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let formats: SmallVec<[(u8, Codec); 2]> =
            self.codecs.iter().map(|c| (c.payload_type(), *c)).collect();
        let mut out = String::with_capacity(320);
        write_head(&mut out, self.session, self.local.ip());
        write_audio(
            &mut out,
            self.local.port(),
            "RTP/AVP",
            &formats,
            self.event,
            self.direction,
        );
        f.write_str(&out)
    }
}
