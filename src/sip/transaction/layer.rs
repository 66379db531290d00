//! The transaction layer (RFC 3261 17): all transactions of an endpoint, their timers, and what
//! is to be sent. It matches what comes in, repeats what must be repeated, and passes the rest to
//! the users above. The halves are in `client.rs` and `server.rs`.

use std::collections::VecDeque;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::client::Client;
use super::cookie::Cookie;
use super::fingerprint::{ByFingerprint, Fingerprinter};
use super::identity::Identity;
use super::server::Server;
use super::slab::{Handle, Slab};
use super::timers::Timers;
use super::timing::Timing;
use super::transport::{Flow, Transmit};

/// Whose timer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Client(Handle),
    Server(Handle),
    Call(Handle),
}

/// What came and went, for an operator's eyes. Every figure only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Messages given to the transport, retransmissions included.
    pub sent: u64,
    /// Requests and responses sent again because nothing came back.
    pub retransmitted: u64,
    /// Datagrams that were no SIP message.
    pub unreadable: u64,
    /// Messages with a fault: requests answered 400 or the like, responses dropped.
    pub malformed: u64,
    /// Responses and ACKs that belong to nothing we know.
    pub stray: u64,
    /// Messages of a call from a host that has no say in it; see
    /// [`Sources`](super::Sources).
    pub disbelieved: u64,
    /// Calls and requests turned away because a limit was reached.
    pub turned_away: u64,
}

/// Most buffers kept for reuse, and the largest that is worth keeping.
const POOL: usize = 256;
const POOL_OCTETS: usize = 4 * 1024;
/// Octets that most messages fit into.
const USUAL_OCTETS: usize = 1024;

pub(crate) struct Layer {
    pub(crate) identity: Identity,
    pub(crate) timing: Timing,
    pub(crate) counters: Counters,
    pub(crate) timers: Timers<Owner>,
    pub(super) rng: ChaCha12Rng,
    pub(super) clients: Slab<Client>,
    pub(super) servers: Slab<Server>,
    pub(super) index: ByFingerprint<Handle>,
    pub(super) merged: ByFingerprint<Handle>,
    pub(super) prints: Fingerprinter,
    /// New INVITEs and PRACKs stop here; what ends calls goes on to the slab's own limit.
    pub(super) most_clients: usize,
    outbox: VecDeque<Transmit>,
    pool: Vec<Vec<u8>>,
}

impl Layer {
    /// `most` transactions either way; `reserve` more for the requests that end calls.
    pub(crate) fn new(
        identity: Identity,
        timing: Timing,
        most: usize,
        reserve: usize,
        seed: [u8; 32],
    ) -> Layer {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let keys = [(); 4].map(|()| rng.next_u64());
        Layer {
            identity,
            timing,
            counters: Counters::default(),
            timers: Timers::new(),
            rng,
            clients: Slab::new(most.saturating_add(reserve)),
            servers: Slab::new(most),
            index: ByFingerprint::default(),
            merged: ByFingerprint::default(),
            prints: Fingerprinter::new(keys),
            most_clients: most,
            outbox: VecDeque::new(),
            pool: Vec::new(),
        }
    }

    /// 64 random bits.
    pub(crate) fn random(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// A cookie that names nothing: the branch of an ACK, which nobody answers.
    pub(crate) fn loose_cookie(&mut self) -> Cookie {
        Cookie {
            secret: self.random(),
            ..Cookie::NOWHERE
        }
    }

    /// An empty buffer.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.pool
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(USUAL_OCTETS))
    }

    /// Takes a buffer back.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.pool.len() < POOL && (1..=POOL_OCTETS).contains(&buffer.capacity()) {
            buffer.clear();
            self.pool.push(buffer);
        }
    }

    /// Hands a message to the transport.
    pub(crate) fn send(&mut self, flow: Flow, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        self.counters.sent += 1;
        self.outbox.push_back(Transmit {
            transport: flow.transport,
            to: flow.remote,
            bytes,
        });
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop_front()
    }

    pub(crate) fn client_count(&self) -> usize {
        self.clients.len()
    }

    pub(crate) fn server_count(&self) -> usize {
        self.servers.len()
    }

    /// Whether a new INVITE or a PRACK finds no room.
    pub(crate) fn is_full(&self) -> bool {
        self.clients.len() >= self.most_clients
    }

    /// Places there is memory for, in all tables.
    pub(crate) fn capacity(&self) -> usize {
        self.clients.capacity()
            + self.servers.capacity()
            + self.timers.capacity()
            + self.index.capacity()
            + self.merged.capacity()
    }
}
