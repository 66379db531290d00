//! Forks that answer when another has, or when the call is over: they are acknowledged and hung
//! up at once, so that no phone stays off the hook (RFC 3261 13.2.2.4).

use std::time::Instant;

use super::authentication::Authenticator;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Message, Method, Name};
use crate::sip::transaction::{Flow, Handle, Layer, Opening, Usage, resend};

/// Acknowledges the 2xx that set up `dialog`. The ACK carries the credentials of `invite`, which
/// may as well be an earlier ACK of it. False where it cannot be written.
pub(crate) fn acknowledge(
    layer: &mut Layer,
    client: Handle,
    dialog: &Dialog,
    invite: &[u8],
) -> bool {
    let cookie = layer.loose_cookie();
    let mut buffer = layer.buffer();
    let seq = dialog.local_seq();
    let mut writer = dialog.request(&mut buffer, &layer.identity, cookie, Method::Ack, seq);
    if let Ok(invite) = Message::parse(invite) {
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
pub(crate) fn end_stray(
    layer: &mut Layer,
    now: Instant,
    from: Flow,
    client: Handle,
    response: &Message<'_>,
) {
    let Some((_, sources, account)) = layer.standing(client) else {
        return;
    };
    let Ok(seq) = response.cseq().map(|cseq| cseq.number) else {
        return;
    };
    let Ok(mut dialog) = Dialog::from_response(response, from, seq) else {
        return;
    };
    let first_ack = layer.first_ack(client).map(<[u8]>::to_vec);
    if !acknowledge(layer, client, &dialog, &first_ack.unwrap_or_default()) {
        return;
    }
    let opening = Opening {
        method: Method::Bye,
        usage: Usage::Stray,
        flow: dialog.next_hop(),
        sources,
        account,
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
    response: &Message<'_>,
    code: u16,
) {
    let request = layer.take_request(client);
    let Some((flow, sources, Some(account))) = layer.standing(client) else {
        return;
    };
    let mut auth = Authenticator::new(Some(account));
    if auth.hear(code, response).is_err() {
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
    let seq = response
        .cseq()
        .map_or(1, |cseq| cseq.number)
        .saturating_add(1);
    let _ = resend(
        layer,
        now,
        opening,
        &request,
        seq,
        |layer, method, uri, body| auth.answers(method, uri, body, || layer.random()).ok(),
    );
}
