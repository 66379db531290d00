//! Requests we send within a call: BYE, and INFO.

use super::event::{Ending, Event, Party};
use super::failure::Cause;
use super::{Call, CallError, Context, State};
use crate::sip::dialog::Dialog;
use crate::sip::message::Method;
use crate::sip::transaction::{Answers, Flow, Handle, NotBegun, Opening, Response, Usage, resend};

impl Call {
    /// Sends the BYE of a confirmed dialog (RFC 3261 15.1.1). Whether it can be sent or not, we
    /// have left: the peer's next request finds no dialog.
    pub(super) fn leave(&mut self, context: &mut Context<'_>) {
        let State::Confirmed(mut dialog) = std::mem::replace(&mut self.state, State::Over) else {
            return;
        };
        let usage = Usage::Bye(self.id.0);
        if let Ok(bye) = self.send_within(context, &mut dialog, Method::Bye, usage, None) {
            self.state = State::Leaving { bye, dialog };
        }
    }

    /// Sends an INFO.
    pub(crate) fn send_info(
        &mut self,
        context: &mut Context<'_>,
        content_type: &str,
        body: &[u8],
    ) -> Result<(), CallError> {
        // The dialog is lent out of the state while the rest of the call is at work.
        let mut state = std::mem::replace(&mut self.state, State::Over);
        let sent = match &mut state {
            State::Confirmed(dialog) => {
                let usage = Usage::Info(self.id.0);
                let body = Some((content_type, body));
                self.send_within(context, dialog, Method::Info, usage, body)
                    .map_err(|why| match why {
                        NotBegun::Full => CallError::TooManyTransactions,
                        NotBegun::Unwritable(_) => CallError::Unwritable,
                    })
            }
            _ => Err(CallError::WrongState),
        };
        self.state = state;
        sent.map(|_| ())
    }

    /// Sends a request through a dialog, with the answers to challenges heard before where it goes
    /// to a host that is trusted with them.
    fn send_within(
        &mut self,
        context: &mut Context<'_>,
        dialog: &mut Dialog,
        method: Method<'static>,
        usage: Usage,
        body: Option<(&str, &[u8])>,
    ) -> Result<Handle, NotBegun> {
        self.auth.renew();
        let octets = body.map(|(_, octets)| octets).unwrap_or_default();
        let layer = &mut *context.layer;
        // An old nonce that can no longer be answered is asked for anew.
        let answers = match dialog.is_trusted(&self.sources) {
            true => self
                .auth
                .answers(method, dialog.request_uri(), octets, || layer.random())
                .unwrap_or_default(),
            false => Answers::new(),
        };
        let opening = self.within(method, usage, dialog.next_hop());
        let seq = dialog.next_seq();
        layer.begin(context.now, opening, |buffer, identity, cookie| {
            let mut writer = dialog.request(buffer, identity, cookie, method, seq);
            for (name, value) in &answers {
                writer.header(*name, value);
            }
            if let Some((content_type, octets)) = body {
                writer.body(content_type, octets);
            }
            writer.finish()
        })
    }

    fn within(&self, method: Method<'static>, usage: Usage, flow: Flow) -> Opening {
        Opening {
            method,
            usage,
            flow,
            sources: self.sources.clone(),
            account: None,
        }
    }

    /// A response to our BYE.
    pub(crate) fn on_bye_response(
        &mut self,
        context: &mut Context<'_>,
        client: Handle,
        response: &Response<'_>,
    ) {
        let State::Leaving { bye, dialog } = &mut self.state else {
            return;
        };
        let code = response.code;
        if code < 200 || *bye != client {
            return;
        }
        let request = context.layer.take_request(client);
        if matches!(code, 401 | 407)
            && dialog.is_trusted(&self.sources)
            && self.auth.hear(code, response.message).is_ok()
        {
            let opening = Opening {
                method: Method::Bye,
                usage: Usage::Bye(self.id.0),
                flow: dialog.next_hop(),
                sources: self.sources.clone(),
                account: None,
            };
            let auth = &mut self.auth;
            let seq = dialog.next_seq();
            let sent = resend(
                context.layer,
                context.now,
                opening,
                &request,
                seq,
                |layer, method, uri, body| auth.answers(method, uri, body, || layer.random()).ok(),
            );
            if let Ok(again) = sent {
                *bye = again;
                return;
            }
        }
        // Whatever it says, there is nothing left to say (RFC 3261 15.1.1).
        self.state = State::Over;
    }

    /// Our BYE was never answered.
    pub(crate) fn on_bye_lost(&mut self, client: Handle) {
        if matches!(&self.state, State::Leaving { bye, .. } if *bye == client) {
            self.state = State::Over;
        }
    }

    /// A response to our INFO.
    pub(crate) fn on_info_response(
        &mut self,
        context: &mut Context<'_>,
        client: Handle,
        response: &Response<'_>,
    ) {
        let code = response.code;
        if code < 200 {
            return;
        }
        let request = context.layer.take_request(client);
        let State::Confirmed(dialog) = &mut self.state else {
            return;
        };
        if matches!(code, 401 | 407)
            && dialog.is_trusted(&self.sources)
            && self.auth.hear(code, response.message).is_ok()
        {
            let opening = Opening {
                method: Method::Info,
                usage: Usage::Info(self.id.0),
                flow: dialog.next_hop(),
                sources: self.sources.clone(),
                account: None,
            };
            let auth = &mut self.auth;
            // Another INFO may have gone out since: the number is the dialog's.
            let seq = dialog.next_seq();
            let sent = resend(
                context.layer,
                context.now,
                opening,
                &request,
                seq,
                |layer, method, uri, body| auth.answers(method, uri, body, || layer.random()).ok(),
            );
            if sent.is_ok() {
                return;
            }
        }
        context.events.push_back(Event::InfoAnswered {
            call: self.id,
            status: code,
        });
        if matches!(code, 408 | 481) {
            self.on_peer_lost(context);
        }
    }

    /// A request within the dialog told us, or its silence did, that the peer is no longer there
    /// (RFC 3261 12.2.1.2).
    pub(crate) fn on_peer_lost(&mut self, context: &mut Context<'_>) {
        if let State::Confirmed(_) = &self.state {
            self.tell_ended(context, Party::Remote, Ending::Lost, Cause::default());
            self.leave(context);
        }
    }
}
