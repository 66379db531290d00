//! Forks that answer when another has, or when the call is over: they are acknowledged and hung
//! up at once, so that no phone stays off the hook (RFC 3261 13.2.2.4).

use std::time::Instant;

use super::authentication::Authenticator;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Message, Method, Name};
use crate::sip::transaction::{Handle, Layer, Opening, Response, Usage, resend};

/// Sends the ACK of a 2xx through the dialog that it set up (RFC 3261 13.2.2.4). It carries the
/// credentials of `challenged` (22.1): the INVITE, or an earlier ACK of it. False where it cannot
/// be written.
pub(crate) fn acknowledge(
    layer: &mut Layer,
    client: Handle,
    dialog: &Dialog,
    challenged: Option<&[u8]>,
) -> bool {
    let cookie = layer.loose_cookie();
    let mut buffer = layer.buffer();
    let seq = dialog.local_seq();
    let mut writer = dialog.request(&mut buffer, &layer.identity, cookie, Method::Ack, seq);
    if let Some(Ok(invite)) = challenged.map(Message::parse) {
        writer
            .copy(&invite, Name::Authorization)
            .copy(&invite, Name::ProxyAuthorization);
    }
    if writer.finish().is_err() {
        layer.recycle(buffer);
        return false;
    }
    layer.acknowledge(client, dialog.next_hop(), buffer);
    true
}

/// Acknowledges and ends a fork by what its 2xx says alone: the call may be gone.
pub(crate) fn end_stray(layer: &mut Layer, now: Instant, client: Handle, response: &Response<'_>) {
    let Some((_, sources, account)) = layer.standing(client) else {
        return;
    };
    let mut dialog = Dialog::from_response(response, response.cseq.number);
    let is_trusted = dialog.is_trusted(&sources);
    let first_ack = layer.first_ack(client).filter(|_| is_trusted);
    let first_ack = first_ack.map(<[u8]>::to_vec);
    if !acknowledge(layer, client, &dialog, first_ack.as_deref()) {
        return;
    }
    let opening = Opening {
        method: Method::Bye,
        usage: Usage::Stray,
        flow: dialog.next_hop(),
        sources,
        account: account.filter(|_| is_trusted),
    };
    let seq = dialog.next_seq();
    // Without room for the transaction the fork ends when its own timers do.
    let _ = layer.begin(now, opening, |buffer, identity, cookie| {
        dialog
            .request(buffer, identity, cookie, Method::Bye, seq)
            .finish()
    });
}

/// Answers the challenge to the BYE of a stray fork, once.
pub(crate) fn retry_stray(
    layer: &mut Layer,
    now: Instant,
    client: Handle,
    response: &Response<'_>,
) {
    let request = layer.take_request(client);
    let Some((flow, sources, Some(account))) = layer.standing(client) else {
        return;
    };
    let mut auth = Authenticator::new(Some(account));
    if auth.hear(response.code, response.message).is_err() {
        return;
    }
    let opening = Opening {
        method: Method::Bye,
        usage: Usage::Stray,
        flow,
        sources,
        // A second challenge is not answered.
        account: None,
    };
    let seq = response.cseq.number.saturating_add(1);
    let _ = resend(
        layer,
        now,
        opening,
        &request,
        seq,
        |layer, method, uri, body| auth.answers(method, uri, body, || layer.random()).ok(),
    );
}
