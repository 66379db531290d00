//! The SIP endpoint: datagrams and instants in; datagrams, events and a deadline out.
//!
//! It holds no socket and asks no clock. Whoever drives it does, again and again:
//!
//! 1. [`handle_datagram`](Endpoint::handle_datagram) with what the socket received, or a command
//!    such as [`invite`](Endpoint::invite), or [`handle_timeout`](Endpoint::handle_timeout) when
//!    the instant of [`poll_timeout`](Endpoint::poll_timeout) has come;
//! 2. [`poll_transmit`](Endpoint::poll_transmit) until there is nothing to send;
//! 3. [`poll_event`](Endpoint::poll_event) until there is nothing to tell.
//!
//! ```
//! use std::time::Instant;
//! use ringtrue::sip::call::{Event, Invitation};
//! use ringtrue::sip::endpoint::{Endpoint, EndpointConfig};
//!
//! let here = "192.0.2.1:5060".parse()?;
//! let carrier = "192.0.2.9:5060".parse()?;
//! let mut endpoint = Endpoint::new(EndpointConfig::new(here), [7; 32]);
//! let now = Instant::now();
//! let call = endpoint.invite(
//!     now,
//!     Invitation::new(carrier, "sip:bob@192.0.2.9", "sip:alice@192.0.2.1", "sip:bob@192.0.2.9", "v=0\r\n"),
//! )?;
//! let invite = endpoint.poll_transmit().expect("an INVITE");
//! assert!(invite.bytes.starts_with(b"INVITE sip:bob@192.0.2.9 SIP/2.0\r\n"));
//! endpoint.hang_up(now, call)?;
//! assert!(matches!(endpoint.poll_event(), Some(Event::Ended { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod receive;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

pub use config::EndpointConfig;

use crate::sip::call::{
    Authenticator, Call, CallError, CallFailure, CallId, Context, Event, Invitation, InviteError,
};
use crate::sip::message::Name;
use crate::sip::transaction::{
    Cookie, Counters, Flow, Handle, Heard, Layer, Owner, Slab, Sources, Transmit, Usage,
};

/// How much an endpoint holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Calls not yet released.
    pub calls: usize,
    /// Client transactions, those that only absorb stragglers among them.
    pub client_transactions: usize,
    /// Server transactions, likewise.
    pub server_transactions: usize,
    /// Timers.
    pub timers: usize,
    /// Entries there is memory for, in all tables together.
    pub capacity: usize,
}

/// A SIP user agent: all calls of one local address.
pub struct Endpoint {
    config: EndpointConfig,
    layer: Layer,
    calls: Slab<Call>,
    events: VecDeque<Event>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("config", &self.config)
            .field("load", &self.load())
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// An endpoint without calls. Branches, tags and Call-IDs come from the seed: it must be
    /// random, and known to nobody else.
    pub fn new(config: EndpointConfig, seed: [u8; 32]) -> Endpoint {
        let layer = Layer::new(
            config.identity(),
            config.sound_timing(),
            config.max_transactions,
            // A CANCEL and a BYE for each call.
            config.max_calls.saturating_mul(2),
            seed,
        );
        Endpoint {
            layer,
            calls: Slab::new(config.max_calls),
            events: VecDeque::new(),
            config,
        }
    }

    /// The address that peers are told.
    pub fn advertised(&self) -> SocketAddr {
        self.config.advertised
    }

    /// Tells peers another address from now on. For an endpoint without calls: answers to what was
    /// sent under the old one are heard no more.
    pub fn advertise(&mut self, address: SocketAddr) {
        self.config.advertised = address;
        self.layer.identity = self.config.identity();
    }

    /// One datagram that came by UDP. Whatever it holds, it is answered, acted upon or dropped.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, data: &[u8]) {
        self.handle_message(now, Flow::udp(from), data);
    }

    /// One whole message that came by any transport.
    pub fn handle_message(&mut self, now: Instant, from: Flow, data: &[u8]) {
        self.receive(now, from, data);
    }

    /// The transport cannot reach a peer (an ICMP error, a refused connection): what waits for
    /// its answer waits no longer (RFC 3261 8.1.3.1). Looks at every transaction, so it is not
    /// for every datagram.
    pub fn handle_unreachable(&mut self, now: Instant, peer: Flow) {
        for heard in self.layer.unanswered_by(peer) {
            self.layer.abandon(heard.client);
            self.on_silence(now, heard, CallFailure::Unreachable);
        }
    }

    /// Does all that is due. Call it at [`poll_timeout`](Endpoint::poll_timeout), or later.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(owner) = self.layer.timers.pop_due(now) {
            match owner {
                Owner::Client(client) => {
                    if let Some(heard) = self.layer.on_client_timer(now, client) {
                        self.on_silence(now, heard, CallFailure::NoResponse);
                    }
                }
                Owner::Server(server) => self.layer.on_server_timer(now, server),
                Owner::Call(call) => {
                    self.with_call(now, call, |call, context| call.on_timer(context));
                }
            }
        }
    }

    /// When [`handle_timeout`](Endpoint::handle_timeout) has something to do; `None` if never.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.layer.timers.next()
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.layer.poll_transmit()
    }

    /// Takes back the buffer of a message that was sent.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        self.layer.recycle(buffer);
    }

    /// The next thing to tell.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Calls somebody. See [`Event`] for what follows.
    pub fn invite(&mut self, now: Instant, invitation: Invitation) -> Result<CallId, InviteError> {
        let full = if self.calls.is_full() {
            Some(InviteError::TooManyCalls)
        } else if self.layer.is_full() {
            Some(InviteError::TooManyTransactions)
        } else {
            None
        };
        if let Some(error) = full {
            self.layer.counters.turned_away += 1;
            return Err(error);
        }
        let call_id = Cookie::from_random(self.layer.random(), self.layer.random()).to_string();
        let auth = Authenticator::new(invitation.credentials.clone());
        let handle = self
            .new_call(Arc::from(call_id), invitation.sources.clone(), auth)
            .ok_or(InviteError::TooManyCalls)?;
        let dialled = self.with_call(now, handle, |call, context| call.dial(context, &invitation));
        match dialled {
            Some(Ok(())) => Ok(CallId(handle)),
            Some(Err(error)) => Err(error),
            None => Err(InviteError::TooManyCalls),
        }
    }

    /// Ends a call whatever its state: by CANCEL, BYE or a refusal, or by an ACK and a BYE where a
    /// 2xx comes too late. The event [`Ended`](Event::Ended) follows at once.
    pub fn hang_up(&mut self, now: Instant, call: CallId) -> Result<(), CallError> {
        self.command(now, call, |call, context| call.hang_up(context))
    }

    /// Tells a caller that the phone rings (180).
    pub fn ring(&mut self, now: Instant, call: CallId) -> Result<(), CallError> {
        self.command(now, call, |call, context| call.ring(context, 180, b""))
    }

    /// Sends a provisional response of any code, with a body or without: 183 and early media,
    /// 181 and none.
    pub fn progress(
        &mut self,
        now: Instant,
        call: CallId,
        code: u16,
        sdp: &[u8],
    ) -> Result<(), CallError> {
        self.command(now, call, |call, context| call.ring(context, code, sdp))
    }

    /// Answers an incoming call with 200, repeated until it is acknowledged.
    pub fn answer(&mut self, now: Instant, call: CallId, sdp: &[u8]) -> Result<(), CallError> {
        self.command(now, call, |call, context| call.answer(context, sdp))
    }

    /// Refuses an incoming call with a status of 300 to 699; the usual reason phrase if `None`.
    pub fn reject(
        &mut self,
        now: Instant,
        call: CallId,
        code: u16,
        reason: Option<&str>,
    ) -> Result<(), CallError> {
        self.reject_with(now, call, code, reason, &[])
    }

    /// Refuses it with further fields: the WWW-Authenticate of a 401, the Contact of a 302.
    pub fn reject_with(
        &mut self,
        now: Instant,
        call: CallId,
        code: u16,
        reason: Option<&str>,
        fields: &[(Name, &str)],
    ) -> Result<(), CallError> {
        self.command(now, call, |call, context| {
            call.reject(context, code, reason, fields)
        })
    }

    /// Sends an INFO within an answered call; [`InfoAnswered`](Event::InfoAnswered) follows.
    pub fn send_info(
        &mut self,
        now: Instant,
        call: CallId,
        content_type: &str,
        body: &[u8],
    ) -> Result<(), CallError> {
        self.command(now, call, |call, context| {
            call.send_info(context, content_type, body)
        })
    }

    /// What it holds.
    pub fn load(&self) -> Load {
        Load {
            calls: self.calls.len(),
            client_transactions: self.layer.client_count(),
            server_transactions: self.layer.server_count(),
            timers: self.layer.timers.len(),
            capacity: self.calls.capacity() + self.layer.capacity(),
        }
    }

    /// Whether nothing is left of any call: no call, transaction or timer.
    pub fn is_empty(&self) -> bool {
        let load = self.load();
        load.calls + load.client_transactions + load.server_transactions + load.timers == 0
    }

    /// What came and went.
    pub fn counters(&self) -> Counters {
        self.layer.counters
    }

    fn command(
        &mut self,
        now: Instant,
        call: CallId,
        act: impl FnOnce(&mut Call, &mut Context<'_>) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        self.with_call(now, call.0, act)
            .unwrap_or(Err(CallError::NoSuchCall))
    }

    /// A place for a call in which nothing has happened yet.
    fn new_call(
        &mut self,
        call_id: Arc<str>,
        sources: Sources,
        auth: Authenticator,
    ) -> Option<Handle> {
        let secret = self.layer.random();
        let timers = &mut self.layer.timers;
        self.calls.insert_with(|handle| {
            let timer = timers.allot(Owner::Call(handle));
            let tag = Cookie { handle, secret };
            Call::new(CallId(handle), tag, call_id, sources, auth, timer)
        })
    }

    /// Lets a call act, then sets its timer, or lets go of it if it is over.
    fn with_call<R>(
        &mut self,
        now: Instant,
        handle: Handle,
        act: impl FnOnce(&mut Call, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let call = self.calls.get_mut(handle)?;
        let mut context = Context {
            now,
            layer: &mut self.layer,
            events: &mut self.events,
        };
        let result = act(call, &mut context);
        let timer = call.timer();
        if call.is_over() {
            let was_announced = call.is_announced();
            self.calls.remove(handle);
            self.layer.timers.release(timer);
            if was_announced {
                self.events.push_back(Event::Released {
                    call: CallId(handle),
                });
            }
        } else {
            self.layer.timers.set(timer, call.deadline());
        }
        Some(result)
    }

    /// A request of ours was never answered, or cannot have been.
    fn on_silence(&mut self, now: Instant, heard: Heard, why: CallFailure) {
        let client = heard.client;
        match heard.usage {
            Usage::Invite(call) => {
                self.with_call(now, call, |call, context| {
                    call.on_invite_lost(context, client, why);
                });
            }
            Usage::Bye(call) => {
                self.with_call(now, call, |call, _| call.on_bye_lost(client));
            }
            Usage::Info(call) => {
                self.with_call(now, call, |call, context| call.on_peer_lost(context));
            }
            Usage::Stray | Usage::Unwatched => {}
        }
    }
}
