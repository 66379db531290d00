//! One-time codes: drawn evenly, read leniently, never shown.

use std::fmt;

use zeroize::Zeroize;

/// The longest text that is read as a code, in octets.
const LONGEST_TEXT: usize = 64;
/// Octets below this are spread evenly over the ten digits; the others are passed over.
const EVEN: u8 = 250;

/// How many digits a code has: 4 to 10. Guessing once hits one of six digits with a chance of one
/// in a million, and one of four with one in ten thousand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeLength(u8);

impl CodeLength {
    /// The shortest code.
    pub const SHORTEST: CodeLength = CodeLength(4);
    /// The longest code.
    pub const LONGEST: CodeLength = CodeLength(10);

    /// That many digits, if codes can have so many.
    pub fn new(digits: u64) -> Option<CodeLength> {
        let digits = u8::try_from(digits).ok().map(CodeLength)?;
        (CodeLength::SHORTEST..=CodeLength::LONGEST)
            .contains(&digits)
            .then_some(digits)
    }

    /// How many digits.
    pub fn digits(self) -> usize {
        usize::from(self.0)
    }
}

/// Six digits.
impl Default for CodeLength {
    fn default() -> Self {
        CodeLength(6)
    }
}

/// A one-time code of 4 to 10 digits. It is wiped when dropped, `Debug` hides it, and it cannot be
/// compared: only its keyed hash is, in constant time (see [`crate::store::CodeHash`]).
#[derive(Clone)]
pub struct OneTimeCode {
    /// ASCII digits, then zeros.
    digits: [u8; 10],
    length: CodeLength,
}

/// A text that is no code, whatever the challenge. What it was is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code is 4 to 10 digits, which spaces and hyphens may part")]
pub struct NotACode;

impl OneTimeCode {
    /// A code made of random octets, each digit as likely as any other; `None` if too many of the
    /// octets had to be passed over. Of 32 octets some 31 can be used.
    pub fn draw(length: CodeLength, random: &[u8]) -> Option<OneTimeCode> {
        let mut code = OneTimeCode {
            digits: [0; 10],
            length,
        };
        let mut even = random.iter().filter(|octet| **octet < EVEN);
        for digit in code.digits.iter_mut().take(length.digits()) {
            *digit = b'0' + even.next()? % 10;
        }
        Some(code)
    }

    /// The code that a person typed: spaces, hyphens and dashes between its digits do not count.
    ///
    /// # Errors
    /// If there is anything else in it, or too few digits or too many.
    pub fn parse(text: &str) -> Result<OneTimeCode, NotACode> {
        if text.len() > LONGEST_TEXT {
            return Err(NotACode);
        }
        let mut code = OneTimeCode {
            digits: [0; 10],
            length: CodeLength::LONGEST,
        };
        let mut count = 0;
        for character in text.chars() {
            match character {
                '0'..='9' => {
                    // A digit is one octet.
                    *code.digits.get_mut(count).ok_or(NotACode)? = character as u8;
                    count += 1;
                }
                ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '-' | '\u{2010}'..='\u{2015}' => {}
                _ => return Err(NotACode),
            }
        }
        code.length = CodeLength::new(count as u64).ok_or(NotACode)?;
        Ok(code)
    }

    /// How many digits it has.
    pub fn length(&self) -> CodeLength {
        self.length
    }

    /// Its digits. For the text that carries it and for its hash, and for nothing else.
    pub fn reveal(&self) -> &str {
        let digits = self.digits.get(..self.length.digits()).unwrap_or_default();
        std::str::from_utf8(digits).unwrap_or_default()
    }
}

impl Drop for OneTimeCode {
    fn drop(&mut self) {
        self.digits.zeroize();
    }
}

impl fmt::Debug for OneTimeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OneTimeCode({} digits)", self.length.digits())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_digit_is_as_likely_as_any_other() {
        let length = CodeLength::SHORTEST;
        let mut count = [0; 10];
        for octet in 0..=u8::MAX {
            match OneTimeCode::draw(length, &[octet; 4]) {
                Some(code) => {
                    let digit = code.reveal().bytes().next().expect("a digit");
                    count[usize::from(digit - b'0')] += 1;
                }
                None => assert!(octet >= 250, "{octet}"),
            }
        }
        assert_eq!(count, [25; 10]);
    }

    #[test]
    fn octets_that_would_favour_a_digit_are_passed_over() {
        let code = OneTimeCode::draw(CodeLength::SHORTEST, &[255, 0, 250, 1, 2, 251, 13]);
        assert_eq!(code.expect("enough").reveal(), "0123");
        assert!(OneTimeCode::draw(CodeLength::SHORTEST, &[1, 2, 3, 250]).is_none());
        assert!(OneTimeCode::draw(CodeLength::SHORTEST, &[]).is_none());
    }

    #[test]
    fn a_code_is_read_as_people_write_it() {
        for text in [
            "123456",
            "123 456",
            " 123-456 ",
            "1 2 3 4 5 6",
            "123\u{2013}456",
        ] {
            let code = OneTimeCode::parse(text).expect(text);
            assert_eq!((code.reveal(), code.length().digits()), ("123456", 6));
        }
        for text in [
            "",
            "123",
            "12345678901",
            "12345a",
            "１２３４５６",
            "+123456",
            "123456\n",
            "123456\0",
            &" ".repeat(65),
        ] {
            assert_eq!(OneTimeCode::parse(text).err(), Some(NotACode), "{text:?}");
        }
    }

    #[test]
    fn debug_shows_no_digit() {
        let code = OneTimeCode::parse("9731").expect("a code");
        assert_eq!(format!("{code:?}"), "OneTimeCode(4 digits)");
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(CodeLength::default().digits(), 6);
        for digits in 0..300 {
            let fits = (4..=10).contains(&digits);
            assert_eq!(CodeLength::new(digits).is_some(), fits, "{digits}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,80}") {
            if let Ok(code) = OneTimeCode::parse(&text) {
                let digits: String = text.chars().filter(char::is_ascii_digit).collect();
                prop_assert_eq!(code.reveal(), digits);
            }
        }

        #[test]
        fn what_is_drawn_reads_back(octets in any::<[u8; 32]>(), digits in 4u64..=10) {
            let length = CodeLength::new(digits).expect("a length");
            if let Some(code) = OneTimeCode::draw(length, &octets) {
                let read = OneTimeCode::parse(code.reveal()).expect("a code");
                prop_assert_eq!(read.reveal(), code.reveal());
                prop_assert_eq!(read.length(), length);
            }
        }
    }
}
