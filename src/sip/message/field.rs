//! Where one header field lies.

use std::ops::Range;

use super::fault::ParseError;
use super::name::Name;
use super::text::is_token;

/// The places of a header field's name and value, and what the name stands for, in one machine
/// word: a message's index is written and searched a word at a time.
///
/// From the lowest bit: where the name starts and ends, where the value starts and ends, 14 bits
/// each; seven bits of [`Name`], all set for one we do not know; one bit for a folded value.
#[derive(Clone, Copy)]
pub(super) struct Field(u64);

const PLACE_BITS: u32 = 14;
const NAME_AT: u32 = 4 * PLACE_BITS;
const UNKNOWN: u64 = 0x7f;
const FOLDED: u64 = 1 << 63;

const _: () = {
    assert!(super::MAX_HEAD <= 1 << PLACE_BITS);
    assert!(Name::ALL.len() < UNKNOWN as usize);
};

impl Field {
    /// Reads a header line that starts at `line_start`, which with its end is within
    /// [`MAX_HEAD`](super::MAX_HEAD): `name *( SP / HTAB ) ":" value`.
    #[inline]
    pub(super) fn read(line_start: usize, line: &[u8]) -> Result<Field, ParseError> {
        let bad = ParseError::HeaderLine;
        let is_blank = |at: usize| matches!(line.get(at), Some(b' ' | b'\t'));
        // Names are short: a search that is good at long texts would lose its time in starting.
        let colon = line.iter().position(|b| *b == b':').ok_or(bad)?;
        let mut name_end = colon;
        while name_end > 0 && is_blank(name_end - 1) {
            name_end -= 1;
        }
        let text = line.get(..name_end).ok_or(bad)?;
        let name = match Name::at_start(line, name_end) {
            Some(name) => name as u64,
            None if is_token(text) => UNKNOWN,
            None => return Err(bad),
        };
        let mut start = colon + 1;
        while is_blank(start) {
            start += 1;
        }
        let mut end = line.len();
        while end > start && is_blank(end - 1) {
            end -= 1;
        }
        Ok(Field(
            place(line_start, 0)
                | place(line_start + name_end, 1)
                | place(line_start + start, 2)
                | place(line_start + end, 3)
                | name << NAME_AT,
        ))
    }

    /// The same with its value going on to `end`, on further lines.
    pub(super) const fn folded(self, end: usize) -> Field {
        let cleared = self.0 & !(place(usize::MAX, 3));
        Field(cleared | place(end, 3) | FOLDED)
    }

    pub(super) const fn is_folded(self) -> bool {
        self.0 & FOLDED != 0
    }

    pub(super) const fn is(self, name: Name) -> bool {
        self.name_bits() == name as u64
    }

    pub(super) fn name(self) -> Option<Name> {
        Name::ALL.get(self.name_bits() as usize).copied()
    }

    pub(super) const fn name_place(self) -> Range<usize> {
        self.place(0)..self.place(1)
    }

    pub(super) const fn value_place(self) -> Range<usize> {
        self.place(2)..self.place(3)
    }

    const fn name_bits(self) -> u64 {
        (self.0 >> NAME_AT) & UNKNOWN
    }

    const fn place(self, which: u32) -> usize {
        ((self.0 >> (which * PLACE_BITS)) & ((1 << PLACE_BITS) - 1)) as usize
    }
}

const fn place(at: usize, which: u32) -> u64 {
    (at as u64 & ((1 << PLACE_BITS) - 1)) << (which * PLACE_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_survive_packing() {
        let field = Field::read(100, b"Via \t:  abc ").expect("sound");
        assert_eq!(field.name(), Some(Name::Via));
        assert_eq!(field.name_place(), 100..103);
        assert_eq!(field.value_place(), 108..111);
        assert!(field.is(Name::Via) && !field.is(Name::To) && !field.is_folded());
        let folded = field.folded(16_383);
        assert_eq!(folded.value_place(), 108..16_383);
        assert!(folded.is_folded() && folded.is(Name::Via));
        let unknown = Field::read(16_000, b"X-A:").expect("sound");
        assert_eq!(unknown.name(), None);
        assert_eq!(unknown.name_place(), 16_000..16_003);
        assert!(unknown.value_place().is_empty());
        for name in Name::ALL {
            let line = format!("{name}:");
            let field = Field::read(0, line.as_bytes()).expect("sound");
            assert_eq!(field.name(), Some(*name));
        }
    }
}
