//! From a text to the messages that carry it: alphabet, count, pieces.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use super::alphabet::{Alphabet, Language, pack};
use super::header::{self, Part, Reference};
use crate::smpp::pdu::{EncodeError, EsmClass, SmsBuf, Tag};

/// Octets of user data in one GSM message (3GPP TS 23.040 9.2.3.16).
const MESSAGE_OCTETS: usize = 140;
/// `data_coding` of UCS-2 (SMPP 3.4 5.2.19).
const UCS2: u8 = 0x08;

/// What a carrier takes for text in its default alphabet. All but the first are what some make of
/// `data_coding` 0; whatever a character's octet is, it counts as the septets it becomes on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DefaultAlphabet {
    /// GSM 03.38, one septet to an octet: the standard's reading.
    #[default]
    Gsm,
    /// GSM 03.38, packed as on air.
    GsmPacked,
    /// ISO 8859-1; characters that it or GSM 03.38 lacks go as UCS-2.
    Latin1,
    /// ASCII; characters that it or GSM 03.38 lacks go as UCS-2.
    Ascii,
}

/// How a carrier wants a text that does not fit one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Concatenation {
    /// A user data header with an 8 bit reference: understood everywhere.
    #[default]
    Header8,
    /// A user data header with a 16 bit reference.
    Header16,
    /// `sar_msg_ref_num`, `sar_total_segments` and `sar_segment_seqnum`; the message centre makes
    /// the headers.
    Sar,
    /// The whole text in `message_payload`; the message centre splits it.
    Payload,
}

/// How texts are written for a carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// What the carrier takes for text in its default alphabet.
    pub default_alphabet: DefaultAlphabet,
    /// The `data_coding` that stands for it: 0, or what the carrier asks for instead.
    pub default_coding: u8,
    /// How longer texts are sent.
    pub concatenation: Concatenation,
    /// National languages whose tables the carrier and its phones know. Empty by default: where
    /// they are not known, a text arrives garbled.
    pub languages: Vec<Language>,
    /// Messages that one text may take at most, 1 to 255.
    pub most_messages: u8,
    /// Whether typographic quotes, dashes and the like are written plainly, so that they alone do
    /// not make a text go as UCS-2.
    pub plain_punctuation: bool,
}

impl Default for Style {
    fn default() -> Style {
        Style {
            default_alphabet: DefaultAlphabet::Gsm,
            default_coding: 0,
            concatenation: Concatenation::Header8,
            languages: Vec::new(),
            most_messages: 4,
            plain_punctuation: true,
        }
    }
}

/// What a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// 7 bit, with these tables.
    Septets(Alphabet),
    /// UCS-2, that is UTF-16 in network order.
    Ucs2,
}

/// What sending a text takes, known before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// What it is written in.
    pub coding: Coding,
    /// Septets or 16 bit units of the text itself.
    pub units: usize,
    /// Messages it takes. Where the message centre splits, what it takes with an 8 bit reference.
    pub messages: usize,
}

/// Why a text cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TextError {
    /// It takes more messages than allowed.
    #[error("the text takes {messages} messages, more than the {most} allowed")]
    TooLong {
        /// What it would take.
        messages: usize,
        /// What is allowed.
        most: u8,
    },
}

/// One message of a text, ready for submit_sm. `Debug` leaves the text out; the octets are wiped
/// when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The `data_coding`.
    pub data_coding: u8,
    /// Header, if any, and text.
    pub octets: Zeroizing<Vec<u8>>,
    /// Whether the octets begin with a user data header.
    pub has_header: bool,
    /// Which piece it is, to be told in optional parameters.
    pub sar: Option<Part>,
    /// Whether the octets belong in `message_payload`.
    pub payload: bool,
}

impl Message {
    /// Puts the message into a submit_sm.
    ///
    /// # Errors
    /// A payload above 65,535 octets, which [`write`] never makes.
    pub fn put(&self, sms: &mut SmsBuf) -> Result<(), EncodeError> {
        sms.data_coding = self.data_coding;
        if self.has_header {
            sms.esm_class = EsmClass(sms.esm_class.0 | EsmClass::UDHI);
        }
        if let Some(part) = self.sar {
            sms.tlvs.push_u16(Tag::SAR_MSG_REF_NUM, part.reference);
            sms.tlvs.push_u8(Tag::SAR_TOTAL_SEGMENTS, part.total);
            sms.tlvs.push_u8(Tag::SAR_SEGMENT_SEQNUM, part.number);
        }
        if self.payload {
            sms.tlvs.push(Tag::MESSAGE_PAYLOAD, &self.octets)?;
        } else {
            sms.short_message = self.octets.clone();
        }
        Ok(())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("data_coding", &self.data_coding)
            .field("octets", &self.octets.len())
            .field("has_header", &self.has_header)
            .field("sar", &self.sar)
            .field("payload", &self.payload)
            .finish()
    }
}

/// What sending `text` takes.
///
/// # Errors
/// It takes more messages than `style` allows.
pub fn measure(text: &str, style: &Style) -> Result<Measure, TextError> {
    let measure = best(text, style);
    let most = style.most_messages.max(1);
    if measure.messages > usize::from(most) {
        return Err(TextError::TooLong {
            messages: measure.messages,
            most,
        });
    }
    Ok(measure)
}

/// Writes `text` into the messages that carry it. `reference` is to differ between texts to one
/// phone; it is used where there is more than one message.
///
/// # Errors
/// It takes more messages than `style` allows.
pub fn write(text: &str, style: &Style, reference: u16) -> Result<Vec<Message>, TextError> {
    let measure = measure(text, style)?;
    let writer = Writer {
        style,
        coding: measure.coding,
    };
    if measure.messages == 1 {
        return Ok(vec![writer.message(text, None, false)]);
    }
    if style.concatenation == Concatenation::Payload {
        return Ok(vec![writer.message(text, None, true)]);
    }
    let room = writer.room(Some(splitter_reference(style)));
    let mut messages = Vec::with_capacity(measure.messages);
    let pieces = Pieces::new(text, style, measure.coding, room);
    for (number, piece) in (1..=u8::MAX).zip(pieces) {
        let part = Part {
            reference,
            total: measure.messages as u8,
            number,
        };
        messages.push(writer.message(piece, Some(part), false));
    }
    Ok(messages)
}

/// The reference that the room of a piece is reckoned with. A message centre that makes the
/// headers itself may make the longer ones.
fn splitter_reference(style: &Style) -> Reference {
    match style.concatenation {
        Concatenation::Header8 | Concatenation::Payload => Reference::Octet,
        Concatenation::Header16 | Concatenation::Sar => Reference::Word,
    }
}

/// The coding that takes the fewest messages; of equal ones the plainest.
fn best(text: &str, style: &Style) -> Measure {
    let gsm = matches!(
        style.default_alphabet,
        DefaultAlphabet::Gsm | DefaultAlphabet::GsmPacked
    );
    // A message centre that splits a payload knows nothing of a header inside it.
    let national = gsm && style.concatenation != Concatenation::Payload;
    let languages = style.languages.iter().filter(|_| national).copied();
    let alphabets = languages.flat_map(|language| {
        let both = [
            (None, Some(language)),
            (Some(language), None),
            (Some(language), Some(language)),
        ];
        both.into_iter()
            .filter(move |(locking, _)| locking.is_none() || language.has_locking_shift())
            .map(|(locking, single)| Alphabet { locking, single })
    });
    std::iter::once(Alphabet::DEFAULT)
        .chain(alphabets)
        .map(Coding::Septets)
        .chain([Coding::Ucs2])
        .filter_map(|coding| measure_as(text, style, coding))
        .min_by_key(|measure| measure.messages)
        // UCS-2 writes everything, so there is always one.
        .unwrap_or(Measure {
            coding: Coding::Ucs2,
            units: 0,
            messages: 1,
        })
}

fn measure_as(text: &str, style: &Style, coding: Coding) -> Option<Measure> {
    let mut units = 0;
    for character in characters(text, style) {
        units += cost(character, style, coding)?;
    }
    let writer = Writer { style, coding };
    let messages = if units <= writer.room(None) {
        1
    } else {
        let room = writer.room(Some(splitter_reference(style)));
        Pieces::new(text, style, coding, room).count()
    };
    Some(Measure {
        coding,
        units,
        messages,
    })
}

/// The characters that are written for a text.
fn characters<'a>(text: &'a str, style: &Style) -> impl Iterator<Item = char> + use<'a> {
    let plain = style.plain_punctuation;
    text.chars()
        .flat_map(move |character| written(character, plain))
}

fn written(character: char, plain: bool) -> impl Iterator<Item = char> {
    let text: &'static str = match character {
        _ if !plain => "",
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' => "'",
        '\u{201c}' | '\u{201d}' | '\u{201f}' | '\u{2033}' => "\"",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
        '\u{2026}' => "...",
        '\u{00a0}' | '\u{2007}' | '\u{2009}' | '\u{202f}' | '\t' => " ",
        _ => "",
    };
    let kept = text.is_empty().then_some(character);
    kept.into_iter().chain(text.chars())
}

/// Units that a character takes; `None` where the coding lacks it.
fn cost(character: char, style: &Style, coding: Coding) -> Option<usize> {
    match coding {
        Coding::Ucs2 => Some(character.len_utf16()),
        Coding::Septets(alphabet) => {
            let written = match style.default_alphabet {
                DefaultAlphabet::Gsm | DefaultAlphabet::GsmPacked => true,
                DefaultAlphabet::Latin1 => (character as u32) < 0x100,
                DefaultAlphabet::Ascii => character.is_ascii(),
            };
            alphabet
                .septets(character)
                .filter(|_| written)
                .map(|septets| septets.count())
        }
    }
}

struct Writer<'a> {
    style: &'a Style,
    coding: Coding,
}

impl Writer<'_> {
    /// Units that fit one message.
    fn room(&self, concatenated: Option<Reference>) -> usize {
        let octets = |alphabet| MESSAGE_OCTETS - header::length(concatenated, alphabet);
        match self.coding {
            Coding::Septets(alphabet) => octets(alphabet) * 8 / 7,
            Coding::Ucs2 => octets(Alphabet::DEFAULT) / 2,
        }
    }

    fn message(&self, text: &str, part: Option<Part>, payload: bool) -> Message {
        let in_header = match self.style.concatenation {
            Concatenation::Header8 | Concatenation::Header16 => part,
            Concatenation::Sar | Concatenation::Payload => None,
        };
        let alphabet = match self.coding {
            Coding::Septets(alphabet) => alphabet,
            Coding::Ucs2 => Alphabet::DEFAULT,
        };
        let mut octets = Zeroizing::new(Vec::with_capacity(2 * MESSAGE_OCTETS));
        header::write(
            in_header.map(|part| (part, splitter_reference(self.style))),
            alphabet,
            &mut octets,
        );
        let header = octets.len();
        self.write(text, header, &mut octets);
        Message {
            data_coding: match self.coding {
                Coding::Septets(_) => self.style.default_coding,
                Coding::Ucs2 => UCS2,
            },
            octets,
            has_header: header > 0,
            sar: part.filter(|_| in_header.is_none()),
            payload,
        }
    }

    fn write(&self, text: &str, header: usize, octets: &mut Vec<u8>) {
        let characters = characters(text, self.style);
        match (self.coding, self.style.default_alphabet) {
            (Coding::Ucs2, _) => {
                let mut units = [0; 2];
                for character in characters {
                    for unit in character.encode_utf16(&mut units) {
                        octets.extend_from_slice(&unit.to_be_bytes());
                    }
                }
            }
            (Coding::Septets(alphabet), DefaultAlphabet::Gsm) => {
                for septets in characters.filter_map(|c| alphabet.septets(c)) {
                    septets.write(octets);
                }
            }
            (Coding::Septets(alphabet), DefaultAlphabet::GsmPacked) => {
                let mut unpacked = Zeroizing::new(Vec::with_capacity(2 * MESSAGE_OCTETS));
                for septets in characters.filter_map(|c| alphabet.septets(c)) {
                    septets.write(&mut unpacked);
                }
                pack(&unpacked, header, octets);
            }
            (Coding::Septets(_), DefaultAlphabet::Latin1 | DefaultAlphabet::Ascii) => {
                octets.extend(characters.filter_map(|c| u8::try_from(c).ok()));
            }
        }
    }
}

/// The pieces of a text that fit `room` units each. A character, its escape or its surrogates are
/// never cut apart.
struct Pieces<'a> {
    rest: &'a str,
    style: &'a Style,
    coding: Coding,
    room: usize,
}

impl<'a> Pieces<'a> {
    fn new(text: &'a str, style: &'a Style, coding: Coding, room: usize) -> Pieces<'a> {
        Pieces {
            rest: text,
            style,
            coding,
            room,
        }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let mut used = 0;
        for (at, character) in self.rest.char_indices() {
            let units: usize = written(character, self.style.plain_punctuation)
                .filter_map(|c| cost(c, self.style, self.coding))
                .sum();
            used += units;
            if used > self.room && at > 0 {
                let (piece, rest) = self.rest.split_at(at);
                self.rest = rest;
                return Some(piece);
            }
        }
        Some(std::mem::take(&mut self.rest))
    }
}
