//! Bodies of several parts (RFC 2046 5.1, RFC 5621): gateways to the telephone network wrap the
//! session description together with ISUP.

use memchr::memmem;

use super::params::Params;
use super::text::{trim, trim_start};
use super::{Message, Name};

/// Most parts of one body that are looked at.
const MAX_PARTS: usize = 16;
/// Most octets of the header of one part.
const MAX_PART_HEAD: usize = 2048;

impl<'a> Message<'a> {
    /// The session description of the body: the whole of an `application/sdp`, or the first such
    /// part of a `multipart`. `None` where there is none.
    pub fn sdp(&self) -> Option<&'a [u8]> {
        self.body_of_type("application/sdp")
    }

    /// The body, or the first part of a multipart body, of a media type in any case; `None` where
    /// there is none, or it is empty.
    pub fn body_of_type(&self, media_type: &str) -> Option<&'a [u8]> {
        let body = self.body();
        if body.is_empty() {
            return None;
        }
        let value = self.raw(Name::ContentType).next()?;
        let (kind, params) = split_type(value);
        if kind.eq_ignore_ascii_case(media_type.as_bytes()) {
            return Some(body);
        }
        let is_multipart = kind
            .split_at_checked(10)
            .is_some_and(|(start, _)| start.eq_ignore_ascii_case(b"multipart/"));
        if !is_multipart {
            return None;
        }
        let boundary = Params::parse(params).ok()?.value("boundary")?;
        parts(body, boundary)
            .filter_map(split_part)
            .find(|(kind, _)| kind.eq_ignore_ascii_case(media_type.as_bytes()))
            .map(|(_, content)| content)
            .filter(|content| !content.is_empty())
    }
}

/// A Content-Type without its parameters, and these.
fn split_type(value: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    let (kind, params) = value.split_at(end);
    (trim(kind), params)
}

/// What lies between the delimiters, their line ends cut off.
fn parts<'a>(body: &'a [u8], boundary: &str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let delimiter = format!("--{boundary}").into_bytes();
    let mut rest = match boundary.is_empty() {
        true => None,
        false => next_delimiter(body, &delimiter).map(|(_, after)| after),
    };
    std::iter::from_fn(move || {
        let from = rest?;
        // Two hyphens close the last part; after any other delimiter comes the end of its line.
        if from.starts_with(b"--") {
            rest = None;
            return None;
        }
        let content = from.get(memchr::memchr(b'\n', from)? + 1..)?;
        let (part, after) = next_delimiter(content, &delimiter)?;
        rest = Some(after);
        Some(part)
    })
    .take(MAX_PARTS)
}

/// What is before the next delimiter that starts a line, without the line end that belongs to it,
/// and what follows the delimiter.
fn next_delimiter<'a>(text: &'a [u8], delimiter: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut from = 0;
    loop {
        let at = from + memmem::find(text.get(from..)?, delimiter)?;
        let (before, after) = text.split_at_checked(at)?;
        let after = after.get(delimiter.len()..)?;
        match before {
            [] => return Some((before, after)),
            [before @ .., b'\r', b'\n'] | [before @ .., b'\n'] => return Some((before, after)),
            _ => from = at + delimiter.len(),
        }
    }
}

/// The media type of a part (`text/plain` where it has none) and its content.
fn split_part(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = part;
    let mut kind: &[u8] = b"text/plain";
    loop {
        let end = memchr::memchr(b'\n', rest)?;
        let (line, after) = rest.split_at(end);
        rest = after.get(1..)?;
        let line = trim(line);
        if line.is_empty() {
            return Some((kind, rest));
        }
        if part.len() - rest.len() > MAX_PART_HEAD {
            return None;
        }
        if let Some(colon) = memchr::memchr(b':', line)
            && let (name, [_, value @ ..]) = line.split_at(colon)
            && Name::parse(trim(name)) == Some(Name::ContentType)
        {
            kind = split_type(trim_start(value)).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp_of(content_type: &str, body: &str) -> Option<String> {
        let data = format!(
            "SIP/2.0 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let message = Message::parse(data.as_bytes()).expect("sound");
        message
            .sdp()
            .map(|sdp| String::from_utf8_lossy(sdp).into_owned())
    }

    #[test]
    fn a_description_alone() {
        assert_eq!(
            sdp_of("application/sdp", "v=0\r\n").as_deref(),
            Some("v=0\r\n")
        );
        assert_eq!(
            sdp_of("Application/SDP ; charset=utf-8", "v=0").as_deref(),
            Some("v=0")
        );
        assert_eq!(sdp_of("application/sdp", ""), None);
        assert_eq!(sdp_of("text/plain", "v=0"), None);
    }

    #[test]
    fn a_description_among_others() {
        let body = "preamble\r\n--b1\r\nContent-Type: application/isup;version=itu-t92+\r\n\
            Content-Disposition: signal;handling=optional\r\n\r\n\u{1}\u{0}--b1x\r\n\
            --b1  \r\nc:application/sdp\r\nContent-Disposition: session\r\n\r\nv=0\r\ns=--b1\r\n\
            \r\n--b1--\r\nepilogue";
        for kind in [
            "multipart/mixed;boundary=b1",
            "Multipart/Mixed; Boundary=\"b1\"",
        ] {
            assert_eq!(
                sdp_of(kind, body).as_deref(),
                Some("v=0\r\ns=--b1\r\n"),
                "{kind}"
            );
        }
        let bare = body.replace("\r\n", "\n");
        assert_eq!(
            sdp_of("multipart/mixed;boundary=b1", &bare).as_deref(),
            Some("v=0\ns=--b1\n")
        );
        assert_eq!(sdp_of("multipart/mixed;boundary=other", body), None);
        assert_eq!(sdp_of("multipart/mixed;boundary=\"\"", body), None);
        assert_eq!(sdp_of("multipart/mixed", body), None);
        // Cut off before the closing delimiter: not a part.
        assert_eq!(
            sdp_of(
                "multipart/mixed;boundary=b",
                "--b\r\nc: application/sdp\r\n\r\nv=0"
            ),
            None
        );
        let late = format!(
            "{}--b\r\nc: application/sdp\r\n\r\nv\r\n--b--",
            "--b\r\n\r\nx\r\n".repeat(MAX_PARTS)
        );
        assert_eq!(sdp_of("multipart/mixed;boundary=b", &late), None);
    }
}
