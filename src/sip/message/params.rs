//! `;name=value` parameters, as they follow an address, a Via, or stand in a URI.

use std::borrow::Cow;
use std::fmt;

use super::fault::Malformed;
use super::text::{
    PercentDecoded, closing_quote, is_lws, is_token_byte, trim, trim_start, unescape, unfold_into,
};

/// Parameters that were checked once and are read when asked. `Debug` shows names alone.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Params<'a> {
    raw: &'a [u8],
}

/// Most parameters of one URI, address or Via.
pub const MAX_PARAMS: usize = 64;

/// One parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// Its name, as written.
    pub name: &'a str,
    /// Its value as written, without the quotes around it; `None` where there is no `=`. Empty
    /// where it is not UTF-8.
    pub value: Option<&'a str>,
    raw: &'a [u8],
    quoted: bool,
}

impl<'a> Param<'a> {
    /// Appends it as it was written, folds made one space.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name.as_bytes());
        if self.value.is_some() {
            out.extend_from_slice(if self.quoted { b"=\"" } else { b"=" });
            unfold_into(out, self.raw);
            if self.quoted {
                out.push(b'"');
            }
        }
    }

    /// The value with backslashes of a quoted string taken away and folds made one space.
    pub fn text(&self) -> Cow<'a, str> {
        unescape(self.raw)
    }
}

impl<'a> Params<'a> {
    /// Checks everything from the first semicolon on, [`MAX_PARAMS`] at most. One semicolon at the very end is let pass;
    /// two in a row, an open quote, or a name that is no token are not.
    pub(super) fn parse(raw: &'a [u8]) -> Result<Params<'a>, Malformed> {
        let raw = trim(raw);
        let params = Params { raw };
        let mut rest = raw;
        for _ in 0..=MAX_PARAMS {
            match step(rest) {
                Step::Param(_, after) => rest = after,
                Step::End => return Ok(params),
                Step::Broken => break,
            }
        }
        Err(Malformed("parameters"))
    }

    /// All of them, in order.
    pub fn iter(&self) -> ParamIter<'a> {
        ParamIter { rest: self.raw }
    }

    /// The first of that name (in any case).
    pub fn get(&self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|p| p.name.eq_ignore_ascii_case(name))
    }

    /// The first of that name where names may be percent-escaped, as in a URI (RFC 3261 19.1.2).
    pub fn get_escaped(&self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|p| {
            PercentDecoded(p.name.as_bytes())
                .map(|b| b.to_ascii_lowercase())
                .eq(name.bytes().map(|b| b.to_ascii_lowercase()))
        })
    }

    /// The value of the first of that name; `None` where it is missing or has no value.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.value
    }

    /// Whether there is one of that name, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

impl fmt::Debug for Params<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|p| p.name)).finish()
    }
}

impl fmt::Debug for Param<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Param")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The iterator of [`Params::iter`].
#[derive(Clone)]
pub struct ParamIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for ParamIter<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        match step(self.rest) {
            Step::Param(param, rest) => {
                self.rest = rest;
                Some(param)
            }
            Step::End | Step::Broken => None,
        }
    }
}

enum Step<'a> {
    Param(Param<'a>, &'a [u8]),
    End,
    Broken,
}

/// Reads one parameter; `rest` begins with its semicolon or the white space before it.
fn step(rest: &[u8]) -> Step<'_> {
    let rest = trim_start(rest);
    let Some((b';', rest)) = rest.split_first() else {
        return if rest.is_empty() {
            Step::End
        } else {
            Step::Broken
        };
    };
    let rest = trim_start(rest);
    if rest.is_empty() {
        return Step::End;
    }
    let length = rest
        .iter()
        .position(|b| !is_name_byte(*b))
        .unwrap_or(rest.len());
    let (name, after) = rest.split_at(length);
    // Ascii by `is_name_byte`.
    let Ok(name) = std::str::from_utf8(name) else {
        return Step::Broken;
    };
    if name.is_empty() {
        return Step::Broken;
    }
    let after = trim_start(after);
    let Some((b'=', value)) = after.split_first() else {
        let param = Param {
            name,
            value: None,
            raw: b"",
            quoted: false,
        };
        return Step::Param(param, after);
    };
    let value = trim_start(value);
    let quoted = value.first() == Some(&b'"');
    let (raw, after) = if quoted {
        let Some(close) = closing_quote(value) else {
            return Step::Broken;
        };
        (
            value.get(1..close).unwrap_or_default(),
            value.get(close + 1..).unwrap_or_default(),
        )
    } else {
        let length = value
            .iter()
            .position(|b| matches!(b, b';' | b',' | b'"' | b'<' | b'>') || is_lws(*b))
            .unwrap_or(value.len());
        value.split_at(length)
    };
    let param = Param {
        name,
        value: Some(std::str::from_utf8(raw).unwrap_or_default()),
        raw,
        quoted,
    };
    Step::Param(param, after)
}

/// A token, or what a URI allows in a parameter name besides (`paramchar`).
const fn is_name_byte(byte: u8) -> bool {
    is_token_byte(byte) || matches!(byte, b'[' | b']' | b'/' | b':' | b'&' | b'$' | b'(' | b')')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<'a>(params: &Params<'a>) -> Vec<(&'a str, Option<&'a str>)> {
        params.iter().map(|p| (p.name, p.value)).collect()
    }

    #[test]
    fn values_quotes_and_white_space() {
        let raw = b" ; a ; b = c;\r\n d=\"e;\\\"f,\" ;g=";
        let params = Params::parse(raw).expect("sound");
        assert_eq!(
            names(&params),
            [
                ("a", None),
                ("b", Some("c")),
                ("d", Some("e;\\\"f,")),
                ("g", Some(""))
            ]
        );
        assert_eq!(params.get("D").expect("there").text(), "e;\"f,");
        assert!(params.has("A") && !params.has("h"));
        assert_eq!(params.value("a"), None);
    }

    #[test]
    fn broken_ones_are_refused() {
        for bad in [
            ";;", ";a;;b", ";\"", ";a=\"b", ";a b", ";a=b c", "a", ";=b", ";a=b,c", ";a=<b>",
        ] {
            assert!(Params::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        for good in ["", " ", ";a;", "; a = b ; ", ";a=2001:db8::1"] {
            assert!(Params::parse(good.as_bytes()).is_ok(), "{good}");
        }
    }

    #[test]
    fn escaped_names_of_a_uri() {
        let params = Params::parse(b";%6C%72;n%61me=v%61lue%25%34%31").expect("sound");
        assert!(params.get_escaped("lr").is_some());
        assert!(params.get_escaped("name").is_some());
        assert!(params.get("lr").is_none());
    }
}
