//! Addresses: `name-addr` or `addr-spec` with parameters, as in From, To, Contact, Route.

use std::borrow::Cow;
use std::fmt;

use super::fault::Malformed;
use super::params::Params;
use super::text::{closing_quote, is_lws, trim, trim_start, unescape, unfold};
use super::uri::Uri;

/// One address. `Debug` shows neither name nor user part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    display: Display<'a>,
    uri: Uri<'a>,
    params: Params<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Display<'a> {
    None,
    Plain(&'a [u8]),
    Quoted(&'a [u8]),
}

impl<'a> Address<'a> {
    /// From text: one element of a header field value.
    pub fn parse(text: &'a str) -> Result<Address<'a>, Malformed> {
        Address::from_bytes(text.as_bytes())
    }

    /// From octets: a display name need not be UTF-8, the rest must.
    pub(super) fn from_bytes(text: &'a [u8]) -> Result<Address<'a>, Malformed> {
        let bad = Malformed("address");
        let text = trim(text);
        let (display, rest) = match text.first().ok_or(bad)? {
            b'"' => {
                let close = closing_quote(text).ok_or(bad)?;
                let inside = text.get(1..close).ok_or(bad)?;
                let rest = text.get(close + 1..).ok_or(bad)?;
                (Display::Quoted(inside), trim_start(rest))
            }
            b'<' => (Display::None, text),
            _ => match text
                .iter()
                .position(|b| matches!(b, b'<' | b';' | b'"' | b',' | b'>'))
            {
                // The grammar wants tokens; what phones send is anything but these marks.
                Some(at) if text.get(at) == Some(&b'<') => {
                    let (name, rest) = text.split_at(at);
                    (Display::Plain(trim(name)), rest)
                }
                _ => return Address::bare(text),
            },
        };
        let rest = rest.strip_prefix(b"<").ok_or(bad)?;
        let close = memchr::memchr(b'>', rest).ok_or(bad)?;
        let (uri, after) = rest.split_at(close);
        let uri = std::str::from_utf8(uri).map_err(|_| bad)?;
        Ok(Address {
            display,
            uri: Uri::parse(uri)?,
            params: Params::parse(after.get(1..).unwrap_or_default())?,
        })
    }

    /// An `addr-spec` without brackets: semicolons begin parameters of the field, not of the URI,
    /// and a question mark may not stand in it (RFC 3261 20.10).
    fn bare(text: &'a [u8]) -> Result<Address<'a>, Malformed> {
        let bad = Malformed("address");
        let end = text
            .iter()
            .position(|b| *b == b';' || is_lws(*b))
            .unwrap_or(text.len());
        let (uri, params) = text.split_at(end);
        if uri.contains(&b'?') || uri.contains(&b',') {
            return Err(bad);
        }
        let uri = std::str::from_utf8(uri).map_err(|_| bad)?;
        Ok(Address {
            display: Display::None,
            uri: Uri::parse(uri)?,
            params: Params::parse(params)?,
        })
    }

    /// The display name, unquoted and unescaped; `None` where there is none or it is empty.
    pub fn display(&self) -> Option<Cow<'a, str>> {
        let name = match self.display {
            Display::None => return None,
            Display::Plain(name) => unfold(name),
            Display::Quoted(inside) => unescape(inside),
        };
        (!name.is_empty()).then_some(name)
    }

    /// The URI.
    pub const fn uri(&self) -> Uri<'a> {
        self.uri
    }

    /// The parameters of the field, behind the URI.
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// The tag of a From or To; `None` where there is none or it is empty.
    pub fn tag(&self) -> Option<&'a str> {
        self.params.value("tag").filter(|t| !t.is_empty())
    }
}

impl fmt::Debug for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("uri", &self.uri)
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms() {
        for (text, display, uri, tag) in [
            ("<sip:a@b>;tag=1", None, "sip:a@b", Some("1")),
            ("sip:a@b;tag=1", None, "sip:a@b", Some("1")),
            ("sip:a@b", None, "sip:a@b", None),
            (
                "\"A, B;<C>\" <sip:a@b;x>;tag=1",
                Some("A, B;<C>"),
                "sip:a@b;x",
                Some("1"),
            ),
            ("\"A\"<sip:a@b>", Some("A"), "sip:a@b", None),
            ("\"\" <sip:a@b>", None, "sip:a@b", None),
            (
                "Alice Liddell <sip:a@b> ; tag = 1",
                Some("Alice Liddell"),
                "sip:a@b",
                Some("1"),
            ),
            ("Alice<sip:a@b>;TAG=1", Some("Alice"), "sip:a@b", Some("1")),
            ("a@b.c <sip:a@b>", Some("a@b.c"), "sip:a@b", None),
            (
                "  \"J \\\"R\\\"\"  <sip:a@b>\r\n ;\r\n tag=1 ",
                Some("J \"R\""),
                "sip:a@b",
                Some("1"),
            ),
            (
                "Jos\u{e9} <sip:a@b>;tag=1;",
                Some("Jos\u{e9}"),
                "sip:a@b",
                Some("1"),
            ),
            ("<tel:+44123;x=y>;tag=1", None, "tel:+44123;x=y", Some("1")),
            ("sip:a@b ;   tag    = 19", None, "sip:a@b", Some("19")),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!(address.display().as_deref(), display, "{text}");
            assert_eq!(address.uri().as_str(), uri, "{text}");
            assert_eq!(address.tag(), tag, "{text}");
        }
        let latin = Address::from_bytes(b"\"Jos\xe9\" <sip:a@b>").expect("sound");
        assert_eq!(latin.display().as_deref(), Some("Jos\u{fffd}"));
    }

    #[test]
    fn what_is_no_address() {
        for bad in [
            "",
            "*",
            "<>",
            "< sip:a@b >",
            "\"A <sip:a@b>",
            "\"A\" sip:a@b",
            "Bell, Alexander <sip:a@b>",
            "<sip:a@b",
            "<sip:a@b> junk",
            "sip:a@b?Route=%3Csip:c%3E",
            "sip:a@b junk",
            "<sip:a@b>;;;",
            "<sip:a@b>, <sip:c@d>",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
