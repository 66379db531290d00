//! Requests of the peer within a call (RFC 3261 12.2.2).
//!
//! What is refused, and how:
//!
//! - re-INVITE: 488. The session stays as it is (14.2), and that is what we want of it: media from
//!   another place is what an attacker would ask for. 491 while our own INVITE or its ACK is under
//!   way, 500 with Retry-After while the peer's first one is unanswered.
//! - UPDATE with an offer: likewise (RFC 3311 5.2). Without one it changes nothing of the session,
//!   as a refresh of a session timer does, and is answered 200; 403 from a host whose word does
//!   not count, for it may move the remote target.
//! - REFER: 603, NOTIFY: 481 (there is no subscription), PRACK: 481 (nothing we send asks for one),
//!   anything else: 405 with Allow.
//! - INFO: 200 for the two bodies that carry keys, and for none; 469 where it asks for an info
//!   package (RFC 6086), 415 for other bodies, 403 from a host whose word does not count.

use super::event::{Ending, Event, InfoContent, Party};
use super::failure::Cause;
use super::{ACCEPT, ACCEPT_INFO, ALLOW, Call, Context, State};
use crate::sip::dialog::accept_seq;
use crate::sip::message::{Message, Method, Name};
use crate::sip::transaction::{Flow, Handle, Received, Refusal};

/// Most octets of an INFO body: a key takes thirty.
const MOST_INFO: usize = 1024;

/// Where the call stands, as far as a request within it is concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Our INVITE rings.
    Calling,
    /// The peer's INVITE rings.
    Called,
    /// We answered, its ACK is under way.
    Answered,
    /// Up.
    Up,
    /// We left.
    Left,
}

/// A request within the call, and how it is answered.
pub(crate) struct Asked<'a> {
    /// Its transaction; none where there was no room for one.
    pub(crate) server: Option<Handle>,
    pub(crate) request: &'a Received<'a>,
    pub(crate) method: Method<'a>,
}

impl Asked<'_> {
    fn answer(&self, context: &mut Context<'_>, refusal: Refusal<'_>) {
        match self.server {
            Some(server) => {
                context
                    .layer
                    .refuse(context.now, server, self.request.message, None, refusal);
            }
            None => context.layer.reply(self.request, refusal),
        }
    }

    fn with(&self, context: &mut Context<'_>, code: u16, fields: &[(Name, &str)]) {
        let refusal = Refusal {
            code,
            reason: None,
            fields,
        };
        self.answer(context, refusal);
    }
}

impl Call {
    /// A request with our tag and Call-ID.
    pub(crate) fn on_request(&mut self, context: &mut Context<'_>, asked: &Asked<'_>) {
        let (tag, cseq) = (
            asked.request.essentials.from_tag,
            asked.request.essentials.cseq,
        );
        let Some((standing, spoken_to)) = self.standing_of(tag) else {
            return asked.answer(context, Refusal::plain(481));
        };
        if standing == Standing::Left && asked.method != Method::Bye {
            return asked.answer(context, Refusal::plain(481));
        }
        if !self.accept_seq(tag, cseq.number) {
            return asked.answer(context, Refusal::plain(500));
        }
        if !is_known(asked.method) {
            return asked.with(context, 405, &[(Name::Allow, ALLOW)]);
        }
        if let Some(unsupported) = unsupported(asked.request.message) {
            return asked.with(context, 420, &[(Name::Unsupported, &unsupported)]);
        }
        match asked.method {
            Method::Bye => self.on_bye(context, asked, standing),
            Method::Info => self.on_info(context, asked, spoken_to),
            Method::Options => asked.with(
                context,
                200,
                &[(Name::Allow, ALLOW), (Name::Accept, ACCEPT)],
            ),
            Method::Invite => self.refuse_offer(context, asked, standing),
            Method::Update if asked.request.message.body().is_empty() => {
                self.on_refresh(context, asked, spoken_to)
            }
            Method::Update => self.refuse_offer(context, asked, standing),
            Method::Refer => asked.answer(context, Refusal::plain(603)),
            _ => asked.answer(context, Refusal::plain(481)),
        }
    }

    /// Whether the tag is that of the peer, or of a fork that rings; and where it was heard from
    /// and is spoken to.
    fn standing_of(&mut self, tag: &str) -> Option<(Standing, [Flow; 2])> {
        let (standing, dialog) = match &mut self.state {
            State::Inviting(inviting) => {
                let next_hop = inviting.next_hop();
                inviting.speaks(tag)?;
                return Some((Standing::Calling, [next_hop; 2]));
            }
            State::Alerting(alerting) => (Standing::Called, &*alerting.dialog()),
            State::Unacknowledged(answered) => (Standing::Answered, &*answered.dialog()),
            State::Confirmed(dialog) => (Standing::Up, &**dialog),
            State::Leaving { dialog, .. } => (Standing::Left, &**dialog),
            State::Cancelling(_) | State::Over => return None,
        };
        (dialog.remote_tag() == tag).then(|| (standing, [dialog.heard_from(), dialog.next_hop()]))
    }

    fn accept_seq(&mut self, tag: &str, number: u32) -> bool {
        match &mut self.state {
            State::Inviting(inviting) => inviting
                .speaks(tag)
                .is_some_and(|last| accept_seq(last, number)),
            State::Alerting(alerting) => alerting.dialog().accept_seq(number),
            State::Unacknowledged(answered) => answered.dialog().accept_seq(number),
            State::Confirmed(dialog) | State::Leaving { dialog, .. } => dialog.accept_seq(number),
            State::Cancelling(_) | State::Over => false,
        }
    }

    fn on_bye(&mut self, context: &mut Context<'_>, asked: &Asked<'_>, standing: Standing) {
        if standing == Standing::Calling {
            // A callee cannot hang up what it has not answered (RFC 3261 15).
            return asked.answer(context, Refusal::plain(481));
        }
        asked.answer(context, Refusal::plain(200));
        let cause = Cause::of(asked.request.message);
        match standing {
            Standing::Called => self.on_early_bye(context, asked.request.message),
            Standing::Answered | Standing::Up => {
                self.stop_repeating(context);
                let has_left =
                    matches!(&self.state, State::Unacknowledged(answered) if answered.is_leaving());
                if !has_left {
                    self.tell_ended(context, Party::Remote, Ending::HungUp, cause);
                }
                self.state = State::Over;
            }
            // The two BYEs crossed: ours will be answered, and that is the end.
            Standing::Left | Standing::Calling => {}
        }
    }

    fn on_info(&mut self, context: &mut Context<'_>, asked: &Asked<'_>, spoken_to: [Flow; 2]) {
        let request = asked.request.message;
        if !self.believes(asked.request.from, spoken_to) {
            context.layer.counters.disbelieved += 1;
            return asked.answer(context, Refusal::plain(403));
        }
        if request.extension("Info-Package").is_some() {
            return asked.answer(context, Refusal::plain(469));
        }
        if request.body().is_empty() {
            return asked.answer(context, Refusal::plain(200));
        }
        let is_encoded = request
            .header(Name::ContentEncoding)
            .is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity"));
        let content = request
            .content_type()
            .and_then(InfoContent::parse)
            .filter(|_| !is_encoded);
        let Some(content) = content else {
            let identity = [
                (Name::Accept, ACCEPT_INFO),
                (Name::AcceptEncoding, "identity"),
            ];
            return asked.with(context, 415, &identity);
        };
        if request.body().len() > MOST_INFO {
            return asked.answer(context, Refusal::plain(413));
        }
        asked.answer(context, Refusal::plain(200));
        let has_left =
            matches!(&self.state, State::Unacknowledged(answered) if answered.is_leaving());
        if !has_left {
            context.events.push_back(Event::Info {
                call: self.id,
                content,
                body: Box::from(request.body()),
            });
        }
    }

    fn refuse_offer(&mut self, context: &mut Context<'_>, asked: &Asked<'_>, standing: Standing) {
        match standing {
            Standing::Up => asked.answer(context, Refusal::plain(488)),
            Standing::Calling | Standing::Answered => asked.answer(context, Refusal::plain(491)),
            Standing::Called => {
                // RFC 3261 14.2: a random number of seconds from 0 to 10.
                let after = (context.layer.random() % 11).to_string();
                asked.with(context, 500, &[(Name::RetryAfter, &after)]);
            }
            Standing::Left => asked.answer(context, Refusal::plain(481)),
        }
    }

    fn on_refresh(&mut self, context: &mut Context<'_>, asked: &Asked<'_>, spoken_to: [Flow; 2]) {
        // Whoever moved the target would be believed from there on.
        if !self.believes(asked.request.from, spoken_to) {
            context.layer.counters.disbelieved += 1;
            return asked.answer(context, Refusal::plain(403));
        }
        let contact = context.layer.identity.contact();
        asked.with(
            context,
            200,
            &[(Name::Contact, &contact), (Name::Allow, ALLOW)],
        );
        if let State::Confirmed(dialog) = &mut self.state {
            dialog.refresh_target(asked.request.message);
        }
    }
}

/// Methods that have an answer of their own.
fn is_known(method: Method<'_>) -> bool {
    matches!(
        method,
        Method::Invite
            | Method::Bye
            | Method::Options
            | Method::Info
            | Method::Update
            | Method::Refer
            | Method::Notify
            | Method::Prack
    )
}

/// The extensions that a request requires: we support none (RFC 3261 8.2.2.3). Bounded, since it
/// goes back to the peer.
pub(crate) fn unsupported(request: &Message<'_>) -> Option<String> {
    const MOST: usize = 8;
    let mut required = request.list(Name::Require).take(MOST).peekable();
    required.peek()?;
    Some(required.collect::<Vec<_>>().join(", "))
}
