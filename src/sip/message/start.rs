//! The start line: request line or status line (RFC 3261 7.1, 7.2).

use std::fmt;

use super::fault::{Fault, ParseError};
use super::method::Method;
use super::text::number;

/// What a message begins with. `Debug` leaves the URI out: it may hold a phone number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// A request.
    Request {
        /// Its method.
        method: Method<'a>,
        /// The Request-URI as written.
        uri: &'a str,
    },
    /// A response.
    Response {
        /// The status code, 100 to 699.
        code: u16,
        /// The reason phrase, up to the first octet that is not UTF-8.
        reason: &'a str,
    },
}

impl fmt::Debug for StartLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartLine::Request { method, .. } => f
                .debug_struct("Request")
                .field("method", method)
                .finish_non_exhaustive(),
            StartLine::Response { code, .. } => f
                .debug_struct("Response")
                .field("code", code)
                .finish_non_exhaustive(),
        }
    }
}

/// Reads a first line; a fault beside it is one to answer, not to drop.
pub(super) fn parse(line: &[u8]) -> Result<(StartLine<'_>, Option<Fault>), ParseError> {
    if line
        .split_at_checked(4)
        .is_some_and(|(sip, _)| sip.eq_ignore_ascii_case(b"SIP/"))
    {
        status(line)
    } else {
        request(line)
    }
}

const fn is_blank(byte: &u8) -> bool {
    matches!(*byte, b' ' | b'\t')
}

fn request(line: &[u8]) -> Result<(StartLine<'_>, Option<Fault>), ParseError> {
    let bad = ParseError::StartLine;
    let full = line;
    let line = line.trim_ascii_end();
    let first = line.iter().position(is_blank).ok_or(bad)?;
    let last = line.iter().rposition(is_blank).ok_or(bad)?;
    let method = line.get(..first).ok_or(bad)?;
    let between = line.get(first + 1..last).ok_or(bad)?;
    let version = line.get(last + 1..).ok_or(bad)?;
    let method = std::str::from_utf8(method)
        .ok()
        .and_then(Method::parse)
        .ok_or(bad)?;
    let uri = std::str::from_utf8(between.trim_ascii()).map_err(|_| bad)?;
    if uri.is_empty() {
        return Err(bad);
    }
    let current = is_current(version).ok_or(bad)?;
    let superfluous = line.len() != full.len()
        || between.iter().any(is_blank)
        || line.get(first) != Some(&b' ')
        || line.get(last) != Some(&b' ');
    let fault = if !current {
        Some(Fault::Version)
    } else if superfluous {
        Some(Fault::RequestLine)
    } else {
        None
    };
    Ok((StartLine::Request { method, uri }, fault))
}

fn status(line: &[u8]) -> Result<(StartLine<'_>, Option<Fault>), ParseError> {
    let bad = ParseError::StartLine;
    let line = line.trim_ascii_end();
    let end = line.iter().position(is_blank).ok_or(bad)?;
    let (version, rest) = line.split_at(end);
    let current = is_current(version).ok_or(bad)?;
    let rest = rest.trim_ascii_start();
    let end = rest.iter().position(is_blank).unwrap_or(rest.len());
    let (code, reason) = rest.split_at(end);
    let code = match number(code, 699) {
        Some(value) if code.len() == 3 && value >= 100 => value as u16,
        _ => return Err(ParseError::StatusCode),
    };
    let reason = reason.trim_ascii_start();
    let reason = match std::str::from_utf8(reason) {
        Ok(text) => text,
        Err(error) => reason
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or_default(),
    };
    let fault = (!current).then_some(Fault::Version);
    Ok((StartLine::Response { code, reason }, fault))
}

/// Whether it is SIP/2.0; `None` where it is no SIP version at all.
fn is_current(version: &[u8]) -> Option<bool> {
    let (sip, numbers) = version.split_at_checked(4)?;
    if !sip.eq_ignore_ascii_case(b"SIP/") {
        return None;
    }
    if numbers == b"2.0" {
        return Some(true);
    }
    let dot = memchr::memchr(b'.', numbers)?;
    let (major, minor) = numbers.split_at(dot);
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    (digits(major) && digits(minor.get(1..)?)).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines() {
        let (start, fault) = parse(b"INVITE sip:a@b SIP/2.0").expect("sound");
        assert_eq!(
            start,
            StartLine::Request {
                method: Method::Invite,
                uri: "sip:a@b"
            }
        );
        assert_eq!(fault, None);
        let fault = |line: &'static [u8]| parse(line).expect("readable").1;
        assert_eq!(fault(b"INVITE sip:a@b sip/2.0"), None);
        assert_eq!(fault(b"INVITE sip:a@b SIP/7.0"), Some(Fault::Version));
        assert_eq!(fault(b"INVITE  sip:a@b  SIP/2.0"), Some(Fault::RequestLine));
        assert_eq!(fault(b"INVITE sip:a@b SIP/2.0  "), Some(Fault::RequestLine));
        assert_eq!(
            fault(b"INVITE sip:a@b; lr SIP/2.0"),
            Some(Fault::RequestLine)
        );
        assert_eq!(fault(b"INVITE\tsip:a@b SIP/2.0"), Some(Fault::RequestLine));
        for bad in [
            "",
            " ",
            "INVITE",
            "INVITE SIP/2.0",
            "INVITE  SIP/2.0",
            "IN(ITE a SIP/2.0",
            "GET / HTTP/1.1",
            "INVITE a SIP/2",
            "INVITE a SIP/.",
        ] {
            assert_eq!(
                parse(bad.as_bytes()).map(|_| ()),
                Err(ParseError::StartLine),
                "{bad}"
            );
        }
    }

    #[test]
    fn status_lines() {
        let read = |line: &'static [u8]| match parse(line) {
            Ok((StartLine::Response { code, reason }, None)) => Ok((code, reason)),
            Ok(_) => Ok((0, "")),
            Err(error) => Err(error),
        };
        assert_eq!(read(b"SIP/2.0 200 OK"), Ok((200, "OK")));
        assert_eq!(read(b"SIP/2.0 486 Occup\xe9 ici"), Ok((486, "Occup")));
        assert_eq!(read(b"SIP/2.0 100 "), Ok((100, "")));
        assert_eq!(read(b"SIP/2.0 100"), Ok((100, "")));
        assert_eq!(read(b"SIP/2.0 099 X"), Err(ParseError::StatusCode));
        assert_eq!(read(b"SIP/2.0 700 X"), Err(ParseError::StatusCode));
        assert_eq!(read(b"SIP/2.0 0200 X"), Err(ParseError::StatusCode));
        assert_eq!(read(b"SIP/2.0 4294967301 X"), Err(ParseError::StatusCode));
        assert_eq!(read(b"SIP/2.0 OK"), Err(ParseError::StatusCode));
        assert_eq!(
            parse(b"SIP/3.0 200 OK").map(|p| p.1),
            Ok(Some(Fault::Version))
        );
    }
}
