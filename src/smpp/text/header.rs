//! The user data header at the front of a message (3GPP TS 23.040 9.2.3.24).

use smallvec::SmallVec;

use super::alphabet::{Alphabet, Language};

const CONCATENATED_8: u8 = 0x00;
const CONCATENATED_16: u8 = 0x08;
const SINGLE_SHIFT: u8 = 0x24;
const LOCKING_SHIFT: u8 = 0x25;

/// Which piece of a longer text a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Part {
    /// Common to the pieces of one text.
    pub reference: u16,
    /// How many pieces there are, 1 to 255.
    pub total: u8,
    /// Which piece, from 1 to `total`.
    pub number: u8,
}

impl Part {
    /// `None` where the numbers make no sense.
    pub fn new(reference: u16, total: u8, number: u8) -> Option<Part> {
        (number >= 1 && number <= total).then_some(Part {
            reference,
            total,
            number,
        })
    }
}

/// How many octets a piece's number takes in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    Octet,
    Word,
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Header {
    pub(super) part: Option<Part>,
    pub(super) alphabet: Alphabet,
    /// A language that is not known here: the text cannot be read for sure.
    pub(super) foreign: bool,
}

/// Octets of a header that says this, its length octet included; 0 if there is nothing to say.
pub(super) fn length(concatenated: Option<Reference>, alphabet: Alphabet) -> usize {
    let part = match concatenated {
        None => 0,
        Some(Reference::Octet) => 5,
        Some(Reference::Word) => 6,
    };
    let languages =
        3 * (usize::from(alphabet.locking.is_some()) + usize::from(alphabet.single.is_some()));
    match part + languages {
        0 => 0,
        elements => elements + 1,
    }
}

pub(super) fn write(part: Option<(Part, Reference)>, alphabet: Alphabet, octets: &mut Vec<u8>) {
    let mut elements: SmallVec<[u8; 16]> = SmallVec::new();
    match part {
        None => {}
        Some((part, Reference::Octet)) => elements.extend_from_slice(&[
            CONCATENATED_8,
            3,
            part.reference as u8,
            part.total,
            part.number,
        ]),
        Some((part, Reference::Word)) => {
            let [high, low] = part.reference.to_be_bytes();
            elements.extend_from_slice(&[CONCATENATED_16, 4, high, low, part.total, part.number]);
        }
    }
    if let Some(language) = alphabet.locking {
        elements.extend_from_slice(&[LOCKING_SHIFT, 1, language.identifier()]);
    }
    if let Some(language) = alphabet.single {
        elements.extend_from_slice(&[SINGLE_SHIFT, 1, language.identifier()]);
    }
    if !elements.is_empty() {
        octets.push(elements.len() as u8);
        octets.extend_from_slice(&elements);
    }
}

/// Splits a message into what its header says, the header's length and the rest; `None` if the
/// header is longer than the message. Elements that are not known or make no sense are skipped,
/// as 9.2.3.24 asks.
pub(super) fn read(message: &[u8]) -> Option<(Header, usize, &[u8])> {
    let (length, rest) = message.split_first()?;
    let (mut elements, text) = rest.split_at_checked(usize::from(*length))?;
    let mut header = Header::default();
    while let Some(([identifier, length], rest)) = elements.split_first_chunk::<2>() {
        let Some((value, rest)) = rest.split_at_checked(usize::from(*length)) else {
            break;
        };
        elements = rest;
        match (*identifier, value) {
            (CONCATENATED_8, &[reference, total, number]) => {
                header.part = Part::new(u16::from(reference), total, number).or(header.part);
            }
            (CONCATENATED_16, &[high, low, total, number]) => {
                let reference = u16::from_be_bytes([high, low]);
                header.part = Part::new(reference, total, number).or(header.part);
            }
            (SINGLE_SHIFT, &[language]) => {
                header.alphabet.single = Language::from_identifier(language);
                header.foreign |= header.alphabet.single.is_none() && language != 0;
            }
            (LOCKING_SHIFT, &[language]) => {
                header.alphabet.locking =
                    Language::from_identifier(language).filter(|l| l.has_locking_shift());
                header.foreign |= header.alphabet.locking.is_none() && language != 0;
            }
            _ => {}
        }
    }
    Some((header, usize::from(*length) + 1, text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn written_and_read() {
        let part = Part::new(0x1234, 3, 2).unwrap();
        let alphabet = Alphabet {
            locking: Some(Language::Turkish),
            single: Some(Language::Portuguese),
        };
        for (concatenated, alphabet, expected) in [
            (None, Alphabet::DEFAULT, &b""[..]),
            (
                Some((part, Reference::Octet)),
                Alphabet::DEFAULT,
                &[5, 0, 3, 0x34, 3, 2],
            ),
            (
                Some((part, Reference::Word)),
                Alphabet::DEFAULT,
                &[6, 8, 4, 0x12, 0x34, 3, 2],
            ),
            (None, alphabet, &[6, 0x25, 1, 1, 0x24, 1, 3]),
            (
                Some((part, Reference::Octet)),
                alphabet,
                &[11, 0, 3, 0x34, 3, 2, 0x25, 1, 1, 0x24, 1, 3],
            ),
        ] {
            let mut octets = Vec::new();
            write(concatenated, alphabet, &mut octets);
            assert_eq!(octets, expected);
            assert_eq!(
                length(concatenated.map(|(_, r)| r), alphabet),
                expected.len()
            );
            if !expected.is_empty() {
                octets.extend_from_slice(b"text");
                let (header, length, rest) = read(&octets).unwrap();
                assert_eq!((length, rest), (expected.len(), &b"text"[..]));
                assert_eq!(header.alphabet, alphabet);
                assert_eq!(
                    header.part.map(|p| (p.total, p.number)),
                    concatenated.map(|_| (3, 2))
                );
            }
        }
    }

    #[test]
    fn headers_that_make_no_sense() {
        assert_eq!(read(b""), None);
        assert_eq!(read(&[5, 0, 3, 1, 2]), None);
        // Piece 3 of 2, piece 0, and an element that runs past the header.
        for octets in [
            &[5, 0, 3, 9, 2, 3][..],
            &[5, 0, 3, 9, 2, 0],
            &[4, 0, 3, 9, 2],
        ] {
            let (header, _, rest) = read(octets).unwrap();
            assert_eq!(header, Header::default());
            assert!(rest.is_empty());
        }
        // An unknown element and an unknown language.
        let (header, length, _) = read(&[10, 5, 4, 1, 2, 3, 4, 0x24, 2, 9, 9, b'x']).unwrap();
        assert_eq!((header, length), (Header::default(), 11));
        let (header, ..) = read(&[3, 0x25, 1, 6]).unwrap();
        assert!(header.foreign);
    }

    proptest! {
        #[test]
        fn noise_never_panics(octets in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Some((_, length, rest)) = read(&octets) {
                prop_assert_eq!(length + rest.len(), octets.len());
            }
        }
    }
}
