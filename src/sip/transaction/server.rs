//! The server half of the transaction layer: requests that came, and our responses to them.

use std::fmt;
use std::time::Instant;

use super::cookie::Cookie;
use super::fingerprint::Fingerprint;
use super::identity::Identity;
use super::layer::{Layer, Owner};
use super::server_invite::{Ack, ServerInvite};
use super::server_non_invite::ServerNonInvite;
use super::slab::Handle;
use super::timers::TimerId;
use super::timing::Due;
use super::transport::Flow;
use crate::sip::message::{Message, Method, Name, Via, WriteError, Writer};

enum Machine {
    Invite(ServerInvite),
    NonInvite(ServerNonInvite),
}

impl Machine {
    fn deadline(&self) -> Option<Instant> {
        match self {
            Machine::Invite(machine) => machine.deadline(),
            Machine::NonInvite(machine) => machine.deadline(),
        }
    }
}

pub(crate) struct Server {
    machine: Machine,
    print: Fingerprint,
    merged: Option<Fingerprint>,
    /// Where the request came from.
    source: Flow,
    /// Where responses go (RFC 3261 18.2.2, RFC 3581 4).
    reply_to: Flow,
    /// The last response.
    response: Box<[u8]>,
    /// The call of an INVITE.
    call: Option<Handle>,
    timer: TimerId,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").finish_non_exhaustive()
    }
}

/// A response that says no more than its status, and a field or two.
pub(crate) struct Refusal<'a> {
    pub(crate) code: u16,
    /// The reason phrase; the usual one if `None`.
    pub(crate) reason: Option<&'a str>,
    pub(crate) fields: &'a [(Name, &'a str)],
}

impl Refusal<'_> {
    pub(crate) const fn plain(code: u16) -> Refusal<'static> {
        Refusal {
            code,
            reason: None,
            fields: &[],
        }
    }
}

impl Layer {
    /// Whether the request is one we have already; its response is sent again if need be.
    pub(crate) fn absorb(
        &mut self,
        request: &Message<'_>,
        via: &Via<'_>,
        method: Method<'_>,
    ) -> bool {
        let Some(handle) = self.find_server(request, via, method) else {
            return false;
        };
        let Some(server) = self.servers.get(handle) else {
            return false;
        };
        let repeat = match &server.machine {
            Machine::Invite(machine) => machine.on_request(),
            Machine::NonInvite(machine) => machine.on_request(),
        };
        if repeat {
            self.repeat_response(handle);
        }
        true
    }

    /// The call whose INVITE a CANCEL is after, and whether it still can be cancelled is its own
    /// affair. `None` where there is no such INVITE (RFC 3261 9.2).
    pub(crate) fn cancelled(&self, cancel: &Message<'_>, via: &Via<'_>) -> Option<Option<Handle>> {
        let handle = self.find_server(cancel, via, Method::Invite)?;
        Some(self.servers.get(handle)?.call)
    }

    /// Whether an ACK ends a refusal, and with that is done; else it is for a 2xx.
    pub(crate) fn absorb_ack(&mut self, now: Instant, ack: &Message<'_>, via: &Via<'_>) -> bool {
        let Some(handle) = self.find_server(ack, via, Method::Invite) else {
            return false;
        };
        let timing = self.timing;
        let Some(server) = self.servers.get_mut(handle) else {
            return false;
        };
        let reliable = server.source.transport.is_reliable();
        let verdict = match &mut server.machine {
            Machine::Invite(machine) => machine.on_ack(now, &timing, reliable),
            Machine::NonInvite(_) => Ack::Drop,
        };
        if verdict == Ack::Absorbed {
            // Nothing is sent any more.
            server.response = Box::default();
            self.timers.set(server.timer, server.machine.deadline());
        }
        verdict != Ack::Pass
    }

    fn find_server(
        &self,
        request: &Message<'_>,
        via: &Via<'_>,
        method: Method<'_>,
    ) -> Option<Handle> {
        if self.index.is_empty() {
            return None;
        }
        let print = self.prints.transaction(request, via, method)?;
        self.index.get(&print).copied()
    }

    /// Whether the INVITE came before by another path (RFC 3261 8.2.2.2).
    pub(crate) fn is_merged(&self, invite: &Message<'_>) -> bool {
        !self.merged.is_empty()
            && self
                .prints
                .merged(invite)
                .is_some_and(|print| self.merged.contains_key(&print))
    }

    /// Begins the transaction of a new request. `None` when there is no room.
    pub(crate) fn serve(
        &mut self,
        from: Flow,
        request: &Message<'_>,
        via: &Via<'_>,
        method: Method<'_>,
        call: Option<Handle>,
    ) -> Option<Handle> {
        let print = self.prints.transaction(request, via, method)?;
        let is_invite = method == Method::Invite;
        let has_dialog = request.to().ok()?.tag().is_some();
        let merged = if is_invite && !has_dialog {
            self.prints.merged(request)
        } else {
            None
        };
        let timers = &mut self.timers;
        let handle = self.servers.insert_with(|handle| Server {
            machine: if is_invite {
                Machine::Invite(ServerInvite::new())
            } else {
                Machine::NonInvite(ServerNonInvite::new())
            },
            print,
            merged,
            source: from,
            reply_to: reply_to(from, via),
            response: Box::default(),
            call,
            timer: timers.allot(Owner::Server(handle)),
        })?;
        self.index.insert(print, handle);
        if let Some(merged) = merged {
            self.merged.insert(merged, handle);
        }
        Some(handle)
    }

    /// Sends a response within its transaction. `write` writes it, given where the request came
    /// from. False where the transaction is gone or has its final response already.
    pub(crate) fn respond(
        &mut self,
        now: Instant,
        handle: Handle,
        code: u16,
        write: impl FnOnce(&mut Vec<u8>, &Identity, Flow) -> Result<(), WriteError>,
    ) -> bool {
        let timing = self.timing;
        let mut buffer = self.buffer();
        let Some(server) = self.servers.get_mut(handle) else {
            self.recycle(buffer);
            return false;
        };
        let reliable = server.source.transport.is_reliable();
        if write(&mut buffer, &self.identity, server.source).is_err() {
            self.recycle(buffer);
            return false;
        }
        let room = match &mut server.machine {
            Machine::Invite(machine) => machine.on_respond(now, &timing, reliable, code),
            Machine::NonInvite(machine) => machine.on_respond(now, &timing, reliable),
        };
        if !room {
            self.recycle(buffer);
            return false;
        }
        server.response = Box::from(buffer.as_slice());
        let (flow, timer, deadline) = (server.reply_to, server.timer, server.machine.deadline());
        self.timers.set(timer, deadline);
        self.send(flow, buffer);
        true
    }

    /// Refuses a request within its transaction.
    pub(crate) fn refuse(
        &mut self,
        now: Instant,
        handle: Handle,
        request: &Message<'_>,
        to_tag: Option<Cookie>,
        refusal: Refusal<'_>,
    ) -> bool {
        self.respond(now, handle, refusal.code, |buffer, identity, source| {
            write_refusal(buffer, identity, source, request, to_tag, &refusal)
        })
    }

    /// Frees a transaction that was left without a response: none may wait for ever.
    pub(crate) fn close_unanswered(&mut self, handle: Handle) {
        let is_silent = self
            .servers
            .get(handle)
            .is_some_and(|server| server.response.is_empty());
        if is_silent {
            self.free_server(handle);
        }
    }

    /// Refuses a request, or answers it, without a transaction (RFC 3261 8.2.7): the same request
    /// gets the same answer again, and costs no memory in between.
    pub(crate) fn reply(&mut self, from: Flow, request: &Message<'_>, refusal: Refusal<'_>) {
        let Ok(via) = request.via() else {
            return;
        };
        // The same tag for the same request, and one that no dialog of ours has.
        let tag = self
            .prints
            .transaction(request, &via, Method::Invite)
            .map(|print| Cookie {
                handle: Handle {
                    index: u32::MAX,
                    generation: u32::MAX,
                },
                secret: print.short(),
            });
        self.reply_with_tag(from, request, &via, tag, refusal);
    }

    /// The same, with a tag given to us by a transaction that exists.
    pub(crate) fn reply_with_tag(
        &mut self,
        from: Flow,
        request: &Message<'_>,
        via: &Via<'_>,
        to_tag: Option<Cookie>,
        refusal: Refusal<'_>,
    ) {
        let mut buffer = self.buffer();
        match write_refusal(&mut buffer, &self.identity, from, request, to_tag, &refusal) {
            Ok(()) => self.send(reply_to(from, via), buffer),
            Err(_) => self.recycle(buffer),
        }
    }

    /// Sends the last response once more: the user repeats a 2xx (RFC 3261 13.3.1.4).
    pub(crate) fn repeat_response(&mut self, handle: Handle) {
        let mut buffer = self.buffer();
        if let Some(server) = self.servers.get(handle) {
            buffer.extend_from_slice(&server.response);
            let flow = server.reply_to;
            self.counters.retransmitted += 1;
            self.send(flow, buffer);
        }
    }

    /// The 2xx of an INVITE was acknowledged: it is not sent again.
    pub(crate) fn forget_response(&mut self, handle: Handle) {
        if let Some(server) = self.servers.get_mut(handle) {
            server.response = Box::default();
        }
    }

    /// The timer of a server transaction fired. That nobody acknowledged a refusal (timer H)
    /// concerns nobody: the call is over either way.
    pub(crate) fn on_server_timer(&mut self, now: Instant, handle: Handle) {
        let Some(server) = self.servers.get_mut(handle) else {
            return;
        };
        let due = match &mut server.machine {
            Machine::Invite(machine) => machine.on_timer(now),
            Machine::NonInvite(machine) => machine.on_timer(now),
        };
        match due {
            Due::Nothing => self.timers.set(server.timer, server.machine.deadline()),
            Due::Retransmit => {
                self.timers.set(server.timer, server.machine.deadline());
                self.repeat_response(handle);
            }
            Due::Terminated | Due::TimedOut => self.free_server(handle),
        }
    }

    fn free_server(&mut self, handle: Handle) {
        if let Some(server) = self.servers.remove(handle) {
            self.timers.release(server.timer);
            self.index.remove(&server.print);
            if let Some(merged) = server.merged {
                self.merged.remove(&merged);
            }
            if self.servers.len() == 0 {
                self.index.shrink_to(256);
                self.merged.shrink_to(256);
            }
        }
    }
}

/// Where the answer to a request goes: back along a connection, or by its Via.
fn reply_to(from: Flow, via: &Via<'_>) -> Flow {
    if from.transport.is_reliable() {
        from
    } else {
        from.to(via.reply_to(from.remote))
    }
}

fn write_refusal(
    buffer: &mut Vec<u8>,
    identity: &Identity,
    source: Flow,
    request: &Message<'_>,
    to_tag: Option<Cookie>,
    refusal: &Refusal<'_>,
) -> Result<(), WriteError> {
    let tag = to_tag.map(|tag| tag.to_string());
    let reason = refusal.reason.unwrap_or(reason_phrase(refusal.code));
    let mut writer = Writer::reply(
        buffer,
        request,
        source.remote,
        refusal.code,
        reason,
        tag.as_deref(),
    );
    for (name, value) in refusal.fields {
        writer.header(*name, value);
    }
    writer.header(Name::Server, &identity.user_agent);
    writer.finish()
}

/// The usual reason phrase of a status (RFC 3261 21 and its extensions).
pub(crate) const fn reason_phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        421 => "Extension Required",
        469 => "Bad Info Package",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        608 => "Rejected",
        _ => match code / 100 {
            1 => "Progress",
            2 => "Success",
            3 => "Redirection",
            4 => "Request Failure",
            5 => "Server Failure",
            _ => "Global Failure",
        },
    }
}
