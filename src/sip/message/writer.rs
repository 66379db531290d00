//! Writes a message into a buffer that the caller keeps.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::net::SocketAddr;

use super::text::{is_token, unfold_into};
use super::{Message, Method, Name, Via};

/// Why a message was not written. Quotes nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The method is no token.
    #[error("the method is no token")]
    Method,
    /// The Request-URI is empty or has white space or control characters in it.
    #[error("the Request-URI has white space or control characters, or is empty")]
    RequestUri,
    /// The status code is not within 100 to 699.
    #[error("the status code is not within 100 to 699")]
    StatusCode,
    /// A line break or zero in the reason phrase.
    #[error("a line break or zero in the reason phrase")]
    Reason,
    /// The name of an extension header field is no token.
    #[error("a header field name is no token")]
    HeaderName,
    /// A line break or zero in a value, which would let its sender write further header fields.
    #[error("a line break or zero in a header field value")]
    HeaderValue,
    /// Content-Length is the writer's own.
    #[error("Content-Length is written by the writer alone")]
    ContentLength,
    /// A header field after the body, or a second body.
    #[error("nothing can follow the body")]
    AfterBody,
}

/// Writes one message. The first error is kept and told by [`finish`](Writer::finish), which then
/// leaves the buffer as it was.
///
/// ```
/// use ringtrue::sip::message::{Method, Name, Writer};
///
/// let mut datagram = Vec::new();
/// let mut writer = Writer::request(&mut datagram, Method::Options, "sip:example.com");
/// writer
///     .header(Name::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa1")
///     .header_fmt(Name::CSeq, format_args!("{} OPTIONS", 7));
/// writer.finish().expect("no line breaks in it");
/// assert!(datagram.ends_with(b"CSeq: 7 OPTIONS\r\nContent-Length: 0\r\n\r\n"));
/// ```
#[must_use = "a message is whole only after `finish`"]
pub struct Writer<'b> {
    buffer: &'b mut Vec<u8>,
    /// Where the message begins: what lies before is the caller's.
    start: usize,
    error: Option<WriteError>,
    has_body: bool,
}

impl<'b> Writer<'b> {
    fn new(buffer: &'b mut Vec<u8>) -> Writer<'b> {
        Writer {
            start: buffer.len(),
            buffer,
            error: None,
            has_body: false,
        }
    }

    /// Begins a request.
    pub fn request(buffer: &'b mut Vec<u8>, method: Method<'_>, uri: &str) -> Writer<'b> {
        let mut writer = Writer::new(buffer);
        if !is_token(method.as_str().as_bytes()) {
            writer.fail(WriteError::Method);
        }
        if uri.is_empty() || uri.bytes().any(|b| b <= b' ' || b == 0x7f) {
            writer.fail(WriteError::RequestUri);
        }
        for part in [method.as_str(), " ", uri, " SIP/2.0\r\n"] {
            writer.buffer.extend_from_slice(part.as_bytes());
        }
        writer
    }

    /// Begins a response.
    pub fn response(buffer: &'b mut Vec<u8>, code: u16, reason: &str) -> Writer<'b> {
        let mut writer = Writer::new(buffer);
        if !(100..700).contains(&code) {
            writer.fail(WriteError::StatusCode);
        }
        if has_break(reason.as_bytes()) {
            writer.fail(WriteError::Reason);
        }
        // Writing to a Vec does not fail.
        let _ = write!(writer.buffer, "SIP/2.0 {code} ");
        writer.buffer.extend_from_slice(reason.as_bytes());
        writer.end_line();
        writer
    }

    /// Begins the response to a request that came from `source`, with all that RFC 3261 8.2.6.2
    /// copies: every Via (the topmost with `received` and `rport` noted, 18.2.1 and RFC 3581 4),
    /// From, To, Call-ID and CSeq. A To without a tag gets `to_tag`, if there is one.
    pub fn reply(
        buffer: &'b mut Vec<u8>,
        request: &Message<'_>,
        source: SocketAddr,
        code: u16,
        reason: &str,
        to_tag: Option<&str>,
    ) -> Writer<'b> {
        let mut writer = Writer::response(buffer, code, reason);
        for (at, element) in request.elements(Name::Via).enumerate() {
            writer.name(Name::Via.as_str());
            match Via::from_bytes(element) {
                Ok(via) if at == 0 => writer.noted_via(&via, source),
                _ => unfold_into(writer.buffer, element),
            }
            writer.end_line();
        }
        writer.copy(request, Name::From);
        let is_tagged = request.to().is_ok_and(|to| to.tag().is_some());
        for value in request.raw(Name::To) {
            writer.name(Name::To.as_str());
            unfold_into(writer.buffer, value);
            if let Some(tag) = to_tag.filter(|_| !is_tagged) {
                if !is_token(tag.as_bytes()) {
                    writer.fail(WriteError::HeaderValue);
                }
                writer.buffer.extend_from_slice(b";tag=");
                writer.buffer.extend_from_slice(tag.as_bytes());
            }
            writer.end_line();
        }
        writer.copy(request, Name::CallId);
        writer.copy(request, Name::CSeq);
        writer
    }

    /// A Via with the address and port it was seen from.
    fn noted_via(&mut self, via: &Via<'_>, source: SocketAddr) {
        let _ = write!(self.buffer, "SIP/2.0/{} {}", via.transport(), via.host());
        if let Some(port) = via.port() {
            let _ = write!(self.buffer, ":{port}");
        }
        for param in via.params().iter() {
            if param.name.eq_ignore_ascii_case("received") {
                continue;
            }
            self.buffer.push(b';');
            if param.name.eq_ignore_ascii_case("rport") {
                let _ = write!(self.buffer, "rport={}", source.port());
            } else {
                param.write(self.buffer);
            }
        }
        if via.wants_rport() || via.host().ip() != Some(source.ip()) {
            let _ = write!(self.buffer, ";received={}", source.ip());
        }
    }

    /// A header field. CR, LF and NUL in the value are refused.
    pub fn header(&mut self, name: Name, value: &str) -> &mut Self {
        if self.may_write(name) {
            self.line(name.as_str(), value);
        }
        self
    }

    /// A header field whose value is put together in place: no string is made for it.
    pub fn header_fmt(&mut self, name: Name, value: fmt::Arguments<'_>) -> &mut Self {
        if self.may_write(name) {
            self.name(name.as_str());
            let from = self.buffer.len();
            // A `Display` that fails leaves a value cut short.
            if Text(self.buffer).write_fmt(value).is_err()
                || self.buffer.get(from..).is_some_and(has_break)
            {
                self.fail(WriteError::HeaderValue);
            }
            self.end_line();
        }
        self
    }

    /// A header field of a name that [`Name`] does not know.
    pub fn extension(&mut self, name: &str, value: &str) -> &mut Self {
        if !is_token(name.as_bytes()) {
            self.fail(WriteError::HeaderName);
            return self;
        }
        match Name::parse(name.as_bytes()) {
            Some(known) => self.header(known, value),
            None => {
                if self.before_body() {
                    self.line(name, value);
                }
                self
            }
        }
    }

    /// All fields of that name of another message, octet by octet but unfolded.
    pub fn copy(&mut self, message: &Message<'_>, name: Name) -> &mut Self {
        if self.may_write(name) {
            for value in message.raw(name) {
                self.name(name.as_str());
                unfold_into(self.buffer, value);
                self.end_line();
            }
        }
        self
    }

    /// The body, its type and its length. Nothing can follow.
    pub fn body(&mut self, content_type: &str, body: &[u8]) -> &mut Self {
        if self.may_write(Name::ContentType) {
            self.line(Name::ContentType.as_str(), content_type);
            self.length_and_body(body);
        }
        self
    }

    /// Ends the message. On an error the buffer is cut back to what it held before.
    pub fn finish(mut self) -> Result<(), WriteError> {
        if !self.has_body {
            self.length_and_body(b"");
        }
        match self.error {
            None => Ok(()),
            Some(error) => {
                self.buffer.truncate(self.start);
                Err(error)
            }
        }
    }

    fn length_and_body(&mut self, body: &[u8]) {
        let _ = write!(self.buffer, "Content-Length: {}\r\n\r\n", body.len());
        self.buffer.extend_from_slice(body);
        self.has_body = true;
    }

    fn line(&mut self, name: &str, value: &str) {
        if has_break(value.as_bytes()) {
            self.fail(WriteError::HeaderValue);
            return;
        }
        self.name(name);
        self.buffer.extend_from_slice(value.as_bytes());
        self.end_line();
    }

    fn name(&mut self, name: &str) {
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b": ");
    }

    fn end_line(&mut self) {
        self.buffer.extend_from_slice(b"\r\n");
    }

    fn may_write(&mut self, name: Name) -> bool {
        if name == Name::ContentLength {
            self.fail(WriteError::ContentLength);
            return false;
        }
        self.before_body()
    }

    fn before_body(&mut self) -> bool {
        if self.has_body {
            self.fail(WriteError::AfterBody);
        }
        !self.has_body
    }

    fn fail(&mut self, error: WriteError) {
        self.error.get_or_insert(error);
    }
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("octets", &(self.buffer.len() - self.start))
            .field("error", &self.error)
            .finish()
    }
}

/// Octets that end a line, or that a C reader takes for the end.
fn has_break(value: &[u8]) -> bool {
    memchr::memchr3(b'\r', b'\n', 0, value).is_some()
}

/// Formats into octets.
struct Text<'b>(&'b mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "192.0.2.7:4711";

    #[test]
    fn a_request_reads_back() {
        let mut buffer = b"kept".to_vec();
        let mut writer = Writer::request(&mut buffer, Method::Invite, "sip:b@example.com");
        writer
            .header(Name::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx")
            .header(Name::From, "<sip:a@example.com>;tag=1")
            .header(Name::To, "<sip:b@example.com>")
            .header(Name::CallId, "c1")
            .header_fmt(Name::CSeq, format_args!("{} {}", 3, Method::Invite))
            .extension("X-Trace", "7")
            .body("application/sdp", b"v=0\r\n");
        assert_eq!(writer.finish(), Ok(()));
        let message = Message::parse(buffer.strip_prefix(b"kept").expect("kept")).expect("sound");
        assert_eq!(message.validate(), Ok(()));
        assert_eq!(message.body(), b"v=0\r\n");
        assert_eq!(message.content_type(), Some("application/sdp"));
        assert_eq!(message.extension("x-trace").as_deref(), Some("7"));
    }

    #[test]
    fn injection_is_refused_and_leaves_nothing() {
        for value in ["a\r\nVia: x", "a\nb", "a\rb", "a\0b"] {
            let mut buffer = b"kept".to_vec();
            let mut writer = Writer::request(&mut buffer, Method::Bye, "sip:a");
            writer.header(Name::Subject, value);
            assert_eq!(writer.finish(), Err(WriteError::HeaderValue));
            let mut writer = Writer::request(&mut buffer, Method::Bye, "sip:a");
            writer.header_fmt(Name::Subject, format_args!("{value}"));
            assert_eq!(writer.finish(), Err(WriteError::HeaderValue));
            let mut writer = Writer::request(&mut buffer, Method::Bye, "sip:a");
            writer.body(value, b"");
            assert_eq!(writer.finish(), Err(WriteError::HeaderValue));
            let writer = Writer::response(&mut buffer, 200, value);
            assert_eq!(writer.finish(), Err(WriteError::Reason));
            assert_eq!(
                Writer::request(&mut buffer, Method::Bye, value).finish(),
                Err(WriteError::RequestUri)
            );
            assert_eq!(
                Writer::request(&mut buffer, Method::Other(value), "sip:a").finish(),
                Err(WriteError::Method)
            );
            assert_eq!(buffer, b"kept");
        }
    }

    #[test]
    fn the_writers_own_rules() {
        let mut buffer = Vec::new();
        let mut writer = Writer::response(&mut buffer, 200, "OK");
        writer.header(Name::ContentLength, "3");
        assert_eq!(writer.finish(), Err(WriteError::ContentLength));
        let mut writer = Writer::response(&mut buffer, 200, "OK");
        writer.extension("l", "3");
        assert_eq!(writer.finish(), Err(WriteError::ContentLength));
        let mut writer = Writer::response(&mut buffer, 200, "OK");
        writer.body("a/b", b"x").header(Name::Subject, "late");
        assert_eq!(writer.finish(), Err(WriteError::AfterBody));
        assert_eq!(
            Writer::response(&mut buffer, 99, "").finish(),
            Err(WriteError::StatusCode)
        );
        let mut writer = Writer::response(&mut buffer, 200, "OK");
        writer.extension("a b", "x");
        assert_eq!(writer.finish(), Err(WriteError::HeaderName));
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_reply_copies_what_it_must() {
        let request = b"OPTIONS sip:a@b SIP/2.0\r\n\
            v: SIP / 2.0 / UDP host:5070;rport;branch=z9hG4bKq;x=\"a b\", SIP/2.0/UDP second\r\n\
            f: <sip:c@d>\r\n ;tag=9\r\nt: \"N\0\xe9\" <sip:a@b>\r\ni: id\r\nCSeq: 4 OPTIONS\r\n\r\n";
        let request = Message::parse(request).expect("sound");
        let source: SocketAddr = SOURCE.parse().expect("an address");
        let mut buffer = Vec::new();
        let writer = Writer::reply(&mut buffer, &request, source, 405, "No", Some("tt"));
        assert_eq!(writer.finish(), Ok(()));
        let expected: &[u8] = b"SIP/2.0 405 No\r\n\
            Via: SIP/2.0/UDP host:5070;rport=4711;branch=z9hG4bKq;x=\"a b\";received=192.0.2.7\r\n\
            Via: SIP/2.0/UDP second\r\nFrom: <sip:c@d> ;tag=9\r\nTo: \"N\0\xe9\" <sip:a@b>;tag=tt\r\n\
            Call-ID: id\r\nCSeq: 4 OPTIONS\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(
            String::from_utf8_lossy(&buffer),
            String::from_utf8_lossy(expected)
        );
        let mut buffer = Vec::new();
        let writer = Writer::reply(&mut buffer, &request, source, 405, "No", Some("t\r\n"));
        assert_eq!(writer.finish(), Err(WriteError::HeaderValue));
    }
}
