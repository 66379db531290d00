//! The characters of RFC 3261 section 25: tokens, linear white space, folded lines.

use std::borrow::Cow;

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let extra = b"-.!%*_+`'~";
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut i = 0;
    while i < extra.len() {
        table[extra[i] as usize] = true;
        i += 1;
    }
    table
};

/// Whether a byte may stand in a `token`.
pub(super) const fn is_token_byte(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// Whether the whole is a `token`: not empty, nothing else in it.
pub(super) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| is_token_byte(*b))
}

/// Linear white space. A line break inside an indexed value is always a fold, so it counts.
pub(super) const fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Without white space at either end.
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_lws(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_lws(*last)
    {
        text = rest;
    }
    text
}

/// Without white space in front.
pub(super) fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_lws(*first)
    {
        text = rest;
    }
    text
}

/// A value as text: folds become one space (RFC 3261 7.3.1), and octets that are not UTF-8 the
/// replacement character. Borrows unless one of the two is found.
pub(super) fn unfold(value: &[u8]) -> Cow<'_, str> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return String::from_utf8_lossy(value);
    }
    let mut flat = Vec::with_capacity(value.len());
    unfold_into(&mut flat, value);
    Cow::Owned(match String::from_utf8(flat) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// Appends a value with every fold, and the white space around it, made one space.
pub(super) fn unfold_into(out: &mut Vec<u8>, value: &[u8]) {
    let mut rest = trim(value);
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        let (line, after) = rest.split_at(at);
        out.extend_from_slice(trim(line));
        out.push(b' ');
        rest = trim_start(after);
    }
    out.extend_from_slice(rest);
}

/// A decimal number of digits alone, at most `limit`.
pub(super) fn number(text: &[u8], limit: u64) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    let mut value: u64 = 0;
    for byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(byte - b'0'))?;
        if value > limit {
            return None;
        }
    }
    Some(value)
}

/// Position of the quote that closes the one at the start of `text`; a backslash hides the octet
/// behind it.
pub(super) fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The inside of a quoted string with its backslashes taken away.
pub(super) fn unescape(inside: &[u8]) -> Cow<'_, str> {
    if memchr::memchr(b'\\', inside).is_none() {
        return unfold(inside);
    }
    let mut plain = Vec::with_capacity(inside.len());
    let mut bytes = inside.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.extend(bytes.next()),
            other => plain.push(*other),
        }
    }
    Cow::Owned(unfold(&plain).into_owned())
}

/// Percent escapes taken away (RFC 3261 19.1.2); a `%` that is no escape stays.
pub(super) fn percent_decode(text: &str) -> Cow<'_, str> {
    if memchr::memchr(b'%', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let plain: Vec<u8> = PercentDecoded(text.as_bytes()).collect();
    Cow::Owned(match String::from_utf8(plain) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// The octets of a text with its percent escapes taken away, one by one.
pub(super) struct PercentDecoded<'a>(pub(super) &'a [u8]);

impl Iterator for PercentDecoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        if *first == b'%'
            && let [high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            self.0 = after;
            return Some(high << 4 | low);
        }
        Some(*first)
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_become_one_space() {
        assert_eq!(unfold(b"one two"), "one two");
        assert!(matches!(unfold(b"one two"), Cow::Borrowed(_)));
        assert_eq!(unfold(b"one\r\n two \r\n\t three"), "one two three");
        assert_eq!(unfold(b"one\n two"), "one two");
        assert_eq!(unfold(b"caf\xe9"), "caf\u{fffd}");
    }

    #[test]
    fn quotes_close_behind_their_escapes() {
        assert_eq!(closing_quote(b"\"a\" b"), Some(2));
        assert_eq!(closing_quote(br#""a\"b" c"#), Some(5));
        assert_eq!(closing_quote(br#""a\\" c"#), Some(4));
        assert_eq!(closing_quote(br#""a\""#), None);
        assert_eq!(closing_quote(br#""a\"#), None);
        assert_eq!(unescape(br#"J \"R\" \\"#), r#"J "R" \"#);
    }

    #[test]
    fn percent_escapes() {
        assert_eq!(percent_decode("%6C%72"), "lr");
        assert_eq!(percent_decode("%zz%4"), "%zz%4");
        assert_eq!(percent_decode("%00"), "\0");
    }

    #[test]
    fn numbers_are_digits_within_a_limit() {
        assert_eq!(number(b"0068", 255), Some(68));
        assert_eq!(number(b"256", 255), None);
        assert_eq!(number(b"-1", 255), None);
        assert_eq!(number(b"", 255), None);
        assert_eq!(number(b"36893488147419103232", u64::MAX), None);
    }
}
