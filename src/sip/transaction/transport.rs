//! What the core must know of the transport below it, which it never touches.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// How messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Transport {
    /// One message a datagram, lost, repeated or out of order.
    #[default]
    Udp,
    /// A stream; retransmission is its own affair.
    Tcp,
    /// A stream within TLS.
    Tls,
}

impl Transport {
    /// Whether it delivers by itself, so that transactions do not retransmit (RFC 3261 17).
    pub const fn is_reliable(self) -> bool {
        match self {
            Transport::Udp => false,
            Transport::Tcp | Transport::Tls => true,
        }
    }

    /// Its name in a Via.
    pub const fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
        }
    }
}

/// A way to a peer: its address, and how messages get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Flow {
    /// How messages travel.
    pub transport: Transport,
    /// The peer's address.
    pub remote: SocketAddr,
}

impl Flow {
    /// By UDP.
    pub const fn udp(remote: SocketAddr) -> Flow {
        Flow {
            transport: Transport::Udp,
            remote,
        }
    }

    /// The same transport to another address.
    pub(crate) const fn to(self, remote: SocketAddr) -> Flow {
        Flow { remote, ..self }
    }
}

/// Whose word is believed in a call.
///
/// A response is matched by its branch and a request in a dialog by its tags, each with 64 random
/// bits that a stranger cannot guess. Whoever stands on the way reads them, though, and so does
/// the phone at the far end, which could send a 200 past the carrier that would have told of a
/// forwarding. So the host that speaks is checked too: responses, and requests that could lead
/// to an approval (INFO), must come from the host that was spoken to. The port is not compared:
/// carriers answer from another than the one they listen on. A BYE with the right tags is obeyed
/// whoever sends it: it can only end the call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Sources {
    /// The host that the request went to.
    #[default]
    NextHop,
    /// That host, and these: a carrier that answers from other machines of its own.
    Also(Arc<[IpAddr]>),
    /// Anybody who knows branch and tags.
    Any,
}

impl Sources {
    /// Whether a message that came from `from` is believed, where `next_hop` was spoken to.
    pub(crate) fn believe(&self, from: IpAddr, next_hop: IpAddr) -> bool {
        let from = from.to_canonical();
        match self {
            Sources::Any => true,
            _ if from == next_hop.to_canonical() => true,
            Sources::NextHop => false,
            Sources::Also(hosts) => hosts.iter().any(|host| host.to_canonical() == from),
        }
    }
}

/// Bytes for the transport to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// How.
    pub transport: Transport,
    /// Where to.
    pub to: SocketAddr,
    /// One whole message. Give the buffer back with
    /// [`Endpoint::recycle`](crate::sip::endpoint::Endpoint::recycle) once sent, and no buffer is
    /// allocated for the next.
    pub bytes: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_to_believe() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let (proxy, other) = (ip("192.0.2.1"), ip("192.0.2.2"));
        assert!(Sources::NextHop.believe(proxy, proxy));
        assert!(Sources::NextHop.believe(ip("::ffff:192.0.2.1"), proxy));
        assert!(!Sources::NextHop.believe(other, proxy));
        let also = Sources::Also(Arc::new([other]));
        assert!(also.believe(other, proxy) && also.believe(proxy, proxy));
        assert!(!also.believe(ip("192.0.2.3"), proxy));
        assert!(Sources::Any.believe(ip("192.0.2.3"), proxy));
    }
}
