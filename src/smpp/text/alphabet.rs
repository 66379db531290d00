//! The GSM 7 bit default alphabet and its national variants (3GPP TS 23.038 6.2.1), and packing.

use super::tables::{self, ESCAPE, Shift, Table};

/// A national language of 3GPP TS 23.038 Annex A, by the identifiers of its 6.2.1.2.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Turkish: single and locking shift.
    Turkish,
    /// Spanish: single shift alone.
    Spanish,
    /// Portuguese: single and locking shift.
    Portuguese,
}

impl Language {
    /// The national language identifier.
    pub const fn identifier(self) -> u8 {
        match self {
            Language::Turkish => 1,
            Language::Spanish => 2,
            Language::Portuguese => 3,
        }
    }

    /// From the identifier in a user data header.
    pub const fn from_identifier(identifier: u8) -> Option<Language> {
        match identifier {
            1 => Some(Language::Turkish),
            2 => Some(Language::Spanish),
            3 => Some(Language::Portuguese),
            _ => None,
        }
    }

    const fn locking(self) -> Option<&'static Table> {
        match self {
            Language::Turkish => Some(&tables::TURKISH),
            Language::Spanish => None,
            Language::Portuguese => Some(&tables::PORTUGUESE),
        }
    }

    /// Whether the language has a locking shift table of its own.
    pub const fn has_locking_shift(self) -> bool {
        self.locking().is_some()
    }

    const fn single(self) -> &'static Shift {
        match self {
            Language::Turkish => tables::TURKISH_SHIFT,
            Language::Spanish => tables::SPANISH_SHIFT,
            Language::Portuguese => tables::PORTUGUESE_SHIFT,
        }
    }
}

/// A 7 bit alphabet: a locking shift table for single septets, and a single shift table behind an
/// escape. `None` is the default of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Alphabet {
    /// Whose locking shift table.
    pub locking: Option<Language>,
    /// Whose single shift table.
    pub single: Option<Language>,
}

impl Alphabet {
    /// The default alphabet with its extension.
    pub const DEFAULT: Alphabet = Alphabet {
        locking: None,
        single: None,
    };

    fn tables(self) -> (&'static Table, &'static Shift) {
        (
            self.locking
                .and_then(Language::locking)
                .unwrap_or(&tables::DEFAULT),
            self.single.map_or(tables::DEFAULT_SHIFT, Language::single),
        )
    }

    /// The septets of a character: one, or an escape and one; `None` if the alphabet lacks it.
    #[inline]
    pub fn septets(self, character: char) -> Option<Septets> {
        if self == Alphabet::DEFAULT && character.is_ascii() {
            return match ASCII.get(character as usize) {
                Some(&[0, code]) => Some(Septets::One(code)),
                Some(&[ESCAPE, code]) => Some(Septets::Escaped(code)),
                _ => None,
            };
        }
        self.find(character)
    }

    fn find(self, character: char) -> Option<Septets> {
        if character == '\0' {
            return None;
        }
        let (locking, single) = self.tables();
        if let Some(code) = locking.iter().position(|c| *c == character) {
            return Some(Septets::One(code as u8));
        }
        single
            .iter()
            .find(|(_, c)| *c == character)
            .map(|(code, _)| Septets::Escaped(*code))
    }

    /// Reads septets, one to an octet. An escape before a code that the single shift table lacks
    /// gives the character of the locking table, and one before another escape a space
    /// (3GPP TS 23.038 6.2.1.1). Tells whether everything was a character.
    pub fn decode(self, septets: impl IntoIterator<Item = u8>, text: &mut String) -> bool {
        let (locking, single) = self.tables();
        let mut whole = true;
        let mut escaped = false;
        for septet in septets {
            let plain = locking.get(usize::from(septet)).copied();
            if escaped {
                escaped = false;
                let shifted = single.iter().find(|(code, _)| *code == septet);
                let character = match (shifted, plain) {
                    (Some((_, character)), _) => *character,
                    (None, Some('\0')) => ' ',
                    (None, Some(character)) => character,
                    (None, None) => char::REPLACEMENT_CHARACTER,
                };
                whole &= shifted.is_some();
                text.push(character);
            } else if septet == ESCAPE {
                escaped = true;
            } else {
                whole &= plain.is_some();
                text.push(plain.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
        }
        whole && !escaped
    }
}

/// Where each ASCII character stands in the default alphabet: an escape or 0, and its code; `[1, 0]`
/// where it has none.
const ASCII: [[u8; 2]; 128] = {
    let mut places = [[1, 0]; 128];
    let mut code = 0;
    while code < 128 {
        let character = tables::DEFAULT[code] as usize;
        if character < 128 && character != 0 {
            places[character] = [0, code as u8];
        }
        code += 1;
    }
    let mut at = 0;
    while at < tables::DEFAULT_SHIFT.len() {
        let (code, character) = tables::DEFAULT_SHIFT[at];
        if (character as usize) < 128 {
            places[character as usize] = [ESCAPE, code];
        }
        at += 1;
    }
    places
};

/// Which octets are ASCII characters that stand at the same place in the default alphabet.
const ALIKE: [bool; 256] = {
    let mut alike = [false; 256];
    let mut at = 0;
    while at < 128 {
        alike[at] = at > 0 && ASCII[at][0] == 0 && ASCII[at][1] as usize == at;
        at += 1;
    }
    alike
};

/// Whether an octet of a text is the septet of its character in the default alphabet.
#[inline]
pub(super) fn is_alike(octet: u8) -> bool {
    ALIKE[usize::from(octet)]
}

/// The septets of one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Septets {
    /// One septet.
    One(u8),
    /// An escape and this one.
    Escaped(u8),
}

impl Septets {
    /// How many they are.
    pub const fn count(self) -> usize {
        match self {
            Septets::One(_) => 1,
            Septets::Escaped(_) => 2,
        }
    }

    /// Writes them, one to an octet.
    pub fn write(self, octets: &mut Vec<u8>) {
        match self {
            Septets::One(code) => octets.push(code),
            Septets::Escaped(code) => octets.extend_from_slice(&[ESCAPE, code]),
        }
    }
}

/// Packs septets behind a header of `header` octets, beginning at a septet boundary of the whole
/// (3GPP TS 23.038 6.1.2.1, 3GPP TS 23.040 9.2.3.24). A last octet with room for one more septet
/// gets a carriage return, so that nothing reads an `@` there.
pub fn pack(septets: &[u8], header: usize, octets: &mut Vec<u8>) {
    let fill = (7 - header * 8 % 7) % 7;
    let (mut held, mut bits) = (0u16, fill);
    for septet in septets {
        held |= u16::from(septet & 0x7f) << bits;
        bits += 7;
        while bits >= 8 {
            octets.push(held as u8);
            held >>= 8;
            bits -= 8;
        }
    }
    if bits == 1 {
        held |= 0x0d << 1;
    }
    if bits > 0 {
        octets.push(held as u8);
    }
}

/// Unpacks what [`pack`] has packed; a carriage return that fills the last octet is dropped.
pub fn unpack(octets: &[u8], header: usize) -> Vec<u8> {
    let fill = (7 - header * 8 % 7) % 7;
    let count = (octets.len() * 8).saturating_sub(fill) / 7;
    let mut septets = Vec::with_capacity(count);
    for at in 0..count {
        let bit = fill + at * 7;
        let octet = |index: usize| u16::from(octets.get(index).copied().unwrap_or(0));
        let pair = octet(bit / 8) | octet(bit / 8 + 1) << 8;
        septets.push((pair >> (bit % 8)) as u8 & 0x7f);
    }
    let filled = (octets.len() * 8).saturating_sub(fill).is_multiple_of(7);
    if filled && septets.last() == Some(&0x0d) {
        septets.pop();
    }
    septets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn every_alphabet() -> Vec<Alphabet> {
        let languages = [
            None,
            Some(Language::Turkish),
            Some(Language::Spanish),
            Some(Language::Portuguese),
        ];
        languages
            .into_iter()
            .flat_map(|locking| {
                languages
                    .into_iter()
                    .map(move |single| Alphabet { locking, single })
            })
            .collect()
    }

    fn encode(alphabet: Alphabet, text: &str) -> Option<Vec<u8>> {
        let mut octets = Vec::new();
        for character in text.chars() {
            alphabet.septets(character)?.write(&mut octets);
        }
        Some(octets)
    }

    #[test]
    fn every_code_of_every_table_survives() {
        for alphabet in every_alphabet() {
            let (locking, single) = alphabet.tables();
            let characters = locking.iter().chain(single.iter().map(|(_, c)| c));
            for character in characters.filter(|c| **c != '\0') {
                let octets = encode(alphabet, &character.to_string()).unwrap();
                assert!(octets.iter().all(|o| *o < 0x80));
                let mut text = String::new();
                assert!(alphabet.decode(octets, &mut text));
                assert_eq!(text, character.to_string());
            }
        }
    }

    #[test]
    fn the_tables_where_mistakes_are_made() {
        let default = Alphabet::DEFAULT;
        assert_eq!(
            encode(default, "@£$Δ_ΩÉ§¿à{€}").as_deref(),
            Some(
                &[
                    0x00, 0x01, 0x02, 0x10, 0x11, 0x15, 0x1f, 0x5f, 0x60, 0x7f, 0x1b, 0x28, 0x1b,
                    0x65, 0x1b, 0x29
                ][..]
            )
        );
        for missing in ["`", "ê", "ç", "\u{1b}", "\0", "ş", "\t", "’"] {
            assert_eq!(encode(default, missing), None, "{missing:?}");
        }
        let spanish = Alphabet {
            locking: None,
            single: Some(Language::Spanish),
        };
        assert_eq!(
            encode(spanish, "días").as_deref(),
            Some(&[0x64, 0x1b, 0x69, 0x61, 0x73][..])
        );
        let turkish = Alphabet {
            locking: Some(Language::Turkish),
            single: None,
        };
        assert_eq!(
            encode(turkish, "ışğİ€").as_deref(),
            Some(&[0x07, 0x1d, 0x0c, 0x40, 0x04][..])
        );
        let portuguese = Alphabet {
            locking: Some(Language::Portuguese),
            single: Some(Language::Portuguese),
        };
        assert_eq!(
            encode(portuguese, "código à ação").as_deref(),
            Some(
                &[
                    0x63, 0x08, 0x64, 0x69, 0x67, 0x6f, 0x20, 0x7f, 0x20, 0x61, 0x09, 0x7b, 0x6f
                ][..]
            )
        );
    }

    #[test]
    fn octets_that_are_their_septets() {
        for octet in 0..=u8::MAX {
            let septets = Alphabet::DEFAULT.septets(char::from(octet));
            let same = octet.is_ascii() && septets == Some(Septets::One(octet));
            assert_eq!(is_alike(octet), same, "{octet:#x}");
        }
        assert!(b"aZ0 .,:\n".iter().all(|o| is_alike(*o)));
        assert!(!b"@$_[\t\x1b\0".iter().any(|o| is_alike(*o)));
    }

    #[test]
    fn escapes_that_lead_nowhere() {
        let mut text = String::new();
        assert!(!Alphabet::DEFAULT.decode([0x1b, 0x41, 0x1b, 0x1b, 0x42, 0x80, 0x1b], &mut text));
        assert_eq!(text, "A B\u{fffd}");
    }

    #[test]
    fn packing_as_published() {
        // "hellohello", the example of 3GPP TS 23.038 in many textbooks.
        let septets = encode(Alphabet::DEFAULT, "hellohello").unwrap();
        let mut octets = Vec::new();
        pack(&septets, 0, &mut octets);
        assert_eq!(
            octets,
            [0xe8, 0x32, 0x9b, 0xfd, 0x46, 0x97, 0xd9, 0xec, 0x37]
        );
        assert_eq!(unpack(&octets, 0), septets);
        // Seven septets leave room for one more in the seventh octet.
        let mut octets = Vec::new();
        pack(b"1234567", 0, &mut octets);
        assert_eq!(octets.len(), 7);
        assert_eq!(octets[6] >> 1, 0x0d);
        assert_eq!(unpack(&octets, 0), b"1234567");
    }

    proptest! {
        #[test]
        fn packing_survives_behind_any_header(
            septets in proptest::collection::vec(0u8..0x80, 0..170),
            header in 0usize..20,
        ) {
            // A carriage return at the very end may be taken for filling.
            prop_assume!(septets.last() != Some(&0x0d));
            let mut octets = Vec::new();
            pack(&septets, header, &mut octets);
            prop_assert_eq!(octets.len(), ((header * 8).div_ceil(7) * 7 + septets.len() * 7).div_ceil(8) - header);
            prop_assert_eq!(unpack(&octets, header), septets);
        }

        #[test]
        fn noise_is_read_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..200), header in 0usize..300) {
            let mut text = String::new();
            Alphabet::DEFAULT.decode(unpack(&octets, header), &mut text);
            Alphabet::DEFAULT.decode(octets, &mut text);
        }
    }
}
