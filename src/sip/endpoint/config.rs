//! What an endpoint is told when it is made.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::sip::transaction::{Identity, Timing, Transport};

/// The configuration of an [`Endpoint`](super::Endpoint).
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// The address that peers reach us at, as written into Via and Contact.
    pub advertised: SocketAddr,
    /// The transport, as written there.
    pub transport: Transport,
    /// What we call ourselves in User-Agent and Server.
    pub user_agent: Arc<str>,
    /// T1, T2 and T4, each taken for a millisecond at least and a minute at most.
    pub timing: Timing,
    /// Most calls at once, either way.
    pub max_calls: usize,
    /// Most transactions at once, of the client and of the server side each. A call leaves one
    /// behind for 32 s on either side, so this limits the calls a second too: the default allows
    /// for 15,000. The requests that end calls find room beyond it.
    pub max_transactions: usize,
    /// Whether INVITEs of peers become calls; else they are refused with 403.
    pub takes_calls: bool,
    /// How long an incoming call may ring before it is refused with 480; a day at most.
    pub unanswered_after: Duration,
}

impl EndpointConfig {
    /// With the default timers, 10,000 calls and 500,000 transactions at most, and no incoming
    /// calls.
    pub fn new(advertised: SocketAddr) -> EndpointConfig {
        EndpointConfig {
            advertised,
            transport: Transport::Udp,
            user_agent: Arc::from("Ringtrue"),
            timing: Timing::default(),
            max_calls: 10_000,
            max_transactions: 500_000,
            takes_calls: false,
            unanswered_after: Duration::from_secs(180),
        }
    }

    pub(super) fn identity(&self) -> Identity {
        Identity::new(self.advertised, self.transport, self.user_agent.clone())
    }

    /// Timers of a millisecond to a minute: one of zero would never let the clock go on, and one
    /// beyond the clock's end would stop it.
    pub(super) fn sound_timing(&self) -> Timing {
        let sound =
            |timer: Duration| timer.clamp(Duration::from_millis(1), Duration::from_secs(60));
        Timing {
            t1: sound(self.timing.t1),
            t2: sound(self.timing.t2),
            t4: sound(self.timing.t4),
        }
    }
}
