//! The INVITE we send: ringing, answered, refused, challenged, given up.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::event::Event;
use super::failure::{CallFailure, Cause, retry_after};
use super::forwarding::ForwardingsSeen;
use super::invitation::{Invitation, InviteError, bracketed};
use super::{ALLOW, Call, Context, State, end_stray, stray};
use crate::sip::dialog::Dialog;
use crate::sip::message::{Message, Method, Name, Writer};
use crate::sip::transaction::{Flow, Handle, NotBegun, Opening, Response, Usage, resend};

/// The CSeq number of a call's first request.
const FIRST_SEQ: u32 = 1;
/// Most forks whose early dialogs are kept.
const MOST_EARLY: usize = 8;
/// Most provisional bodies told of.
const MOST_PROGRESS: u8 = 8;
/// Most PRACKs for one fork: a phone that rings has no use for a tenth of them.
const MOST_PRACKS: u32 = 32;
/// Most octets of an answer that is kept until the 2xx; ten times what a phone's audio takes.
const MOST_ANSWER: usize = 4096;
/// The longest that anything may ring.
pub(crate) const LONGEST_RING: Duration = Duration::from_secs(24 * 60 * 60);
/// Why we cancel when nobody picked up (RFC 3326).
const RANG_OUT: &str = "Q.850;cause=19;text=\"No answer\"";

/// A fork that rings. A dialog is kept only where we have to speak in it.
struct Early {
    tag: Box<str>,
    remote_seq: Option<u32>,
    /// The last reliable provisional response that was acknowledged (RFC 3262 4), if one was.
    reliable: Option<(Option<u32>, Box<Dialog>)>,
    /// The answer in the first of them that had one: it counts, and need not be repeated in the
    /// 2xx (RFC 3262 5, RFC 6337 2.2).
    answer: Option<Box<[u8]>>,
}

impl Early {
    /// Keeps the answer of a reliable provisional response.
    fn keep_answer(&mut self, message: &Message<'_>) {
        let answer = message.sdp().filter(|sdp| sdp.len() <= MOST_ANSWER);
        if self.answer.is_none() {
            self.answer = answer.map(Box::from);
        }
    }
}

/// An INVITE without a final response.
pub(super) struct Inviting {
    invite: Handle,
    /// Its CSeq number.
    seq: u32,
    to: Flow,
    give_up_at: Instant,
    /// Whether a provisional response came: none, no CANCEL (RFC 3261 9.1).
    is_proceeding: bool,
    is_trying: bool,
    is_ringing: bool,
    progress: u8,
    forwardings: ForwardingsSeen,
    early: SmallVec<[Early; 1]>,
}

impl Inviting {
    fn new(invite: Handle, seq: u32, to: Flow, give_up_at: Instant) -> Inviting {
        Inviting {
            invite,
            seq,
            to,
            give_up_at,
            is_proceeding: false,
            is_trying: false,
            is_ringing: false,
            progress: 0,
            forwardings: ForwardingsSeen::default(),
            early: SmallVec::new(),
        }
    }

    pub(super) fn give_up_at(&self) -> Instant {
        self.give_up_at
    }

    /// Where requests within the call may come from.
    pub(super) fn next_hop(&self) -> Flow {
        self.to
    }

    /// Whether a fork of that tag rings; takes note of its request's number.
    pub(super) fn speaks(&mut self, tag: &str) -> Option<&mut Option<u32>> {
        let early = self.early.iter_mut().find(|early| *early.tag == *tag)?;
        Some(&mut early.remote_seq)
    }
}

/// An INVITE whose answer no longer matters.
pub(super) struct Cancelling {
    invite: Handle,
    seq: u32,
    /// When to wait no longer for the final response; set once the CANCEL is out.
    give_up_at: Option<Instant>,
    reason: Option<&'static str>,
}

impl Cancelling {
    pub(super) fn give_up_at(&self) -> Option<Instant> {
        self.give_up_at
    }
}

impl Call {
    /// Sends the INVITE.
    pub(crate) fn dial(
        &mut self,
        context: &mut Context<'_>,
        invitation: &Invitation,
    ) -> Result<(), InviteError> {
        let user = invitation.check()?;
        let opening = self.opening(invitation.to);
        let (tag, call_id) = (self.tag, self.call_id.clone());
        let invite = context
            .layer
            .begin(context.now, opening, |buffer, identity, cookie| {
                let mut writer = Writer::request(buffer, Method::Invite, &invitation.request_uri);
                identity.write_via(&mut writer, cookie);
                let (open, from, close) = bracketed(&invitation.from);
                writer.header(Name::MaxForwards, "70").header_parts(
                    Name::From,
                    &[open, from, close, ";tag=", tag.text().as_str()],
                );
                let (open, to, close) = bracketed(&invitation.to_uri);
                writer
                    .header_parts(Name::To, &[open, to, close])
                    .header(Name::CallId, &call_id)
                    .header_fmt(Name::CSeq, format_args!("{FIRST_SEQ} INVITE"));
                identity.write_contact(&mut writer, user);
                writer
                    .header(Name::Allow, ALLOW)
                    // So that a proxy that forwards the call tells us (RFC 7044 9.1).
                    .header(Name::Supported, "histinfo")
                    .header(Name::UserAgent, &identity.user_agent);
                for (name, value) in &invitation.fields {
                    writer.header(*name, value);
                }
                if !invitation.sdp.is_empty() {
                    writer.body("application/sdp", &invitation.sdp);
                }
                writer.finish()
            })?;
        self.is_announced = true;
        let give_up_at = context.now + invitation.ring_time.min(LONGEST_RING);
        self.state = State::Inviting(Box::new(Inviting::new(
            invite,
            FIRST_SEQ,
            invitation.to,
            give_up_at,
        )));
        Ok(())
    }

    fn opening(&self, to: Flow) -> Opening {
        Opening {
            method: Method::Invite,
            usage: Usage::Invite(self.id.0),
            flow: to,
            sources: self.sources.clone(),
            account: self.auth.account(),
        }
    }

    /// A response to an INVITE of this call, its first or the one that answers a challenge.
    pub(crate) fn on_invite_response(
        &mut self,
        context: &mut Context<'_>,
        client: Handle,
        response: &Response<'_>,
    ) {
        let current = match &self.state {
            State::Inviting(inviting) => inviting.invite == client,
            State::Cancelling(cancelling) => cancelling.invite == client,
            _ => false,
        };
        match response.code {
            ..200 if current => self.on_provisional(context, response),
            ..200 => {}
            200..300 if current => self.on_accepted(context, client, response),
            200..300 => end_stray(context.layer, context.now, client, response),
            _ => {
                let request = context.layer.take_request(client);
                if current {
                    self.on_refused(context, &request, response);
                }
            }
        }
    }

    fn on_provisional(&mut self, context: &mut Context<'_>, response: &Response<'_>) {
        let call = self.id;
        let inviting = match &mut self.state {
            State::Inviting(inviting) => inviting,
            State::Cancelling(_) => return self.send_cancel(context),
            _ => return,
        };
        let code = response.code;
        inviting.is_proceeding = true;
        if code == 100 {
            if !inviting.is_trying {
                inviting.is_trying = true;
                context.events.push_back(Event::Trying { call });
            }
            return;
        }
        for how in inviting.forwardings.look(response.message, response.code) {
            context.events.push_back(Event::Forwarded { call, how });
        }
        if code == 180 && !inviting.is_ringing {
            inviting.is_ringing = true;
            context.events.push_back(Event::Ringing { call });
        }
        if !response.message.body().is_empty() && inviting.progress < MOST_PROGRESS {
            inviting.progress += 1;
            context.events.push_back(Event::Progress {
                call,
                status: code,
                sdp: Box::from(response.message.body()),
            });
        }
        let tag = response.to_tag;
        if tag.is_empty() {
            return;
        }
        if inviting.speaks(tag).is_none() {
            if inviting.early.len() >= MOST_EARLY {
                return;
            }
            inviting.early.push(Early {
                tag: Box::from(tag),
                remote_seq: None,
                reliable: None,
                answer: None,
            });
        }
        if response.message.has_token(Name::Require, "100rel") {
            self.on_reliable_provisional(context, response);
        }
    }

    /// We do not offer 100rel, yet there are gateways that send reliable provisional responses
    /// to everybody and do not let the phone ring without a PRACK (RFC 3262 4). So they get it.
    fn on_reliable_provisional(&mut self, context: &mut Context<'_>, response: &Response<'_>) {
        let Ok(Some(number)) = response.message.number(Name::RSeq) else {
            return;
        };
        let sources = self.sources.clone();
        let tag = response.to_tag;
        let State::Inviting(inviting) = &mut self.state else {
            return;
        };
        let invite_seq = inviting.seq;
        let Some(early) = inviting.early.iter_mut().find(|early| *tag == *early.tag) else {
            return;
        };
        let (last, dialog) = early.reliable.get_or_insert_with(|| {
            let dialog = Dialog::from_response(response, invite_seq);
            (None, Box::new(dialog))
        });
        // The same again is the PRACK's affair; one out of order is not acknowledged.
        if last.is_some_and(|last| last.checked_add(1) != Some(number)) {
            return;
        }
        // The room beyond the limit is for what ends calls.
        if context.layer.is_full() || dialog.local_seq().saturating_sub(invite_seq) >= MOST_PRACKS {
            return;
        }
        let opening = Opening {
            method: Method::Prack,
            usage: Usage::Unwatched,
            flow: dialog.next_hop(),
            sources,
            account: None,
        };
        let seq = dialog.next_seq();
        // Without room the gateway repeats itself and gets it then; the next RSeq waits for this one.
        let sent = context
            .layer
            .begin(context.now, opening, |buffer, identity, cookie| {
                let mut writer = dialog.request(buffer, identity, cookie, Method::Prack, seq);
                writer.header_fmt(Name::RAck, format_args!("{number} {invite_seq} INVITE"));
                writer.finish()
            });
        if sent.is_ok() {
            *last = Some(number);
            early.keep_answer(response.message);
        }
    }

    fn on_accepted(&mut self, context: &mut Context<'_>, client: Handle, response: &Response<'_>) {
        let invite = context.layer.take_request(client);
        let seq = match &self.state {
            State::Inviting(inviting) => inviting.seq,
            State::Cancelling(cancelling) => cancelling.seq,
            _ => return,
        };
        let mut dialog = Box::new(Dialog::from_response(response, seq));
        let state = std::mem::replace(&mut self.state, State::Over);
        let authenticates = self.auth.is_challenged() && dialog.is_trusted(&self.sources);
        let challenged = authenticates.then_some(&*invite);
        if !stray::acknowledge(context.layer, client, &dialog, challenged) {
            if matches!(state, State::Inviting(_)) {
                self.tell_failed(context, CallFailure::Unusable, Some(response));
            }
            return;
        }
        let call = self.id;
        match state {
            State::Inviting(mut inviting) => {
                for how in inviting.forwardings.look(response.message, response.code) {
                    context.events.push_back(Event::Forwarded { call, how });
                }
                let body = response.message.body();
                // Of a multipart body, as of SIP-I, the description alone.
                let mut sdp = response.message.sdp().unwrap_or(body);
                // A PRACK went before, and INFO may have come.
                if let Some(early) = inviting
                    .early
                    .iter()
                    .find(|early| *early.tag == *dialog.remote_tag())
                {
                    dialog.set_remote_seq(early.remote_seq);
                    if let Some((_, spoken)) = &early.reliable {
                        dialog.go_on_from(spoken);
                    }
                    if let Some(answer) = &early.answer
                        && has_no_answer(response.message)
                    {
                        sdp = answer;
                    }
                }
                context.events.push_back(Event::Answered {
                    call,
                    sdp: Box::from(sdp),
                    dialog: dialog.id(self.tag),
                    source: response.from.remote,
                });
                self.state = State::Confirmed(dialog);
            }
            // It crossed our CANCEL, or came instead of the provisional response we waited for.
            _ => {
                self.state = State::Confirmed(dialog);
                self.leave(context);
            }
        }
    }

    fn on_refused(&mut self, context: &mut Context<'_>, request: &[u8], response: &Response<'_>) {
        let State::Inviting(inviting) = &self.state else {
            self.state = State::Over;
            return;
        };
        let (seq, to, give_up_at) = (inviting.seq, inviting.to, inviting.give_up_at);
        let code = response.code;
        let is_challenge = matches!(code, 401 | 407);
        if is_challenge && self.auth.hear(code, response.message).is_ok() {
            let opening = self.opening(to);
            let auth = &mut self.auth;
            let seq = seq.saturating_add(1);
            let sent = resend(
                context.layer,
                context.now,
                opening,
                request,
                seq,
                |layer, method, uri, body| auth.answers(method, uri, body, || layer.random()).ok(),
            );
            match sent {
                Ok(invite) => {
                    self.state =
                        State::Inviting(Box::new(Inviting::new(invite, seq, to, give_up_at)));
                    return;
                }
                Err(NotBegun::Full) => {
                    self.tell_failed(context, CallFailure::Overloaded, Some(response));
                    self.state = State::Over;
                    return;
                }
                // No answer to a challenge of a kind we do not know.
                Err(NotBegun::Unwritable(_)) => {}
            }
        }
        let failure = CallFailure::from_status(code);
        self.tell_failed(context, failure, Some(response));
        self.state = State::Over;
    }

    /// Timer B, or the transport says that there is no way.
    pub(crate) fn on_invite_lost(
        &mut self,
        context: &mut Context<'_>,
        client: Handle,
        failure: CallFailure,
    ) {
        match &self.state {
            State::Inviting(inviting) if inviting.invite == client => {
                self.tell_failed(context, failure, None);
                self.state = State::Over;
            }
            State::Cancelling(cancelling) if cancelling.invite == client => {
                self.state = State::Over;
            }
            _ => {}
        }
    }

    pub(super) fn on_ring_time_over(&mut self, context: &mut Context<'_>) {
        let failure = match &self.state {
            State::Inviting(inviting) if !inviting.is_proceeding => CallFailure::NoResponse,
            _ => CallFailure::RingTimeLimit,
        };
        self.tell_failed(context, failure, None);
        self.give_up(context, Some(RANG_OUT));
    }

    /// The outcome is told; what is left is to take the INVITE back.
    pub(super) fn give_up(&mut self, context: &mut Context<'_>, reason: Option<&'static str>) {
        let State::Inviting(inviting) = &self.state else {
            return;
        };
        let is_proceeding = inviting.is_proceeding;
        self.state = State::Cancelling(Cancelling {
            invite: inviting.invite,
            seq: inviting.seq,
            give_up_at: None,
            reason,
        });
        if is_proceeding {
            self.send_cancel(context);
        }
    }

    fn send_cancel(&mut self, context: &mut Context<'_>) {
        let State::Cancelling(cancelling) = &mut self.state else {
            return;
        };
        if cancelling.give_up_at.is_none() {
            context
                .layer
                .cancel(context.now, cancelling.invite, cancelling.reason);
            cancelling.give_up_at = Some(context.now + context.layer.timing.patience());
        }
    }

    /// 64*T1 after the CANCEL there is still no final response (RFC 3261 9.1).
    pub(super) fn on_cancel_unanswered(&mut self, context: &mut Context<'_>) {
        if let State::Cancelling(cancelling) = &self.state {
            context.layer.abandon(cancelling.invite);
            self.state = State::Over;
        }
    }

    fn tell_failed(
        &self,
        context: &mut Context<'_>,
        failure: CallFailure,
        response: Option<&Response<'_>>,
    ) {
        context.events.push_back(Event::Failed {
            call: self.id,
            failure,
            status: response.map(|response| response.code),
            cause: response
                .map(|response| Cause::of(response.message))
                .unwrap_or_default(),
            retry_after: response.and_then(|response| retry_after(response.message)),
        });
    }
}

/// Whether a 2xx has no body, or one of another kind alone, as ISUP is.
fn has_no_answer(message: &Message<'_>) -> bool {
    message.body().is_empty() || (message.content_type().is_some() && message.sdp().is_none())
}
