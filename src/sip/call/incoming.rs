//! The INVITE we got: ring, answer, refuse; the answer repeated until it is acknowledged.

use std::time::{Duration, Instant};

use super::event::{Ending, Event, Party};
use super::failure::Cause;
use super::{ALLOW, Call, CallError, Context, State};
use crate::sip::dialog::Dialog;
use crate::sip::message::{Message, Name, Writer};
use crate::sip::transaction::{Backoff, Cookie, Flow, Handle, Refusal, reason_phrase};

/// How often a ringing phone says that it still rings, so that no proxy's timer C ends the call
/// (RFC 3261 13.3.1.1).
const STILL_RINGING: Duration = Duration::from_secs(60);

/// A peer's INVITE without a final response.
pub(super) struct Alerting {
    server: Handle,
    source: Flow,
    request: Box<[u8]>,
    dialog: Box<Dialog>,
    seq: u32,
    /// When a provisional response is due again; none was sent yet if `None`.
    still_ringing_at: Option<Instant>,
    unanswered_at: Instant,
}

impl Alerting {
    pub(super) fn deadline(&self) -> Instant {
        match self.still_ringing_at {
            Some(at) => at.min(self.unanswered_at),
            None => self.unanswered_at,
        }
    }

    pub(super) fn dialog(&mut self) -> &mut Dialog {
        &mut self.dialog
    }
}

/// An answer without its ACK.
pub(super) struct Unacknowledged {
    server: Handle,
    dialog: Box<Dialog>,
    seq: u32,
    repeat: Backoff,
    give_up_at: Instant,
    /// We hung up; the BYE waits for the ACK (RFC 3261 15).
    is_leaving: bool,
}

impl Unacknowledged {
    pub(super) fn deadline(&self) -> Instant {
        self.repeat.next().min(self.give_up_at)
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    pub(super) fn dialog(&mut self) -> &mut Dialog {
        &mut self.dialog
    }
}

impl Call {
    /// A peer's INVITE becomes a call. False where it sets up no dialog.
    pub(crate) fn alert(
        &mut self,
        now: Instant,
        server: Handle,
        source: Flow,
        invite: &Message<'_>,
        head: &[u8],
        unanswered_after: Duration,
    ) -> bool {
        let (Ok(dialog), Ok(cseq)) = (
            Dialog::from_request(invite, self.tag, source),
            invite.cseq(),
        ) else {
            return false;
        };
        self.is_announced = true;
        self.state = State::Alerting(Box::new(Alerting {
            server,
            source,
            request: Box::from(head),
            dialog: Box::new(dialog),
            seq: cseq.number,
            still_ringing_at: None,
            unanswered_at: now + unanswered_after,
        }));
        true
    }

    /// Tells the caller that the phone rings (180), or, with a body, sends early media (183).
    pub(crate) fn ring(
        &mut self,
        context: &mut Context<'_>,
        code: u16,
        sdp: &[u8],
    ) -> Result<(), CallError> {
        if !(101..200).contains(&code) {
            return Err(CallError::Unwritable);
        }
        let tag = self.tag;
        let State::Alerting(alerting) = &mut self.state else {
            return Err(CallError::WrongState);
        };
        alerting.still_ringing_at = Some(context.now + STILL_RINGING);
        respond(context, alerting, tag, code, sdp)
    }

    /// Answers with 200. Repeated until it is acknowledged.
    pub(crate) fn answer(
        &mut self,
        context: &mut Context<'_>,
        sdp: &[u8],
    ) -> Result<(), CallError> {
        let tag = self.tag;
        let State::Alerting(alerting) = &mut self.state else {
            return Err(CallError::WrongState);
        };
        respond(context, alerting, tag, 200, sdp)?;
        let timing = context.layer.timing;
        let State::Alerting(alerting) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(CallError::WrongState);
        };
        self.state = State::Unacknowledged(Box::new(Unacknowledged {
            server: alerting.server,
            dialog: alerting.dialog,
            seq: alerting.seq,
            repeat: Backoff::new(context.now, timing.t1, Some(timing.t2)),
            give_up_at: context.now + timing.patience(),
            is_leaving: false,
        }));
        Ok(())
    }

    /// Refuses with 300 to 699 and further fields, such as a challenge.
    pub(crate) fn reject(
        &mut self,
        context: &mut Context<'_>,
        code: u16,
        reason: Option<&str>,
        fields: &[(Name, &str)],
    ) -> Result<(), CallError> {
        if !(300..700).contains(&code) {
            return Err(CallError::Unwritable);
        }
        let refusal = Refusal {
            code,
            reason,
            fields,
        };
        self.refuse_invite(context, refusal)?;
        self.tell_ended(context, Party::Local, Ending::Rejected, Cause::default());
        Ok(())
    }

    fn refuse_invite(
        &mut self,
        context: &mut Context<'_>,
        refusal: Refusal<'_>,
    ) -> Result<(), CallError> {
        let State::Alerting(alerting) = &self.state else {
            return Err(CallError::WrongState);
        };
        let request = Message::parse(&alerting.request).map_err(|_| CallError::Unwritable)?;
        let tag = Some(self.tag);
        if !context
            .layer
            .refuse(context.now, alerting.server, &request, tag, refusal)
        {
            return Err(CallError::Unwritable);
        }
        self.state = State::Over;
        Ok(())
    }

    /// The caller gave up (RFC 3261 9.2). The CANCEL itself has been answered; too late, it
    /// changes nothing.
    pub(crate) fn on_cancel(&mut self, context: &mut Context<'_>, cancel: &Message<'_>) {
        if self.refuse_invite(context, Refusal::plain(487)).is_ok() {
            let cause = Cause::of(cancel);
            self.tell_ended(context, Party::Remote, Ending::Cancelled, cause);
        }
    }

    /// The caller ended an early dialog by BYE, which it may (RFC 3261 15).
    pub(super) fn on_early_bye(&mut self, context: &mut Context<'_>, bye: &Message<'_>) {
        self.on_cancel(context, bye);
    }

    /// An ACK for a 2xx. Any but the first is of no interest.
    pub(crate) fn on_ack(&mut self, context: &mut Context<'_>, ack: &Message<'_>) {
        let State::Unacknowledged(answered) = &self.state else {
            return;
        };
        let tag = ack.from().ok().and_then(|from| from.tag());
        let is_its = ack.cseq().is_ok_and(|cseq| cseq.number == answered.seq)
            && tag.unwrap_or_default() == answered.dialog.remote_tag();
        if !is_its {
            return;
        }
        let State::Unacknowledged(answered) = std::mem::replace(&mut self.state, State::Over)
        else {
            return;
        };
        context.layer.forget_response(answered.server);
        self.state = State::Confirmed(answered.dialog);
        if answered.is_leaving {
            self.leave(context);
        } else {
            context.events.push_back(Event::Acknowledged {
                call: self.id,
                sdp: Box::from(ack.body()),
            });
        }
    }

    /// Keeps the BYE until the ACK has come.
    pub(super) fn leave_once_acknowledged(&mut self) {
        if let State::Unacknowledged(answered) = &mut self.state {
            answered.is_leaving = true;
        }
    }

    /// The caller spoke within the dialog: it has our answer, whatever became of its ACK.
    pub(super) fn stop_repeating(&mut self, context: &mut Context<'_>) {
        if let State::Unacknowledged(answered) = &self.state {
            context.layer.forget_response(answered.server);
        }
    }

    pub(super) fn on_alerting_timer(&mut self, context: &mut Context<'_>) {
        let State::Alerting(alerting) = &mut self.state else {
            return;
        };
        if alerting.unanswered_at <= context.now {
            if self.refuse_invite(context, Refusal::plain(480)).is_err() {
                self.state = State::Over;
            }
            self.tell_ended(context, Party::Local, Ending::Unanswered, Cause::default());
        } else if alerting
            .still_ringing_at
            .is_some_and(|at| at <= context.now)
        {
            alerting.still_ringing_at = Some(context.now + STILL_RINGING);
            context.layer.repeat_response(alerting.server);
        }
    }

    pub(super) fn on_unacknowledged_timer(&mut self, context: &mut Context<'_>) {
        let State::Unacknowledged(answered) = &mut self.state else {
            return;
        };
        if context.now < answered.give_up_at {
            if answered.repeat.next() <= context.now {
                answered.repeat.fired(context.now);
                context.layer.repeat_response(answered.server);
            }
            return;
        }
        // RFC 3261 13.3.1.4: the dialog is confirmed, but the session should be ended.
        let State::Unacknowledged(answered) = std::mem::replace(&mut self.state, State::Over)
        else {
            return;
        };
        if !answered.is_leaving {
            self.tell_ended(
                context,
                Party::Local,
                Ending::Unacknowledged,
                Cause::default(),
            );
        }
        self.state = State::Confirmed(answered.dialog);
        self.leave(context);
    }
}

/// Sends a response that sets up the dialog (RFC 3261 12.1.1).
fn respond(
    context: &mut Context<'_>,
    alerting: &Alerting,
    tag: Cookie,
    code: u16,
    sdp: &[u8],
) -> Result<(), CallError> {
    let request = Message::parse(&alerting.request).map_err(|_| CallError::Unwritable)?;
    let sent = context
        .layer
        .respond(context.now, alerting.server, code, |buffer, identity, _| {
            let tag = tag.to_string();
            let mut writer = Writer::reply(
                buffer,
                &request,
                alerting.source.remote,
                code,
                reason_phrase(code),
                Some(&tag),
            );
            writer
                .copy(&request, Name::RecordRoute)
                .header_fmt(Name::Contact, format_args!("{}", identity.contact("")))
                .header(Name::Allow, ALLOW)
                .header(Name::Server, &identity.user_agent);
            if !sdp.is_empty() {
                writer.body("application/sdp", sdp);
            }
            writer.finish()
        });
    if sent {
        Ok(())
    } else {
        Err(CallError::Unwritable)
    }
}
