//! Messages that came in, read as far as it takes to find whom they concern.

use std::borrow::Cow;

use super::cookie::Cookie;
use super::identity::Identity;
use super::transport::Flow;
use crate::sip::message::{CSeq, Essentials, Fault, Message, Name};

/// A sound request, and where it came from.
pub(crate) struct Received<'a> {
    pub(crate) from: Flow,
    pub(crate) message: &'a Message<'a>,
    pub(crate) essentials: Essentials<'a>,
}

impl<'a> Received<'a> {
    /// Our tag, empty where there is none.
    pub(crate) fn to_tag(&self) -> &'a str {
        self.essentials.to_tag.unwrap_or_default()
    }
}

/// A response, and where it came from. Via and From come back as we wrote them, so they are
/// compared rather than parsed; only where that fails are they read as anybody's would be.
pub(crate) struct Response<'a> {
    pub(crate) from: Flow,
    pub(crate) message: &'a Message<'a>,
    pub(crate) code: u16,
    /// What our branch holds, if the only Via is ours. With more than one the response went
    /// astray (RFC 3261 8.1.3.3).
    pub(crate) branch: Option<Cookie>,
    /// Our tag, if it is one.
    pub(crate) from_tag: Option<Cookie>,
    /// The peer's tag; empty where there is none (RFC 2543).
    pub(crate) to_tag: &'a str,
    pub(crate) call_id: &'a str,
    pub(crate) cseq: CSeq<'a>,
}

impl<'a> Response<'a> {
    /// Reads it; a fault is as [`Message::validate`] tells.
    pub(crate) fn read(
        message: &'a Message<'a>,
        code: u16,
        from: Flow,
        identity: &Identity,
    ) -> Result<Response<'a>, Fault> {
        if let Some(fault) = message.fault() {
            return Err(fault);
        }
        Ok(Response {
            from,
            message,
            code,
            branch: branch(message, identity)?,
            from_tag: from_tag(message)?,
            to_tag: to_tag(message)?,
            call_id: message.call_id()?,
            cseq: message.cseq()?,
        })
    }
}

fn branch(message: &Message<'_>, identity: &Identity) -> Result<Option<Cookie>, Fault> {
    let mut fields = message.headers(Name::Via);
    let first = fields.next().ok_or(Fault::Missing(Name::Via))?;
    let is_alone = fields.next().is_none() && !first.contains(',');
    if is_alone && let Some(cookie) = identity.own_branch(&first) {
        return Ok(Some(cookie));
    }
    let mut vias = message.vias();
    let via = vias.next().ok_or(Fault::Missing(Name::Via))??;
    let is_alone = vias.next().is_none();
    Ok(via
        .branch()
        .filter(|_| is_alone)
        .and_then(Cookie::from_branch))
}

/// The tag stands last in what we write.
fn from_tag(message: &Message<'_>) -> Result<Option<Cookie>, Fault> {
    let mut fields = message.headers(Name::From);
    if let (Some(value), None) = (fields.next(), fields.next())
        && let Some((before, tag)) = value.split_at_checked(value.len().saturating_sub(32))
        && before.ends_with(">;tag=")
        && let Some(cookie) = Cookie::parse(tag)
    {
        return Ok(Some(cookie));
    }
    Ok(message.from()?.tag().and_then(Cookie::parse))
}

/// Nearly always `...>;tag=...` with nothing behind.
fn to_tag<'a>(message: &Message<'a>) -> Result<&'a str, Fault> {
    let mut fields = message.headers(Name::To);
    if let (Some(Cow::Borrowed(value)), None) = (fields.next(), fields.next())
        && let Some((_, params)) = value.rsplit_once('>')
    {
        if params.is_empty() {
            return Ok("");
        }
        if let Some(tag) = params.strip_prefix(";tag=")
            && !tag.is_empty()
            && tag
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        {
            return Ok(tag);
        }
    }
    Ok(message.to()?.tag().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::slab::Handle;
    use super::super::transport::Transport;
    use super::*;

    const COOKIE: &str = "0000000100000002000000000000abcd";

    fn read(via: &str, from: &str, to: &str) -> Result<(bool, bool, String), Fault> {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: c\r\n\
             CSeq: 1 INVITE\r\n\r\n"
        );
        let message = Message::parse(text.as_bytes()).expect("sound");
        let address = "192.0.2.1:5060".parse().expect("an address");
        let identity = Identity::new(address, Transport::Udp, Arc::from("x"));
        let cookie = Cookie {
            handle: Handle {
                index: 1,
                generation: 2,
            },
            secret: 0xabcd,
        };
        let flow = Flow::udp(address);
        let response = Response::read(&message, 200, flow, &identity)?;
        // Whatever way it was read, it reads as the message itself does.
        assert_eq!(response.to_tag, message.to()?.tag().unwrap_or_default());
        Ok((
            response.branch == Some(cookie),
            response.from_tag == Some(cookie),
            response.to_tag.to_owned(),
        ))
    }

    #[test]
    fn what_comes_back_as_we_wrote_it_and_what_does_not() {
        let own = format!("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{COOKIE}");
        for (via, from, to, expected) in [
            (
                format!("{own};rport=5060;received=192.0.2.1"),
                format!("<sip:a@b>;tag={COOKIE}"),
                "<sip:b@c>;tag=x-1",
                (true, true, "x-1"),
            ),
            (
                format!("SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK{COOKIE}"),
                format!("\"A\" <sip:a@b> ; tag={COOKIE};x=y"),
                "\"B>;tag=no\" <sip:b@c>;y=\">\";tag=x!1",
                (true, true, "x!1"),
            ),
            (
                format!("SIP / 2.0 / UDP 192.0.2.1:5060 ;branch=Z9HG4BK{COOKIE}"),
                format!("sip:a@b;tag={COOKIE}"),
                "sip:b@c",
                (true, true, ""),
            ),
            (
                format!("{own}, SIP/2.0/UDP other"),
                "<sip:a@b>;tag=other".to_owned(),
                "<sip:b@c>",
                (false, false, ""),
            ),
            (
                format!("{own}\r\nVia: SIP/2.0/UDP other"),
                "<sip:a@b>".to_owned(),
                "<sip:b@c>;tag=",
                (false, false, ""),
            ),
            (
                format!("{own}x"),
                format!("<sip:a@b>;tag=x{COOKIE}"),
                "<sip:b@c>;tag=a;tag=b",
                (false, false, "a"),
            ),
        ] {
            let (branch, tag, to_tag) = read(&via, &from, to).expect("sound");
            assert_eq!((branch, tag, &*to_tag), expected, "{via} {from} {to}");
        }
        for (via, from, to) in [
            ("nonsense", "<sip:a@b>", "<sip:b@c>"),
            (&*own, "nonsense", "<sip:b@c>"),
            (&*own, "<sip:a@b>", "nonsense"),
        ] {
            assert!(matches!(read(via, from, to), Err(Fault::Malformed(_))));
        }
    }
}
