//! From a delivered message to its text, and from pieces to the whole.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use super::alphabet::unpack;
use super::header::{self, Part};
use super::outgoing::DefaultAlphabet;
use crate::smpp::pdu::{AddressBuf, Sms, Tag};

/// A message that a person sent. `Debug` leaves the text out.
#[derive(Clone, PartialEq, Eq)]
pub struct Reading {
    /// The text; `None` where the message carries octets or a coding that is not known here.
    pub text: Option<String>,
    /// Whether every character was made out.
    pub exact: bool,
    /// Which piece of a longer text it is, if it is one.
    pub part: Option<Part>,
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("characters", &self.text.as_ref().map(|t| t.chars().count()))
            .field("exact", &self.exact)
            .field("part", &self.part)
            .finish()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coded {
    Default,
    Ascii,
    Latin1,
    Cyrillic,
    Hebrew,
    Ucs2,
    Octets,
}

/// What a `data_coding` means (SMPP 3.4 5.2.19; from 0x10 on 3GPP TS 23.038 4).
fn coded(data_coding: u8) -> Coded {
    match data_coding {
        0x00 => Coded::Default,
        0x01 => Coded::Ascii,
        0x03 => Coded::Latin1,
        0x06 => Coded::Cyrillic,
        0x07 => Coded::Hebrew,
        0x08 => Coded::Ucs2,
        0x02..=0x0f => Coded::Octets,
        0x10..=0x7f => match data_coding & 0x0c {
            0x00 => Coded::Default,
            0x08 => Coded::Ucs2,
            _ => Coded::Octets,
        },
        0xc0..=0xdf => Coded::Default,
        0xe0..=0xef => Coded::Ucs2,
        0xf0..=0xff if data_coding & 0x04 == 0 => Coded::Default,
        _ => Coded::Octets,
    }
}

/// Reads the text of a delivered message. Nothing in it is trusted: what cannot be made out is
/// replaced and `exact` is false.
pub fn read(sms: &Sms<'_>, default_alphabet: DefaultAlphabet) -> Reading {
    let message = sms.message();
    let parsed = if sms.esm_class.has_header() {
        header::read(message)
    } else {
        Some((header::Header::default(), 0, message))
    };
    let broken_header = parsed.is_none();
    let (header, header_length, octets) = parsed.unwrap_or((header::Header::default(), 0, message));
    let mut text = String::new();
    let exact = match (coded(sms.data_coding), default_alphabet) {
        (Coded::Octets, _) => {
            return Reading {
                text: None,
                exact: false,
                part: header.part.or_else(|| sar(sms)),
            };
        }
        (Coded::Default, DefaultAlphabet::Gsm) => {
            header.alphabet.decode(octets.iter().copied(), &mut text)
        }
        (Coded::Default, DefaultAlphabet::GsmPacked) => header
            .alphabet
            .decode(unpack(octets, header_length), &mut text),
        (Coded::Default, DefaultAlphabet::Latin1) | (Coded::Latin1, _) => {
            text.extend(octets.iter().map(|octet| char::from(*octet)));
            true
        }
        (Coded::Default, DefaultAlphabet::Ascii) | (Coded::Ascii, _) => {
            let plain = |octet: &u8| match octet {
                0..=0x7f => char::from(*octet),
                _ => char::REPLACEMENT_CHARACTER,
            };
            text.extend(octets.iter().map(plain));
            octets.is_ascii()
        }
        (Coded::Cyrillic, _) => read_table(octets, cyrillic, &mut text),
        (Coded::Hebrew, _) => read_table(octets, hebrew, &mut text),
        (Coded::Ucs2, _) => read_utf16(octets, &mut text),
    };
    Reading {
        text: Some(text),
        exact: exact && !broken_header && !header.foreign,
        part: header.part.or_else(|| sar(sms)),
    }
}

/// The piece that optional parameters speak of.
fn sar(sms: &Sms<'_>) -> Option<Part> {
    let integer = |tag| sms.tlvs.get(tag)?.integer();
    Part::new(
        u16::try_from(integer(Tag::SAR_MSG_REF_NUM)?).ok()?,
        u8::try_from(integer(Tag::SAR_TOTAL_SEGMENTS)?).ok()?,
        u8::try_from(integer(Tag::SAR_SEGMENT_SEQNUM)?).ok()?,
    )
}

fn read_table(octets: &[u8], table: fn(u8) -> Option<char>, text: &mut String) -> bool {
    let mut exact = true;
    for octet in octets {
        let character = table(*octet);
        exact &= character.is_some();
        text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    exact
}

/// ISO 8859-5.
fn cyrillic(octet: u8) -> Option<char> {
    match octet {
        0..=0xa0 | 0xad => Some(char::from(octet)),
        0xf0 => Some('\u{2116}'),
        0xfd => Some('\u{00a7}'),
        _ => char::from_u32(0x0400 + u32::from(octet) - 0xa0),
    }
}

/// ISO 8859-8.
fn hebrew(octet: u8) -> Option<char> {
    match octet {
        0xa1 | 0xbf..=0xde | 0xfb | 0xfc | 0xff => None,
        0xaa => Some('\u{00d7}'),
        0xba => Some('\u{00f7}'),
        0xdf => Some('\u{2017}'),
        0xe0..=0xfa => char::from_u32(0x05d0 + u32::from(octet) - 0xe0),
        0xfd => Some('\u{200e}'),
        0xfe => Some('\u{200f}'),
        _ => Some(char::from(octet)),
    }
}

/// UTF-16 in network order, or as its byte order mark says.
fn read_utf16(octets: &[u8], text: &mut String) -> bool {
    let (pairs, odd) = octets.as_chunks::<2>();
    let swapped = pairs.first() == Some(&[0xff, 0xfe]);
    let marked = swapped || pairs.first() == Some(&[0xfe, 0xff]);
    let units = pairs.iter().skip(usize::from(marked)).map(|pair| {
        if swapped {
            u16::from_le_bytes(*pair)
        } else {
            u16::from_be_bytes(*pair)
        }
    });
    let mut exact = odd.is_empty();
    for character in char::decode_utf16(units) {
        exact &= character.is_ok();
        text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    exact
}

struct Unfinished<A> {
    source: AddressBuf,
    destination: AddressBuf,
    reference: u16,
    began: Instant,
    pieces: Vec<Option<(String, A)>>,
    /// How many of them are there.
    here: usize,
}

/// Joins the pieces of longer texts. Holds so many unfinished texts, for so long; beyond that the
/// oldest is forgotten. `A` is what each piece comes with and what is handed out with the whole.
pub struct Assembler<A = ()> {
    unfinished: VecDeque<Unfinished<A>>,
    most: usize,
    most_pieces: usize,
    patience: Duration,
}

impl<A> Assembler<A> {
    /// Holds at most `most` unfinished texts, each for `patience` from its first piece.
    pub fn new(most: usize, patience: Duration) -> Assembler<A> {
        Assembler {
            unfinished: VecDeque::new(),
            most: most.max(1),
            most_pieces: usize::MAX,
            patience,
        }
    }

    /// Holds at most so many pieces of them all; beyond that the text with the most is forgotten.
    pub fn within(self, most_pieces: usize) -> Assembler<A> {
        Assembler {
            most_pieces,
            ..self
        }
    }

    /// Takes a piece; gives the whole text once its last piece is there. A piece that comes again
    /// replaces itself.
    pub fn add(
        &mut self,
        now: Instant,
        sms: &Sms<'_>,
        part: Part,
        text: String,
        with: A,
    ) -> Option<(String, Vec<A>)> {
        self.forget(now);
        if part.total == 1 {
            return Some((text, vec![with]));
        }
        let same = |u: &Unfinished<A>| {
            u.reference == part.reference
                && u.pieces.len() == usize::from(part.total)
                && u.source.as_address() == sms.source
                && u.destination.as_address() == sms.destination
        };
        let at = self.unfinished.iter().position(same).unwrap_or_else(|| {
            if self.unfinished.len() >= self.most {
                self.unfinished.pop_front();
            }
            self.unfinished.push_back(Unfinished {
                source: sms.source.to_owned(),
                destination: sms.destination.to_owned(),
                reference: part.reference,
                began: now,
                pieces: std::iter::repeat_with(|| None)
                    .take(usize::from(part.total))
                    .collect(),
                here: 0,
            });
            self.unfinished.len() - 1
        });
        let whole = self.unfinished.get_mut(at)?;
        let piece = whole.pieces.get_mut(usize::from(part.number) - 1)?;
        whole.here += usize::from(piece.is_none());
        *piece = Some((text, with));
        if whole.here < whole.pieces.len() {
            self.make_room();
            return None;
        }
        let whole = self.unfinished.remove(at)?;
        Some(whole.pieces.into_iter().flatten().unzip())
    }

    fn make_room(&mut self) {
        while self.unfinished.iter().map(|u| u.here).sum::<usize>() > self.most_pieces {
            // Of equal ones the oldest.
            let largest = self.unfinished.iter().enumerate().rev();
            let Some((at, _)) = largest.max_by_key(|(_, u)| u.here) else {
                return;
            };
            self.unfinished.remove(at);
        }
    }

    /// Forgets what has waited long enough, and what it came with.
    pub fn forget(&mut self, now: Instant) {
        let patience = self.patience;
        self.unfinished
            .retain(|u| now.saturating_duration_since(u.began) < patience);
    }

    /// When the next is forgotten.
    pub fn next_forgotten(&self) -> Option<Instant> {
        self.unfinished.front().map(|u| u.began + self.patience)
    }

    /// Unfinished texts held.
    pub fn unfinished(&self) -> usize {
        self.unfinished.len()
    }
}

impl<A> fmt::Debug for Assembler<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembler")
            .field("unfinished", &self.unfinished.len())
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}
