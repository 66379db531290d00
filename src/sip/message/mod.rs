//! SIP messages: a view over the bytes of one datagram, and a writer.
//!
//! [`Message::parse`] reads the start line and notes where each header field lies, nothing else;
//! everything more is read when asked for, over the same bytes. What a message must have to be
//! acted on is checked by [`Message::validate`].

mod address;
mod cseq;
mod date;
mod fault;
mod host;
mod list;
mod method;
mod name;
mod params;
mod start;
mod text;
#[cfg(test)]
mod torture;
mod uri;
mod validate;
mod via;
mod writer;

use std::borrow::Cow;
use std::fmt;

use smallvec::SmallVec;

pub use address::Address;
pub use cseq::{CSeq, RAck};
pub use fault::{Fault, Malformed, ParseError};
pub use host::Host;
pub use method::Method;
pub use name::Name;
pub use params::{MAX_PARAMS, Param, ParamIter, Params};
pub use start::StartLine;
pub use uri::{Scheme, Uri};
pub use via::{MAGIC_COOKIE, Via};
pub use writer::{WriteError, Writer};

use list::Elements;
use text::{is_token_byte, number, trim, unfold};

/// Most octets of start line and header together.
pub const MAX_HEAD: usize = 16 * 1024;
/// Most header fields of one message.
pub const MAX_HEADERS: usize = 128;
/// Fields whose places are noted without allocating.
const INLINE_HEADERS: usize = 24;

/// Where one header field lies; [`MAX_HEAD`] keeps every offset within 16 bits.
#[derive(Clone, Copy)]
struct Field {
    name: Option<Name>,
    folded: bool,
    name_start: u16,
    name_end: u16,
    value_start: u16,
    value_end: u16,
}

/// One SIP message, borrowed from the datagram that holds it.
///
/// `Debug` shows method or status and sizes alone.
#[derive(Clone)]
pub struct Message<'a> {
    /// The datagram from its start line on.
    data: &'a [u8],
    start: StartLine<'a>,
    start_fault: Option<Fault>,
    fields: SmallVec<[Field; INLINE_HEADERS]>,
    body: &'a [u8],
    body_fault: Option<Fault>,
}

impl<'a> Message<'a> {
    /// Reads the one message of a datagram. Line breaks before it are skipped (RFC 3261 7.5), a
    /// line may end in LF alone, octets behind Content-Length are cut off (18.3).
    ///
    /// A wrong or too great Content-Length is not an error here but in [`validate`](Self::validate),
    /// so that a request can be answered; [`body`](Self::body) is then what there is.
    pub fn parse(datagram: &'a [u8]) -> Result<Message<'a>, ParseError> {
        let blank = datagram
            .iter()
            .position(|b| !matches!(b, b'\r' | b'\n'))
            .unwrap_or(datagram.len());
        let data = datagram.get(blank..).unwrap_or_default();
        if data.iter().all(|b| matches!(b, 0 | b'\r' | b'\n')) {
            return Err(ParseError::KeepAlive);
        }
        let mut lines = Lines {
            head: data.get(..MAX_HEAD).unwrap_or(data),
            at: 0,
            is_cut: data.len() > MAX_HEAD,
        };
        let (_, line) = lines.next()?;
        let (start, start_fault) = start::parse(line)?;
        let mut fields: SmallVec<[Field; INLINE_HEADERS]> = SmallVec::new();
        let mut has_length = false;
        loop {
            let (line_start, line) = lines.next()?;
            match line.first() {
                None => break,
                Some(b' ' | b'\t') => {
                    let last = fields.last_mut().ok_or(ParseError::HeaderLine)?;
                    last.folded = true;
                    last.value_end = (line_start + line.len()) as u16;
                    continue;
                }
                Some(_) => {}
            }
            if fields.len() == MAX_HEADERS {
                return Err(ParseError::TooManyHeaders);
            }
            let field = field(line_start, line)?;
            has_length |= field.name == Some(Name::ContentLength);
            fields.push(field);
        }
        let body = data.get(lines.at..).unwrap_or_default();
        let mut message = Message {
            data,
            start,
            start_fault,
            fields,
            body,
            body_fault: None,
        };
        if has_length {
            message.cut_body();
        }
        Ok(message)
    }

    /// Applies Content-Length.
    fn cut_body(&mut self) {
        match self.content_length() {
            Ok(length) => match self.body.get(..length) {
                Some(body) => self.body = body,
                None => self.body_fault = Some(Fault::BodyTruncated),
            },
            Err(fault) => self.body_fault = Some(fault),
        }
    }

    /// The one Content-Length, be it repeated.
    fn content_length(&self) -> Result<usize, Fault> {
        let mut length = None;
        for value in self.raw(Name::ContentLength) {
            let value =
                number(value, u64::from(u32::MAX)).ok_or(Fault::Malformed(Name::ContentLength))?;
            if length.replace(value).is_some_and(|first| first != value) {
                return Err(Fault::Repeated(Name::ContentLength));
            }
        }
        Ok(length.unwrap_or(0) as usize)
    }

    /// The start line.
    pub const fn start(&self) -> StartLine<'a> {
        self.start
    }

    /// The method, if it is a request.
    pub const fn method(&self) -> Option<Method<'a>> {
        match self.start {
            StartLine::Request { method, .. } => Some(method),
            StartLine::Response { .. } => None,
        }
    }

    /// The status code, if it is a response.
    pub const fn code(&self) -> Option<u16> {
        match self.start {
            StartLine::Request { .. } => None,
            StartLine::Response { code, .. } => Some(code),
        }
    }

    /// The body, without what lies behind Content-Length.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The first value of a header field, folds made one space, octets that are no UTF-8 replaced.
    pub fn header(&self, name: Name) -> Option<Cow<'a, str>> {
        self.raw(name).next().map(unfold)
    }

    /// Every value of a header field, in order.
    pub fn headers(&self, name: Name) -> impl Iterator<Item = Cow<'a, str>> + use<'a, '_> {
        self.raw(name).map(unfold)
    }

    /// The comma-separated elements of a header field, across all its values, in order; empty
    /// ones are left out.
    pub fn list(&self, name: Name) -> impl Iterator<Item = Cow<'a, str>> + use<'a, '_> {
        self.elements(name).map(unfold)
    }

    /// Whether a list of tokens holds one, in any case: `has_token(Name::Supported, "100rel")`.
    pub fn has_token(&self, name: Name, token: &str) -> bool {
        self.elements(name)
            .any(|e| e.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The first value of a header field that [`Name`] does not know, matched in any case.
    pub fn extension(&self, name: &str) -> Option<Cow<'a, str>> {
        self.fields()
            .find(|f| f.name.eq_ignore_ascii_case(name))
            .map(|f| f.value())
    }

    /// All header fields in order.
    pub fn fields(&self) -> impl Iterator<Item = Header<'a>> + use<'a, '_> {
        self.fields.iter().map(|field| Header {
            name: self
                .data
                .get(usize::from(field.name_start)..usize::from(field.name_end))
                .and_then(|n| std::str::from_utf8(n).ok())
                .unwrap_or_default(),
            known: field.name,
            raw: self.value(field),
        })
    }

    /// The topmost Via.
    pub fn via(&self) -> Result<Via<'a>, Fault> {
        self.vias().next().ok_or(Fault::Missing(Name::Via))?
    }

    /// Every Via, topmost first.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'a>, Fault>> + use<'a, '_> {
        self.elements(Name::Via)
            .map(|e| Via::from_bytes(e).map_err(|_| Fault::Malformed(Name::Via)))
    }

    /// From.
    pub fn from(&self) -> Result<Address<'a>, Fault> {
        self.single_address(Name::From)
    }

    /// To.
    pub fn to(&self) -> Result<Address<'a>, Fault> {
        self.single_address(Name::To)
    }

    /// The first Contact. The `*` of a REGISTER is none.
    pub fn contact(&self) -> Result<Address<'a>, Fault> {
        self.addresses(Name::Contact)
            .next()
            .ok_or(Fault::Missing(Name::Contact))?
    }

    /// The addresses of a list: Contact, Route, Record-Route, P-Asserted-Identity, Diversion...
    pub fn addresses(
        &self,
        name: Name,
    ) -> impl Iterator<Item = Result<Address<'a>, Fault>> + use<'a, '_> {
        self.elements(name)
            .map(move |e| Address::from_bytes(e).map_err(|_| Fault::Malformed(name)))
    }

    /// CSeq.
    pub fn cseq(&self) -> Result<CSeq<'a>, Fault> {
        CSeq::from_bytes(self.single(Name::CSeq)?).map_err(|_| Fault::Malformed(Name::CSeq))
    }

    /// Call-ID.
    pub fn call_id(&self) -> Result<&'a str, Fault> {
        let value = trim(self.single(Name::CallId)?);
        if value.is_empty() || value.iter().any(|b| *b <= b' ' || *b == 0x7f) {
            return Err(Fault::Malformed(Name::CallId));
        }
        std::str::from_utf8(value).map_err(|_| Fault::Malformed(Name::CallId))
    }

    /// The number a field begins with, such as Expires, Max-Forwards, Min-SE, RSeq,
    /// Retry-After and Session-Expires; what follows a space, `;` or `(` is not looked at.
    pub fn number(&self, name: Name) -> Result<Option<u32>, Fault> {
        if self.raw(name).next().is_none() {
            return Ok(None);
        }
        let value = trim(self.single(name)?);
        let end = value
            .iter()
            .position(|b| matches!(b, b';' | b'(') || text::is_lws(*b))
            .unwrap_or(value.len());
        match value
            .get(..end)
            .and_then(|n| number(n, u64::from(u32::MAX)))
        {
            Some(number) => Ok(Some(number as u32)),
            None => Err(Fault::Malformed(name)),
        }
    }

    /// The media type of the body, `application/sdp`, as written but without parameters.
    pub fn content_type(&self) -> Option<&'a str> {
        let value = self.raw(Name::ContentType).next()?;
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        std::str::from_utf8(trim(value.get(..end)?)).ok()
    }

    /// The value of a field that must stand exactly once.
    fn single(&self, name: Name) -> Result<&'a [u8], Fault> {
        let mut values = self.raw(name);
        let value = values.next().ok_or(Fault::Missing(name))?;
        match values.next() {
            None => Ok(value),
            Some(_) => Err(Fault::Repeated(name)),
        }
    }

    fn single_address(&self, name: Name) -> Result<Address<'a>, Fault> {
        Address::from_bytes(self.single(name)?).map_err(|_| Fault::Malformed(name))
    }

    /// Every value as it lies in the datagram, without white space around it.
    fn raw(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + use<'a, '_> {
        self.fields
            .iter()
            .filter(move |f| f.name == Some(name))
            .map(|f| self.value(f))
    }

    fn value(&self, field: &Field) -> &'a [u8] {
        let value = self
            .data
            .get(usize::from(field.value_start)..usize::from(field.value_end))
            .unwrap_or_default();
        if field.folded { trim(value) } else { value }
    }

    /// The elements of a list that are not empty.
    fn elements(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + use<'a, '_> {
        self.raw(name)
            .flat_map(Elements::new)
            .filter(|e| !e.is_empty())
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("start", &self.start)
            .field("headers", &self.fields.len())
            .field("body_octets", &self.body.len())
            .finish()
    }
}

/// One header field of [`Message::fields`].
#[derive(Clone, Copy)]
pub struct Header<'a> {
    /// The name as written.
    pub name: &'a str,
    /// What it stands for, if we know it.
    pub known: Option<Name>,
    raw: &'a [u8],
}

impl<'a> Header<'a> {
    /// The value, folds made one space, octets that are no UTF-8 replaced.
    pub fn value(&self) -> Cow<'a, str> {
        unfold(self.raw)
    }
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The lines of a head, without their ends.
struct Lines<'a> {
    head: &'a [u8],
    at: usize,
    is_cut: bool,
}

impl<'a> Lines<'a> {
    /// The next line and where it begins.
    fn next(&mut self) -> Result<(usize, &'a [u8]), ParseError> {
        let start = self.at;
        let rest = self.head.get(start..).unwrap_or_default();
        let unfinished = if self.is_cut {
            ParseError::HeadTooLong
        } else {
            ParseError::Truncated
        };
        let end = memchr::memchr2(b'\r', b'\n', rest).ok_or(unfinished)?;
        let (line, ending) = rest.split_at(end);
        self.at = match ending {
            [b'\n', ..] => start + end + 1,
            [b'\r', b'\n', ..] => start + end + 2,
            [b'\r'] => return Err(unfinished),
            _ => return Err(ParseError::BareCarriageReturn),
        };
        Ok((start, line))
    }
}

/// Notes where name and value of a header line lie: `name *( SP / HTAB ) ":" value`.
fn field(line_start: usize, line: &[u8]) -> Result<Field, ParseError> {
    let name_length = line
        .iter()
        .position(|b| !is_token_byte(*b))
        .ok_or(ParseError::HeaderLine)?;
    let (name, rest) = line.split_at(name_length);
    let blanks = rest
        .iter()
        .position(|b| !matches!(b, b' ' | b'\t'))
        .ok_or(ParseError::HeaderLine)?;
    let value = match rest.get(blanks..) {
        Some([b':', value @ ..]) if !name.is_empty() => value,
        _ => return Err(ParseError::HeaderLine),
    };
    let value_at = line_start + name_length + blanks + 1;
    let skipped = value.len() - value.trim_ascii_start().len();
    let value_length = value.trim_ascii().len();
    Ok(Field {
        name: Name::parse(name),
        folded: false,
        name_start: line_start as u16,
        name_end: (line_start + name_length) as u16,
        value_start: (value_at + skipped) as u16,
        value_end: (value_at + skipped + value_length) as u16,
    })
}
