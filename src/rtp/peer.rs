//! The one address whose packets are heard.

use std::net::{IpAddr, SocketAddr};

/// Whom a stream talks with. Packets from anywhere else are counted and never heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The address and port of the SDP answer, and no other.
    Named(SocketAddr),
    /// A peer behind NAT: the first source of valid RTP will be kept. Until it shows, packets go to
    /// the answer's address.
    Latching(SocketAddr),
    /// The source that was latched onto.
    Latched(SocketAddr),
}

/// The same address whether the socket wrote it as IPv4 or as IPv4-mapped IPv6.
fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

impl Peer {
    /// Whether a packet from here may be looked at.
    pub fn admits(&self, from: SocketAddr) -> bool {
        match self {
            Peer::Named(peer) | Peer::Latched(peer) => canonical(*peer) == canonical(from),
            Peer::Latching(_) => true,
        }
    }

    /// A valid packet of a negotiated payload came from here. Returns whether it was latched onto.
    pub fn proven(&mut self, from: SocketAddr) -> bool {
        match self {
            Peer::Latching(_) => {
                *self = Peer::Latched(from);
                true
            }
            Peer::Named(_) | Peer::Latched(_) => false,
        }
    }

    /// Where to send; `None` while the address is no real one (RFC 3264 8.4: 0.0.0.0 is a hold).
    pub fn destination(&self) -> Option<SocketAddr> {
        let (Peer::Named(to) | Peer::Latching(to) | Peer::Latched(to)) = *self;
        let real = to.port() != 0 && !to.ip().to_canonical().is_unspecified();
        real.then_some(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn address_and_port_both_count() {
        let peer = Peer::Named(address("192.0.2.1:4000"));
        assert!(peer.admits(address("192.0.2.1:4000")));
        assert!(peer.admits(address("[::ffff:192.0.2.1]:4000")));
        assert!(!peer.admits(address("192.0.2.1:4002")));
        assert!(!peer.admits(address("192.0.2.2:4000")));
    }

    #[test]
    fn the_first_proven_source_is_kept() {
        let mut peer = Peer::Latching(address("10.0.0.1:4000"));
        assert_eq!(peer.destination(), Some(address("10.0.0.1:4000")));
        assert!(peer.admits(address("192.0.2.1:5000")));
        assert!(peer.proven(address("192.0.2.1:5000")));
        assert!(!peer.proven(address("192.0.2.1:5000")));
        assert!(!peer.admits(address("10.0.0.1:4000")));
        assert_eq!(peer.destination(), Some(address("192.0.2.1:5000")));
    }

    #[test]
    fn nothing_is_sent_to_no_address() {
        assert_eq!(Peer::Named(address("0.0.0.0:4000")).destination(), None);
        assert_eq!(Peer::Named(address("192.0.2.1:0")).destination(), None);
        assert_eq!(Peer::Latching(address("[::]:4000")).destination(), None);
    }
}
