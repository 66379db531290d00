//! Requests that are made from one already sent: the ACK of a refusal and the CANCEL, which share
//! the branch of their INVITE, and the same request over again with an answer to its challenge.

use std::time::Instant;

use smallvec::SmallVec;

use super::client::{NotBegun, Opening};
use super::layer::Layer;
use super::slab::Handle;
use crate::sip::message::{Message, Method, Name, StartLine, WriteError, Writer};

/// Fields that authenticate a request.
pub(crate) type Answers = SmallVec<[(Name, String); 2]>;

/// Sends a request over again, as a new one: another CSeq number and branch, and the fields that
/// answer its challenge (RFC 3261 8.1.3.5, 22.2). `answer` makes them of method, URI and body.
pub(crate) fn resend(
    layer: &mut Layer,
    now: Instant,
    opening: Opening,
    request: &[u8],
    seq: u32,
    answer: impl FnOnce(&mut Layer, Method<'_>, &str, &[u8]) -> Option<Answers>,
) -> Result<Handle, NotBegun> {
    let unwritable = NotBegun::Unwritable(WriteError::HeaderValue);
    let request = Message::parse(request).map_err(|_| unwritable)?;
    let StartLine::Request { method, uri } = request.start() else {
        return Err(unwritable);
    };
    let answers = answer(layer, method, uri, request.body()).ok_or(unwritable)?;
    layer.begin(now, opening, |buffer, identity, cookie| {
        let mut writer = Writer::request(buffer, method, uri);
        writer.header_fmt(Name::Via, format_args!("{}", identity.via(cookie)));
        for field in request.fields() {
            match field.known {
                Some(
                    Name::Via
                    | Name::CSeq
                    | Name::Authorization
                    | Name::ProxyAuthorization
                    | Name::ContentType
                    | Name::ContentLength,
                ) => {}
                Some(name) => {
                    writer.header(name, &field.value());
                }
                None => {
                    writer.extension(field.name, &field.value());
                }
            }
        }
        writer.header_fmt(Name::CSeq, format_args!("{seq} {method}"));
        for (name, value) in &answers {
            writer.header(*name, value);
        }
        if !request.body().is_empty() {
            let content_type = request.header(Name::ContentType).unwrap_or_default();
            writer.body(&content_type, request.body());
        }
        writer.finish()
    })
}

/// The ACK of a 300-699: the INVITE's path and identity, the To of the response
/// (RFC 3261 17.1.1.3).
pub(super) fn refusal_ack(invite: &[u8], response: &Message<'_>, out: &mut Vec<u8>) -> Option<()> {
    let invite = Message::parse(invite).ok()?;
    write(&invite, Method::Ack, response, None, out)
}

/// The CANCEL: all of the INVITE's identity (RFC 3261 9.1), and why (RFC 3326).
pub(super) fn cancel(invite: &[u8], reason: Option<&str>, out: &mut Vec<u8>) -> Option<()> {
    let invite = Message::parse(invite).ok()?;
    write(&invite, Method::Cancel, &invite, reason, out)
}

fn write(
    invite: &Message<'_>,
    method: Method<'_>,
    to: &Message<'_>,
    reason: Option<&str>,
    out: &mut Vec<u8>,
) -> Option<()> {
    let StartLine::Request { uri, .. } = invite.start() else {
        return None;
    };
    let mut writer = Writer::request(out, method, uri);
    writer
        .copy(invite, Name::Via)
        .header(Name::MaxForwards, "70")
        .copy(invite, Name::Route)
        .copy(invite, Name::From)
        .copy(to, Name::To)
        .copy(invite, Name::CallId)
        .header_fmt(
            Name::CSeq,
            format_args!("{} {method}", invite.cseq().ok()?.number),
        );
    if let Some(reason) = reason {
        writer.header(Name::Reason, reason);
    }
    writer.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &[u8] = b"INVITE sip:b@example.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKq\r\nRoute: <sip:p;lr>\r\n\
        Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\n\
        Call-ID: c\r\nCSeq: 7 INVITE\r\nContact: <sip:a@192.0.2.1>\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn the_ack_takes_the_to_of_the_response() {
        let response = Message::parse(
            b"SIP/2.0 486 Busy\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKq\r\n\
              From: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>;tag=2\r\n\
              Call-ID: c\r\nCSeq: 7 INVITE\r\n\r\n",
        )
        .expect("sound");
        let mut out = Vec::new();
        refusal_ack(INVITE, &response, &mut out).expect("written");
        let ack = Message::parse(&out).expect("sound");
        assert_eq!(ack.validate(), Ok(()));
        assert_eq!(ack.method(), Some(Method::Ack));
        assert_eq!(ack.to().expect("a To").tag(), Some("2"));
        assert_eq!(ack.header(Name::CSeq).as_deref(), Some("7 ACK"));
        assert_eq!(ack.header(Name::Route).as_deref(), Some("<sip:p;lr>"));
        assert_eq!(ack.via().expect("a Via").branch(), Some("z9hG4bKq"));
        assert_eq!(ack.headers(Name::Contact).count(), 0);
    }

    #[test]
    fn the_cancel_is_the_invite_in_all_but_method() {
        let mut out = Vec::new();
        let reason = "SIP;cause=408;text=\"No answer\"";
        cancel(INVITE, Some(reason), &mut out).expect("written");
        let cancel = Message::parse(&out).expect("sound");
        assert_eq!(cancel.validate(), Ok(()));
        assert_eq!(cancel.to().expect("a To").tag(), None);
        assert_eq!(cancel.header(Name::CSeq).as_deref(), Some("7 CANCEL"));
        assert_eq!(cancel.header(Name::Reason).as_deref(), Some(reason));
        assert_eq!(cancel.headers(Name::Require).count(), 0);
    }
}
