//! Comma-separated elements of a header field value.

use super::text::{closing_quote, trim};

/// Splits a value at commas that stand in neither quotes nor angle brackets. Empty elements are
/// kept: who may ignore them does.
#[derive(Clone)]
pub(super) struct Elements<'a> {
    rest: Option<&'a [u8]>,
    /// Cleared once one stays open, so that a hostile value is not searched to its end again and
    /// again.
    quotes_close: bool,
    brackets_close: bool,
}

impl<'a> Elements<'a> {
    pub(super) const fn new(value: &'a [u8]) -> Elements<'a> {
        Elements {
            rest: Some(value),
            quotes_close: true,
            brackets_close: true,
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let mut at = 0;
        let end = loop {
            let Some(tail) = rest.get(at..).filter(|t| !t.is_empty()) else {
                break None;
            };
            // Most elements hold nothing but text up to the comma or the end.
            let Some(mark) = memchr::memchr3(b',', b'"', b'<', tail) else {
                break None;
            };
            at += mark;
            let from = tail.get(mark..).unwrap_or_default();
            match from.first() {
                Some(b',') => break Some(at),
                // A quote or bracket left open hides no comma: the typed view refuses it.
                Some(b'"') => {
                    let close = self.quotes_close.then(|| closing_quote(from)).flatten();
                    self.quotes_close = close.is_some();
                    at += close.unwrap_or(0) + 1;
                }
                _ => {
                    let close = self
                        .brackets_close
                        .then(|| memchr::memchr(b'>', from))
                        .flatten();
                    self.brackets_close = close.is_some();
                    at += close.unwrap_or(0) + 1;
                }
            }
        };
        match end {
            Some(at) => {
                let (element, rest) = rest.split_at(at);
                self.rest = rest.get(1..);
                Some(trim(element))
            }
            None => {
                self.rest = None;
                Some(trim(rest))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_split() {
        let split = |text: &'static str| -> Vec<&'static str> {
            Elements::new(text.as_bytes())
                .map(|e| std::str::from_utf8(e).unwrap_or("?"))
                .collect()
        };
        assert_eq!(split("a, b ,c"), ["a", "b", "c"]);
        assert_eq!(
            split("\"a, b\" <sip:c,d@e>, f"),
            ["\"a, b\" <sip:c,d@e>", "f"]
        );
        assert_eq!(split("\"a\\\", b\", c"), ["\"a\\\", b\"", "c"]);
        assert_eq!(split("a,,b,"), ["a", "", "b", ""]);
        assert_eq!(split(""), [""]);
        assert_eq!(split("\"a, b"), ["\"a", "b"]);
        assert_eq!(split("<a, b"), ["<a", "b"]);
    }
}
