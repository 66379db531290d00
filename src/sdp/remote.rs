//! What was agreed on, seen from here.

use std::net::SocketAddr;

use smallvec::SmallVec;

use super::{Direction, Media};
use crate::audio::Codec;

/// The other side's end of an agreed audio stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteAudio {
    /// Where it wants our packets. The address is unspecified while it holds us the way of
    /// RFC 2543: [`direction`](Self::direction) does not listen then.
    pub addr: SocketAddr,
    /// The codec to send with.
    pub codec: Codec,
    /// The payload type to send it with.
    pub payload_type: u8,
    /// The payload type of the telephone events that it sends to us; `None` where they were not
    /// agreed on. Ours, unless its answer gives that number to something else.
    pub event: Option<u8>,
    /// Another payload type for them: the one its answer gave where that differs from ours. It
    /// should send with ours (RFC 3264 6.1); some send with their own.
    pub event_alias: Option<u8>,
    /// Milliseconds that it wants in a packet.
    pub ptime: Option<u16>,
    /// Most milliseconds that it takes in a packet.
    pub max_ptime: Option<u16>,
    /// Which way the stream flows, as it says: `SendOnly` is a hold.
    pub direction: Direction,
    /// What the payload types of its packets mean.
    pub payloads: SmallVec<[(u8, Codec); 4]>,
}

impl RemoteAudio {
    pub(super) fn new(addr: SocketAddr, media: &Media, codec: (u8, Codec)) -> RemoteAudio {
        RemoteAudio {
            addr,
            codec: codec.1,
            payload_type: codec.0,
            event: None,
            event_alias: None,
            ptime: media.ptime,
            max_ptime: media.max_ptime,
            direction: media.direction,
            payloads: SmallVec::new(),
        }
    }

    /// Adds what a payload type means; the first meaning stays.
    pub(super) fn add_payload(&mut self, payload_type: u8, codec: Codec) {
        if self.codec_of(payload_type).is_none() && !self.is_event(payload_type) {
            self.payloads.push((payload_type, codec));
        }
    }

    /// The codec of a packet of its, by payload type.
    pub fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        self.payloads
            .iter()
            .find(|(p, _)| *p == payload_type)
            .map(|(_, codec)| *codec)
    }

    /// Whether a packet of its is a telephone event, by payload type.
    pub fn is_event(&self, payload_type: u8) -> bool {
        self.event == Some(payload_type) || self.event_alias == Some(payload_type)
    }

    /// Whether it listens: our packets have somewhere to go.
    pub fn listens(&self) -> bool {
        self.direction.receives() && !self.addr.ip().is_unspecified()
    }
}
