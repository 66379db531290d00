//! A prefix of E.164.

use std::fmt;

/// Digits that a number begins with, country code first; none match every number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    digits: [u8; Prefix::LONGEST],
    len: u8,
}

impl Prefix {
    /// E.164 6.2: a number has at most 15 digits.
    pub const LONGEST: usize = 15;

    /// From `+` and up to 15 digits.
    pub fn parse(text: &str) -> Option<Prefix> {
        let written = text.strip_prefix('+')?;
        let mut digits = [0; Prefix::LONGEST];
        if written.len() > Prefix::LONGEST || written.starts_with('0') {
            return None;
        }
        for (to, from) in digits.iter_mut().zip(written.bytes()) {
            if !from.is_ascii_digit() {
                return None;
            }
            *to = from;
        }
        Some(Prefix {
            digits,
            len: written.len() as u8,
        })
    }

    /// The first `len` digits of a number.
    pub(super) fn of(digits: &str, len: usize) -> Prefix {
        let mut prefix = Prefix {
            digits: [0; Prefix::LONGEST],
            len: 0,
        };
        for (to, from) in prefix.digits.iter_mut().zip(digits.bytes().take(len)) {
            *to = from;
            prefix.len += 1;
        }
        prefix
    }

    /// The digits without the plus sign.
    pub fn digits(&self) -> &str {
        self.digits
            .get(..usize::from(self.len))
            .and_then(|d| std::str::from_utf8(d).ok())
            .unwrap_or("")
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.digits())
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for Prefix {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_plus_and_digits() {
        for text in ["+", "+4", "+44", "+123456789012345"] {
            assert_eq!(Prefix::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "44", "+0", "+44 ", "+4x", "+1234567890123456", "+٤"] {
            assert_eq!(Prefix::parse(text), None, "{text}");
        }
        assert_eq!(Prefix::of("44123", 2), Prefix::parse("+44").unwrap());
    }
}
