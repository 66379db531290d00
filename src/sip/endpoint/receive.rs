//! From a datagram to whom it concerns (RFC 3261 8.1.3, 8.2, 12.2.2, 18).

use std::sync::Arc;
use std::time::Instant;

use super::Endpoint;
use crate::sip::call::{
    ACCEPT, ALLOW, Asked, Authenticator, Event, IncomingInvite, end_stray, retry_stray, unsupported,
};
use crate::sip::message::{Message, Method, Name, ParseError, Scheme, StartLine, Uri, Via};
use crate::sip::transaction::{Cookie, Flow, Handle, Refusal, Sources, Usage};

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
        let sound = message.validate();
        if sound.is_err() {
            self.layer.counters.malformed += 1;
        }
        match (message.start(), sound) {
            (StartLine::Response { code, .. }, Ok(())) => {
                self.on_response(now, from, &message, code);
            }
            (StartLine::Request { method, uri }, Ok(())) => {
                let head = head_of(data, &message);
                self.on_request(now, from, &message, head, method, uri);
            }
            // An ACK is never answered.
            (StartLine::Response { .. }, Err(_))
            | (
                StartLine::Request {
                    method: Method::Ack,
                    ..
                },
                Err(_),
            ) => {}
            (StartLine::Request { .. }, Err(fault)) => {
                let reason = fault.to_string();
                let refusal = Refusal {
                    code: fault.status(),
                    reason: Some(&reason),
                    fields: &[],
                };
                self.layer.reply(from, &message, refusal);
            }
        }
    }

    fn on_response(&mut self, now: Instant, from: Flow, response: &Message<'_>, code: u16) {
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
        if !self.layer.on_response(now, from, response, code, client) {
            return;
        }
        match heard.usage {
            Usage::Invite(_) if is_gone => match code {
                200..300 => end_stray(&mut self.layer, now, from, client, response),
                _ => drop(self.layer.take_request(client)),
            },
            Usage::Invite(call) => {
                self.with_call(now, call, |call, context| {
                    call.on_invite_response(context, from, client, response, code);
                });
            }
            Usage::Bye(call) => {
                self.with_call(now, call, |call, context| {
                    call.on_bye_response(context, client, response, code);
                });
            }
            Usage::Info(call) => {
                self.with_call(now, call, |call, context| {
                    call.on_info_response(context, client, response, code);
                });
            }
            Usage::Stray if matches!(code, 401 | 407) => {
                retry_stray(&mut self.layer, now, client, response, code);
            }
            Usage::Stray | Usage::Unwatched => {}
        }
    }

    fn on_request(
        &mut self,
        now: Instant,
        from: Flow,
        request: &Message<'_>,
        head: &[u8],
        method: Method<'_>,
        uri: &str,
    ) {
        let (Ok(via), Ok(to)) = (request.via(), request.to()) else {
            return;
        };
        match method {
            Method::Ack => return self.on_ack(now, request, &via),
            Method::Cancel => return self.on_cancel(now, from, request, &via),
            _ if self.layer.absorb(request, &via, method) => return,
            _ => {}
        }
        match to.tag() {
            Some(tag) => match self.find_call(tag, request) {
                Some(call) => self.on_request_within(now, from, request, &via, method, call),
                None => self.layer.reply(from, request, Refusal::plain(481)),
            },
            None if self.is_refused_outside(from, request, method, uri) => {}
            None => self.on_invite(now, from, request, head, &via),
        }
    }

    /// The call that gave out this tag.
    fn find_call(&self, tag: &str, request: &Message<'_>) -> Option<Handle> {
        let cookie = Cookie::parse(tag)?;
        let call = self.calls.get(cookie.handle)?;
        call.is_named(cookie, request.call_id().ok()?)
            .then_some(cookie.handle)
    }

    fn on_ack(&mut self, now: Instant, ack: &Message<'_>, via: &Via<'_>) {
        if self.layer.absorb_ack(now, ack, via) {
            return;
        }
        let tag = ack.to().ok().and_then(|to| to.tag());
        match tag.and_then(|tag| self.find_call(tag, ack)) {
            Some(call) => {
                self.with_call(now, call, |call, context| call.on_ack(context, ack));
            }
            None => self.layer.counters.stray += 1,
        }
    }

    /// Needs no transaction: the same CANCEL gets the same answer (RFC 3261 9.2).
    fn on_cancel(&mut self, now: Instant, from: Flow, cancel: &Message<'_>, via: &Via<'_>) {
        let Some(call) = self.layer.cancelled(cancel, via) else {
            return self.layer.reply(from, cancel, Refusal::plain(481));
        };
        let ok = Refusal::plain(200);
        match call.and_then(|call| Some((call, self.calls.get(call)?.tag()))) {
            Some((call, tag)) => {
                self.layer.reply_with_tag(from, cancel, via, Some(tag), ok);
                self.with_call(now, call, |call, context| call.on_cancel(context, cancel));
            }
            None => self.layer.reply(from, cancel, ok),
        }
    }

    fn on_request_within(
        &mut self,
        now: Instant,
        from: Flow,
        request: &Message<'_>,
        via: &Via<'_>,
        method: Method<'_>,
        call: Handle,
    ) {
        let server = self.layer.serve(from, request, via, method, None);
        // A BYE is obeyed even where its repetition would find nothing any more.
        if server.is_none() && method != Method::Bye {
            return self.turn_away(from, request);
        }
        let asked = Asked {
            from,
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
        from: Flow,
        request: &Message<'_>,
        method: Method<'_>,
        uri: &str,
    ) -> bool {
        let unsupported = unsupported(request);
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
                    self.reply_with(from, request, 420, &unsupported);
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
        self.reply_with(from, request, code, fields);
        true
    }

    fn on_invite(
        &mut self,
        now: Instant,
        from: Flow,
        invite: &Message<'_>,
        head: &[u8],
        via: &Via<'_>,
    ) {
        if !self.config.takes_calls {
            return self.layer.reply(from, invite, Refusal::plain(403));
        }
        if self.layer.is_merged(invite) {
            return self.layer.reply(from, invite, Refusal::plain(482));
        }
        let Ok(call_id) = invite.call_id() else {
            return;
        };
        if invite.contact().is_err() {
            let refusal = Refusal {
                code: 400,
                reason: Some("Missing Contact header field"),
                fields: &[],
            };
            return self.layer.reply(from, invite, refusal);
        }
        let auth = Authenticator::new(None);
        let Some(call) = self.new_call(Arc::from(call_id), Sources::NextHop, auth) else {
            return self.turn_away(from, invite);
        };
        let server = self
            .layer
            .serve(from, invite, via, Method::Invite, Some(call));
        let Some(server) = server else {
            // Never announced, so it goes without a word.
            self.with_call(now, call, |_, _| ());
            return self.turn_away(from, invite);
        };
        let unanswered_after = self.config.unanswered_after;
        let alerted = self.with_call(now, call, |call, context| {
            let alerted = call.alert(now, server, from, invite, head, unanswered_after);
            if alerted {
                context
                    .layer
                    .refuse(now, server, invite, None, Refusal::plain(100));
                context.events.push_back(Event::Incoming {
                    call: call.id(),
                    invite: Box::new(described(from, invite)),
                });
            }
            alerted
        });
        if alerted != Some(true) {
            self.layer.close_unanswered(server);
            self.layer.reply(from, invite, Refusal::plain(400));
        }
    }

    fn turn_away(&mut self, from: Flow, request: &Message<'_>) {
        self.layer.counters.turned_away += 1;
        self.reply_with(from, request, 503, &[(Name::RetryAfter, TRY_AGAIN)]);
    }

    fn reply_with(
        &mut self,
        from: Flow,
        request: &Message<'_>,
        code: u16,
        fields: &[(Name, &str)],
    ) {
        let refusal = Refusal {
            code,
            reason: None,
            fields,
        };
        self.layer.reply(from, request, refusal);
    }
}

/// A datagram up to its body: what responses are made from.
fn head_of<'a>(data: &'a [u8], message: &Message<'_>) -> &'a [u8] {
    let behind = message.body().as_ptr() as usize;
    let length = behind.saturating_sub(data.as_ptr() as usize);
    data.get(..length).unwrap_or(data)
}

/// What the app is told of an INVITE.
fn described(from: Flow, invite: &Message<'_>) -> IncomingInvite {
    let field = |name| invite.header(name).map(|value| Box::<str>::from(&*value));
    let request_uri = match invite.start() {
        StartLine::Request { uri, .. } => Box::from(uri),
        StartLine::Response { .. } => Box::default(),
    };
    IncomingInvite {
        source: from.remote,
        request_uri,
        from: field(Name::From).unwrap_or_default(),
        to: field(Name::To).unwrap_or_default(),
        call_id: field(Name::CallId).unwrap_or_default(),
        sdp: Box::from(invite.body()),
        authorization: field(Name::Authorization),
        proxy_authorization: field(Name::ProxyAuthorization),
    }
}
