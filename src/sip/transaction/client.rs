//! The client half of the transaction layer: requests we send, and the responses to them.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use rand::Rng;
use smallvec::SmallVec;

use super::account::Account;
use super::client_invite::{self, ClientInvite};
use super::client_non_invite::ClientNonInvite;
use super::cookie::Cookie;
use super::derived;
use super::identity::Identity;
use super::layer::{Layer, Owner};
use super::slab::Handle;
use super::timers::TimerId;
use super::timing::Due;
use super::transport::{Flow, Sources};
use crate::sip::message::{Message, Method, WriteError};

/// Whom the responses to a request concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    /// The INVITE of this call.
    Invite(Handle),
    /// The BYE of this call.
    Bye(Handle),
    /// An INFO of this call.
    Info(Handle),
    /// The BYE of a fork that no call holds.
    Stray,
    /// Nobody waits for it: CANCEL, PRACK.
    Unwatched,
}

/// A request about to be sent.
pub(crate) struct Opening {
    pub(crate) method: Method<'static>,
    pub(crate) usage: Usage,
    pub(crate) flow: Flow,
    pub(crate) sources: Sources,
    /// Kept beside an INVITE for the BYE of a fork that answers after its call is gone.
    pub(crate) account: Option<Arc<Account>>,
}

/// Why no request was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotBegun {
    #[error("no room for another transaction")]
    Full,
    #[error(transparent)]
    Unwritable(#[from] WriteError),
}

/// A response for a user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard {
    pub(crate) client: Handle,
    pub(crate) usage: Usage,
}

/// The ACK of a 2xx, sent again whenever the 2xx comes again (RFC 3261 13.2.2.4).
struct Acknowledged {
    flow: Flow,
    ack: Box<[u8]>,
}

enum Machine {
    Invite(ClientInvite),
    NonInvite(ClientNonInvite),
}

impl Machine {
    fn deadline(&self) -> Option<Instant> {
        match self {
            Machine::Invite(machine) => machine.deadline(),
            Machine::NonInvite(machine) => Some(machine.deadline()),
        }
    }
}

pub(crate) struct Client {
    machine: Machine,
    secret: u64,
    method: Method<'static>,
    usage: Usage,
    flow: Flow,
    sources: Sources,
    account: Option<Arc<Account>>,
    /// The request, until its final response has been dealt with.
    request: Box<[u8]>,
    /// The ACK of its refusal, sent again whenever the refusal comes again.
    refusal_ack: Box<[u8]>,
    /// The forks that accepted an INVITE.
    accepted: SmallVec<[Acknowledged; 1]>,
    /// The CANCEL that shares the branch of this INVITE.
    cancel: Option<Handle>,
    timer: TimerId,
}

/// Most forks of one INVITE that are acknowledged; a proxy that makes more is broken or hostile.
const MOST_FORKS: usize = 16;

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("method", &self.method)
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}

impl Layer {
    /// Sends a request and begins its transaction. `write` writes it, with a Via of this cookie.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        opening: Opening,
        write: impl FnOnce(&mut Vec<u8>, &Identity, Cookie) -> Result<(), WriteError>,
    ) -> Result<Handle, NotBegun> {
        let secret = self.rng.next_u64();
        let handle = self
            .enter(now, opening, secret)
            .ok_or(NotBegun::Full)
            .inspect_err(|_| self.counters.turned_away += 1)?;
        let mut buffer = self.buffer();
        if let Err(error) = write(&mut buffer, &self.identity, Cookie { handle, secret }) {
            self.recycle(buffer);
            self.free_client(handle);
            return Err(error.into());
        }
        self.dispatch(handle, buffer);
        Ok(handle)
    }

    fn enter(&mut self, now: Instant, opening: Opening, secret: u64) -> Option<Handle> {
        let reliable = opening.flow.transport.is_reliable();
        let (timers, timing) = (&mut self.timers, &self.timing);
        self.clients.insert_with(|handle| {
            let timer = timers.allot(Owner::Client(handle));
            let machine = match opening.method {
                Method::Invite => Machine::Invite(ClientInvite::new(now, timing, reliable)),
                _ => Machine::NonInvite(ClientNonInvite::new(now, timing, reliable)),
            };
            timers.set(timer, machine.deadline());
            Client {
                machine,
                secret,
                method: opening.method,
                usage: opening.usage,
                flow: opening.flow,
                sources: opening.sources,
                account: opening.account,
                request: Box::default(),
                refusal_ack: Box::default(),
                accepted: SmallVec::new(),
                cancel: None,
                timer,
            }
        })
    }

    /// Keeps a copy of a written request for its retransmissions, and sends it.
    fn dispatch(&mut self, handle: Handle, buffer: Vec<u8>) {
        if let Some(client) = self.clients.get_mut(handle) {
            client.request = Box::from(buffer.as_slice());
            let flow = client.flow;
            self.send(flow, buffer);
        }
    }

    /// Cancels an INVITE that has a provisional response and no final one (RFC 3261 9.1), once.
    /// False where it is too early, too late, or done already.
    pub(crate) fn cancel(&mut self, now: Instant, invite: Handle, reason: Option<&str>) -> bool {
        let Some(client) = self.clients.get(invite) else {
            return false;
        };
        let is_open = matches!(&client.machine, Machine::Invite(machine)
            if machine.state() == client_invite::State::Proceeding);
        if !is_open || client.cancel.is_some() {
            return false;
        }
        let opening = Opening {
            method: Method::Cancel,
            usage: Usage::Unwatched,
            flow: client.flow,
            sources: client.sources.clone(),
            account: None,
        };
        let secret = client.secret;
        let mut buffer = self.buffer();
        let written = match self.clients.get(invite) {
            Some(client) => derived::cancel(&client.request, reason, &mut buffer),
            None => None,
        };
        let cancel = match written {
            Some(()) => self.enter(now, opening, secret),
            None => None,
        };
        match (cancel, self.clients.get_mut(invite)) {
            (Some(cancel), Some(client)) => {
                client.cancel = Some(cancel);
                self.dispatch(cancel, buffer);
                true
            }
            _ => {
                self.recycle(buffer);
                false
            }
        }
    }

    /// Sends the ACK of a 2xx, and again whenever the same 2xx comes.
    pub(crate) fn acknowledge(&mut self, invite: Handle, flow: Flow, ack: Vec<u8>) {
        if let Some(client) = self.clients.get_mut(invite) {
            client.accepted.push(Acknowledged {
                flow,
                ack: Box::from(ack.as_slice()),
            });
        }
        self.send(flow, ack);
    }

    /// Where a request went, whose word is believed, and what a challenge is answered with.
    pub(crate) fn standing(&self, client: Handle) -> Option<(Flow, Sources, Option<Arc<Account>>)> {
        let client = self.clients.get(client)?;
        Some((client.flow, client.sources.clone(), client.account.clone()))
    }

    /// The request that a final response has come to; it is kept no longer.
    pub(crate) fn take_request(&mut self, client: Handle) -> Box<[u8]> {
        self.clients
            .get_mut(client)
            .map(|client| std::mem::take(&mut client.request))
            .unwrap_or_default()
    }

    /// The first ACK of an accepted INVITE: the next fork's carries the same credentials.
    pub(crate) fn first_ack(&self, client: Handle) -> Option<&[u8]> {
        let first = self.clients.get(client)?.accepted.first()?;
        Some(&first.ack)
    }

    /// Destroys a transaction before its time (RFC 3261 9.1).
    pub(crate) fn abandon(&mut self, client: Handle) {
        self.free_client(client);
    }

    /// The request that a response belongs to (RFC 3261 17.1.3).
    pub(crate) fn match_response(&self, response: &Message<'_>) -> Option<Heard> {
        let client = self.find_client(response)?;
        let usage = self.clients.get(client)?.usage;
        Some(Heard { client, usage })
    }

    /// Does with a matched response all that needs no user. Whether the user is to hear of it.
    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        from: Flow,
        response: &Message<'_>,
        code: u16,
        handle: Handle,
    ) -> bool {
        let timing = self.timing;
        let Some(client) = self.clients.get_mut(handle) else {
            return false;
        };
        let next_hop = client.flow.remote.ip();
        if !client.sources.believe(from.remote.ip(), next_hop) {
            self.counters.disbelieved += 1;
            return false;
        }
        let reliable = client.flow.transport.is_reliable();
        let step = match &mut client.machine {
            Machine::NonInvite(machine) => {
                let pass = machine.on_response(now, &timing, reliable, code);
                if code >= 200 {
                    self.timers.set(client.timer, client.machine.deadline());
                }
                return pass;
            }
            Machine::Invite(machine) => machine.on_response(now, &timing, reliable, code),
        };
        self.timers.set(client.timer, client.machine.deadline());
        if code >= 200 {
            // The question the CANCEL asked is answered, one way or the other.
            if let Some(cancel) = client.cancel.take() {
                self.free_client(cancel);
            }
        }
        match step {
            client_invite::Step::Pass if code < 200 => true,
            client_invite::Step::Pass => self.on_accepted(handle, response),
            client_invite::Step::AcknowledgeAndPass => {
                self.acknowledge_refusal(handle, response);
                true
            }
            client_invite::Step::Acknowledge => {
                self.repeat_client(handle);
                false
            }
            client_invite::Step::Drop => false,
        }
    }

    /// By the cookie in its branch; the CANCEL shares that of its INVITE. A response with more
    /// than one Via went astray (RFC 3261 8.1.3.3).
    fn find_client(&self, response: &Message<'_>) -> Option<Handle> {
        let mut vias = response.vias();
        let via = vias.next()?.ok()?;
        if vias.next().is_some() {
            return None;
        }
        let cookie = Cookie::from_branch(via.branch()?)?;
        let method = response.cseq().ok()?.method;
        let client = self
            .clients
            .get(cookie.handle)
            .filter(|client| client.secret == cookie.secret)?;
        if client.method == method {
            return Some(cookie.handle);
        }
        client.cancel.filter(|_| method == Method::Cancel)
    }

    /// A 2xx came: a fork that we have acknowledged gets its ACK again, any other is the user's.
    fn on_accepted(&mut self, handle: Handle, response: &Message<'_>) -> bool {
        let Some(client) = self.clients.get(handle) else {
            return false;
        };
        let tag = response.to().ok().and_then(|to| to.tag());
        let known = client.accepted.iter().position(|fork| {
            Message::parse(&fork.ack).is_ok_and(|ack| ack.to().ok().and_then(|to| to.tag()) == tag)
        });
        match known {
            None => client.accepted.len() < MOST_FORKS,
            Some(at) => {
                let fork = &client.accepted[at];
                let (flow, ack) = (fork.flow, fork.ack.to_vec());
                self.counters.retransmitted += 1;
                self.send(flow, ack);
                false
            }
        }
    }

    fn acknowledge_refusal(&mut self, handle: Handle, response: &Message<'_>) {
        let mut buffer = self.buffer();
        let written = match self.clients.get(handle) {
            Some(client) => derived::refusal_ack(&client.request, response, &mut buffer),
            None => None,
        };
        match (written, self.clients.get_mut(handle)) {
            (Some(()), Some(client)) => {
                client.refusal_ack = Box::from(buffer.as_slice());
                let flow = client.flow;
                self.send(flow, buffer);
            }
            _ => self.recycle(buffer),
        }
    }

    fn repeat_client(&mut self, handle: Handle) {
        let mut buffer = self.buffer();
        if let Some(client) = self.clients.get(handle) {
            // Once refused, the ACK is what the peer waits for.
            let message = match client.refusal_ack.is_empty() {
                true => &client.request,
                false => &client.refusal_ack,
            };
            buffer.extend_from_slice(message);
            let flow = client.flow;
            self.counters.retransmitted += 1;
            self.send(flow, buffer);
        }
    }

    /// The timer of a client transaction fired. Its user, if nobody answered.
    pub(crate) fn on_client_timer(&mut self, now: Instant, handle: Handle) -> Option<Heard> {
        let client = self.clients.get_mut(handle)?;
        let due = match &mut client.machine {
            Machine::Invite(machine) => machine.on_timer(now),
            Machine::NonInvite(machine) => machine.on_timer(now),
        };
        match due {
            Due::Nothing => self.timers.set(client.timer, client.machine.deadline()),
            Due::Retransmit => {
                self.timers.set(client.timer, client.machine.deadline());
                self.repeat_client(handle);
            }
            Due::Terminated => self.free_client(handle),
            Due::TimedOut => {
                let heard = Heard {
                    client: handle,
                    usage: client.usage,
                };
                self.free_client(handle);
                return Some(heard);
            }
        }
        None
    }

    /// The requests without a final response that went to a peer who cannot be reached.
    pub(crate) fn unanswered_by(&self, flow: Flow) -> Vec<Heard> {
        self.clients
            .iter()
            .filter(|(_, client)| client.flow == flow && client.is_open())
            .map(|(handle, client)| Heard {
                client: handle,
                usage: client.usage,
            })
            .collect()
    }

    fn free_client(&mut self, handle: Handle) {
        if let Some(client) = self.clients.remove(handle) {
            self.timers.release(client.timer);
            if let Some(cancel) = client.cancel {
                self.free_client(cancel);
            }
        }
    }
}

impl Client {
    /// Whether a final response is still to come.
    fn is_open(&self) -> bool {
        match &self.machine {
            Machine::Invite(machine) => matches!(
                machine.state(),
                client_invite::State::Calling | client_invite::State::Proceeding
            ),
            Machine::NonInvite(machine) => {
                machine.state() != super::client_non_invite::State::Completed
            }
        }
    }
}
