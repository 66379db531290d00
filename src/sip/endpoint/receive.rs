//! From a datagram to whom it concerns (RFC 3261 8.1.3, 8.2, 12.2.2, 18).

use std::sync::Arc;
use std::time::Instant;

use super::Endpoint;
use crate::sip::call::{
    ACCEPT, ALLOW, Asked, Authenticator, Event, IncomingInvite, LONGEST_RING, end_stray,
    retry_stray, unsupported,
};
use crate::sip::message::{Fault, Message, Method, Name, ParseError, Scheme, StartLine, Uri};
use crate::sip::transaction::{Cookie, Flow, Handle, Received, Refusal, Response, Sources, Usage};

/// Seconds after which one that we had no room for may try again.
const TRY_AGAIN: &str = "5";

impl Endpoint {
    pub(super) fn receive(&mut self, now: Instant, from: Flow, data: &[u8]) {
        let message = match Message::parse(data) {
            Ok(message) => message,
            Err(ParseError::KeepAlive) => return,
            Err(_) => {
                self.layer.counters.unreadable += 1;
                return;
            }
        };
        let result = match message.start() {
            StartLine::Response { code, .. } => {
                Response::read(&message, code, from, &self.layer.identity)
                    .map(|response| self.on_response(now, &response))
            }
            StartLine::Request { method, uri } => message.essentials().map(|essentials| {
                let request = Received {
                    from,
                    message: &message,
                    essentials,
                };
                self.on_request(now, &request, method, uri, head_of(data, &message));
            }),
        };
        if let Err(fault) = result {
            self.on_unsound(from, &message, fault);
        }
    }

    fn on_request(
        &mut self,
        now: Instant,
        request: &Received<'_>,
        method: Method<'_>,
        uri: &str,
        head: &[u8],
    ) {
        match method {
            Method::Ack => self.on_ack(now, request),
            Method::Cancel => self.on_cancel(now, request),
            _ if self.layer.absorb(request, method) => {}
            _ => match request.essentials.to_tag {
                Some(tag) => self.on_request_within(now, request, method, tag),
                None if self.is_refused_outside(request, method, uri) => {}
                None => self.on_invite(now, request, head),
            },
        }
    }

    /// A request with a fault is told so, unless it is an ACK, which is never answered.
    fn on_unsound(&mut self, from: Flow, message: &Message<'_>, fault: Fault) {
        self.layer.counters.malformed += 1;
        if message.method().is_none_or(|method| method == Method::Ack) {
            return;
        }
        let reason = fault.to_string();
        let refusal = Refusal {
            code: fault.status(),
            reason: Some(&reason),
            fields: &[],
        };
        self.layer.reply_unsound(from, message, refusal);
    }

    fn on_response(&mut self, now: Instant, response: &Response<'_>) {
        let Some(heard) = self.layer.match_response(response) else {
            self.layer.counters.stray += 1;
            return;
        };
        let owner = match heard.usage {
            Usage::Invite(call) | Usage::Bye(call) | Usage::Info(call) => Some(call),
            Usage::Stray | Usage::Unwatched => None,
        };
        let call = owner.and_then(|owner| self.calls.get(owner));
        // The branch alone has brought it here; the rest of its identity must be ours too.
        if call.is_some_and(|call| !call.owns(response)) {
            self.layer.counters.stray += 1;
            return;
        }
        let is_gone = call.is_none();
        let client = heard.client;
        if !self.layer.on_response(now, response, client) {
            return;
        }
        let code = response.code;
        match heard.usage {
            Usage::Invite(_) if is_gone => match code {
                200..300 => end_stray(&mut self.layer, now, client, response),
                _ => drop(self.layer.take_request(client)),
            },
            Usage::Invite(call) => {
                self.with_call(now, call, |call, context| {
                    call.on_invite_response(context, client, response);
                });
            }
            Usage::Bye(call) => {
                self.with_call(now, call, |call, context| {
                    call.on_bye_response(context, client, response);
                });
            }
            Usage::Info(call) => {
                self.with_call(now, call, |call, context| {
                    call.on_info_response(context, client, response);
                });
            }
            Usage::Stray if matches!(code, 401 | 407) => {
                retry_stray(&mut self.layer, now, client, response);
            }
            Usage::Stray | Usage::Unwatched => {}
        }
    }

    /// The call that gave out the To tag of a request.
    fn find_call(&self, tag: &str, request: &Received<'_>) -> Option<Handle> {
        let cookie = Cookie::parse(tag)?;
        let call = self.calls.get(cookie.handle)?;
        call.is_named(cookie, request.essentials.call_id)
            .then_some(cookie.handle)
    }

    fn on_ack(&mut self, now: Instant, ack: &Received<'_>) {
        if self.layer.absorb_ack(now, ack) {
            return;
        }
        match self.find_call(ack.to_tag(), ack) {
            Some(call) => {
                self.with_call(now, call, |call, context| call.on_ack(context, ack));
            }
            None => self.layer.counters.stray += 1,
        }
    }

    /// Needs no transaction: the same CANCEL gets the same answer (RFC 3261 9.2).
    fn on_cancel(&mut self, now: Instant, cancel: &Received<'_>) {
        let Some(call) = self.layer.cancelled(cancel) else {
            return self.layer.reply(cancel, Refusal::plain(481));
        };
        let ok = Refusal::plain(200);
        match call.and_then(|call| Some((call, self.calls.get(call)?.tag()))) {
            Some((call, tag)) => {
                self.layer.reply_with_tag(cancel, tag, ok);
                self.with_call(now, call, |call, context| {
                    call.on_cancel(context, cancel.message);
                });
            }
            None => self.layer.reply(cancel, ok),
        }
    }

    fn on_request_within(
        &mut self,
        now: Instant,
        request: &Received<'_>,
        method: Method<'_>,
        tag: &str,
    ) {
        let Some(call) = self.find_call(tag, request) else {
            return self.layer.reply(request, Refusal::plain(481));
        };
        let server = self.layer.serve(request, method, None);
        // A BYE is obeyed even where its repetition would find nothing any more.
        if server.is_none() && method != Method::Bye {
            return self.turn_away(request);
        }
        let asked = Asked {
            server,
            request,
            method,
        };
        self.with_call(now, call, |call, context| call.on_request(context, &asked));
        if let Some(server) = server {
            self.layer.close_unanswered(server);
        }
    }

    /// Requests without a To tag, all but an INVITE that may become a call: answered without a
    /// transaction.
    fn is_refused_outside(
        &mut self,
        request: &Received<'_>,
        method: Method<'_>,
        uri: &str,
    ) -> bool {
        let unsupported = unsupported(request.message);
        let fields: &[(Name, &str)];
        let code = match method {
            Method::Bye | Method::Info | Method::Update | Method::Prack | Method::Notify => {
                fields = &[];
                481
            }
            Method::Invite | Method::Options => {
                if Uri::parse(uri).is_ok_and(|uri| matches!(uri.scheme(), Scheme::Other(_))) {
                    fields = &[];
                    416
                } else if let Some(unsupported) = &unsupported {
                    let unsupported = [(Name::Unsupported, unsupported.as_str())];
                    self.reply_with(request, 420, &unsupported);
                    return true;
                } else if method == Method::Options {
                    fields = &[(Name::Allow, ALLOW), (Name::Accept, ACCEPT)];
                    200
                } else {
                    return false;
                }
            }
            _ => {
                fields = &[(Name::Allow, ALLOW)];
                405
            }
        };
        self.reply_with(request, code, fields);
        true
    }

    fn on_invite(&mut self, now: Instant, invite: &Received<'_>, head: &[u8]) {
        if !self.config.takes_calls {
            return self.layer.reply(invite, Refusal::plain(403));
        }
        if self.layer.is_merged(invite) {
            return self.layer.reply(invite, Refusal::plain(482));
        }
        if invite.message.contact().is_err() {
            let refusal = Refusal {
                code: 400,
                reason: Some("Missing Contact header field"),
                fields: &[],
            };
            return self.layer.reply(invite, refusal);
        }
        let call_id = Arc::from(invite.essentials.call_id);
        let auth = Authenticator::new(None);
        let Some(call) = self.new_call(call_id, Sources::NextHop, auth) else {
            return self.turn_away(invite);
        };
        let server = self.layer.serve(invite, Method::Invite, Some(call));
        let Some(server) = server else {
            // Never announced, so it goes without a word.
            self.with_call(now, call, |_, _| ());
            return self.turn_away(invite);
        };
        let unanswered_after = self.config.unanswered_after.min(LONGEST_RING);
        let alerted = self.with_call(now, call, |call, context| {
            let alerted = call.alert(now, server, invite, head, unanswered_after);
            if alerted {
                let trying = Refusal::plain(100);
                context
                    .layer
                    .refuse(now, server, invite.message, None, trying);
                context.events.push_back(Event::Incoming {
                    call: call.id(),
                    invite: Box::new(described(invite)),
                });
            }
            alerted
        });
        if alerted != Some(true) {
            self.layer.close_unanswered(server);
            self.layer.reply(invite, Refusal::plain(400));
        }
    }

    fn turn_away(&mut self, request: &Received<'_>) {
        self.layer.counters.turned_away += 1;
        self.reply_with(request, 503, &[(Name::RetryAfter, TRY_AGAIN)]);
    }

    fn reply_with(&mut self, request: &Received<'_>, code: u16, fields: &[(Name, &str)]) {
        let refusal = Refusal {
            code,
            reason: None,
            fields,
        };
        self.layer.reply(request, refusal);
    }
}

/// A datagram up to its body: what responses are made from.
fn head_of<'a>(data: &'a [u8], message: &Message<'_>) -> &'a [u8] {
    let behind = message.body().as_ptr() as usize;
    let length = behind.saturating_sub(data.as_ptr() as usize);
    data.get(..length).unwrap_or(data)
}

/// What the app is told of an INVITE.
fn described(invite: &Received<'_>) -> IncomingInvite {
    let message = invite.message;
    let field = |name| message.header(name).map(|value| Box::<str>::from(&*value));
    let request_uri = match message.start() {
        StartLine::Request { uri, .. } => Box::from(uri),
        StartLine::Response { .. } => Box::default(),
    };
    IncomingInvite {
        source: invite.from.remote,
        request_uri,
        from: field(Name::From).unwrap_or_default(),
        to: field(Name::To).unwrap_or_default(),
        call_id: Box::from(invite.essentials.call_id),
        sdp: Box::from(message.body()),
        authorization: field(Name::Authorization),
        proxy_authorization: field(Name::ProxyAuthorization),
    }
}
