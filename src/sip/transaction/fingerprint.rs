//! Keys of server transactions: which requests are one and the same (RFC 3261 17.2.3).

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use crate::sip::message::{Message, Method, Via};

/// 128 bits of a keyed hash of what tells requests apart. The key is the endpoint's own, so that
/// no peer can make two of its requests collide, and 128 bits do not collide by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint(u128);

impl Fingerprint {
    /// The low 64 bits, for a tag that is the same for the same request.
    pub(crate) fn short(self) -> u64 {
        self.0 as u64
    }
}

/// Makes fingerprints.
#[derive(Clone)]
pub(crate) struct Fingerprinter {
    keys: [u64; 4],
}

impl Fingerprinter {
    pub(crate) fn new(keys: [u64; 4]) -> Fingerprinter {
        Fingerprinter { keys }
    }

    /// Of a request, as if its method were `method`: an ACK or CANCEL asks for its INVITE.
    /// `None` where the request has not what it takes.
    pub(crate) fn transaction(
        &self,
        request: &Message<'_>,
        via: &Via<'_>,
        method: Method<'_>,
    ) -> Option<Fingerprint> {
        let branch = via.branch().unwrap_or_default();
        if via.has_unique_branch() {
            return Some(self.of(&(method, branch, via.host(), via.port())));
        }
        // Peers of RFC 2543: everything the request shares with its retransmissions and its ACK.
        let from = request.from().ok()?;
        Some(self.of(&(
            method,
            branch,
            via.host(),
            via.port(),
            request.call_id().ok()?,
            from.tag(),
            request.cseq().ok()?.number,
        )))
    }

    /// Of an INVITE beyond its path: the same of two that a proxy forked and that met again here
    /// (RFC 3261 8.2.2.2).
    pub(crate) fn merged(&self, request: &Message<'_>) -> Option<Fingerprint> {
        let from = request.from().ok()?;
        Some(self.of(&(
            "merged",
            request.call_id().ok()?,
            from.tag(),
            request.cseq().ok()?.number,
        )))
    }

    fn of(&self, what: &impl Hash) -> Fingerprint {
        let [a, b, c, d] = self.keys;
        let half = |keys: [u64; 2]| {
            let mut hasher = DefaultHasher::new();
            keys.hash(&mut hasher);
            what.hash(&mut hasher);
            u128::from(hasher.finish())
        };
        Fingerprint(half([a, b]) << 64 | half([c, d]))
    }
}

/// A map by fingerprints, which are hashes already.
pub(crate) type ByFingerprint<V> = HashMap<Fingerprint, V, BuildHasherDefault<Folded>>;

/// Takes the fingerprint for its own hash.
#[derive(Default)]
pub(crate) struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, value: u128) {
        self.0 = value as u64 ^ (value >> 64) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(text: &str, method: Method<'_>) -> Fingerprint {
        let message = Message::parse(text.as_bytes()).expect("sound");
        let via = message.via().expect("a Via");
        Fingerprinter::new([1, 2, 3, 4])
            .transaction(&message, &via, method)
            .expect("whole")
    }

    fn request(method: &str, via: &str, tag: &str, seq: u32) -> String {
        format!(
            "{method} sip:b@c SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@b>;tag={tag}\r\n\
             To: <sip:b@c>\r\nCall-ID: x\r\nCSeq: {seq} {method}\r\n\r\n"
        )
    }

    #[test]
    fn branch_method_and_sent_by_tell_apart() {
        let via = "SIP/2.0/UDP h:5060;branch=z9hG4bKa";
        let base = print(&request("INVITE", via, "1", 1), Method::Invite);
        assert_eq!(base, print(&request("ACK", via, "1", 1), Method::Invite));
        assert_ne!(base, print(&request("CANCEL", via, "1", 1), Method::Cancel));
        for other in [
            "SIP/2.0/UDP h:5061;branch=z9hG4bKa",
            "SIP/2.0/UDP i:5060;branch=z9hG4bKa",
            "SIP/2.0/UDP h:5060;branch=z9hG4bKb",
        ] {
            assert_ne!(
                base,
                print(&request("INVITE", other, "1", 1), Method::Invite)
            );
        }
    }

    #[test]
    fn peers_without_unique_branches() {
        let via = "SIP/2.0/UDP h;branch=1";
        let base = print(&request("INVITE", via, "1", 1), Method::Invite);
        assert_eq!(base, print(&request("ACK", via, "1", 1), Method::Invite));
        assert_ne!(base, print(&request("INVITE", via, "1", 2), Method::Invite));
        assert_ne!(base, print(&request("INVITE", via, "2", 1), Method::Invite));
    }
}
