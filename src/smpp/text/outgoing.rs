//! From a text to the messages that carry it: alphabet, count, pieces.

use std::fmt;

use smallvec::{SmallVec, smallvec};
use thiserror::Error;

use super::alphabet::{Alphabet, Language, is_alike, pack};
use super::header::{self, Part, Reference};
use crate::smpp::pdu::{EncodeError, EsmClass, Sms, Tag, TlvBuf};

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

/// One message of a text, ready for submit_sm. `Debug` leaves the text out.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The `data_coding`.
    pub data_coding: u8,
    /// Header, if any, and text.
    pub octets: Vec<u8>,
    /// Whether the octets begin with a user data header.
    pub has_header: bool,
    /// Which piece it is, to be told in optional parameters.
    pub sar: Option<Part>,
    /// Whether the octets belong in `message_payload`.
    pub payload: bool,
}

impl Message {
    /// The submit_sm that carries this message: `sms` with it in place. `tlvs` holds what is told
    /// in optional parameters; it may have some already.
    ///
    /// # Errors
    /// A payload above 65,535 octets, which [`write`] never makes.
    pub fn put<'a>(&'a self, sms: &Sms<'a>, tlvs: &'a mut TlvBuf) -> Result<Sms<'a>, EncodeError> {
        if let Some(part) = self.sar {
            tlvs.push_u16(Tag::SAR_MSG_REF_NUM, part.reference);
            tlvs.push_u8(Tag::SAR_TOTAL_SEGMENTS, part.total);
            tlvs.push_u8(Tag::SAR_SEGMENT_SEQNUM, part.number);
        }
        if self.payload {
            tlvs.push(Tag::MESSAGE_PAYLOAD, &self.octets)?;
        }
        let header = if self.has_header { EsmClass::UDHI } else { 0 };
        Ok(Sms {
            esm_class: EsmClass(sms.esm_class.0 | header),
            data_coding: self.data_coding,
            short_message: if self.payload { &[] } else { &self.octets },
            tlvs: tlvs.as_tlvs(),
            ..*sms
        })
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
pub fn write(
    text: &str,
    style: &Style,
    reference: u16,
) -> Result<SmallVec<[Message; 1]>, TextError> {
    let measure = measure(text, style)?;
    let writer = Writer {
        style,
        coding: measure.coding,
    };
    if measure.messages == 1 {
        return Ok(smallvec![write_single(text, style, measure, Vec::new())]);
    }
    if style.concatenation == Concatenation::Payload {
        let message = writer.message(text, measure.units, None, true, Vec::new());
        return Ok(smallvec![message]);
    }
    let room = writer.room(Some(splitter_reference(style)));
    let mut messages = SmallVec::with_capacity(measure.messages);
    let pieces = Pieces::new(text, style, measure.coding, room);
    for (number, piece) in (1..=u8::MAX).zip(pieces) {
        let part = Part {
            reference,
            total: measure.messages as u8,
            number,
        };
        messages.push(writer.message(piece, room, Some(part), false, Vec::new()));
    }
    Ok(messages)
}

/// Writes a text that takes one message, as `measure` has found, into a buffer that was used before.
pub(crate) fn write_single(
    text: &str,
    style: &Style,
    measure: Measure,
    mut buffer: Vec<u8>,
) -> Message {
    buffer.clear();
    let writer = Writer {
        style,
        coding: measure.coding,
    };
    writer.message(text, measure.units, None, false, buffer)
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
    let default = measure_as(text, style, Coding::Septets(Alphabet::DEFAULT));
    if let Some(measure) = default
        && measure.messages == 1
    {
        return measure;
    }
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
    let others = alphabets
        .map(Coding::Septets)
        .chain([Coding::Ucs2])
        .filter_map(|coding| measure_as(text, style, coding));
    default
        .into_iter()
        .chain(others)
        .min_by_key(|measure| measure.messages)
        // UCS-2 writes everything, so there is always one.
        .unwrap_or(Measure {
            coding: Coding::Ucs2,
            units: 0,
            messages: 1,
        })
}

fn measure_as(text: &str, style: &Style, coding: Coding) -> Option<Measure> {
    let units = if alike(text, coding) {
        text.len()
    } else {
        let mut units = 0;
        for character in text.chars() {
            units += cost(character, style, coding)?;
        }
        units
    };
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

/// Whether the text's octets are its septets, as those of most texts are.
fn alike(text: &str, coding: Coding) -> bool {
    // Without a branch for each octet.
    let every = || {
        text.bytes()
            .fold(true, |every, octet| every & is_alike(octet))
    };
    coding == Coding::Septets(Alphabet::DEFAULT) && every()
}

/// What is written for a character that is not written as itself.
fn plainly(character: char) -> Option<&'static str> {
    Some(match character {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2032}' => "'",
        '\u{201c}' | '\u{201d}' | '\u{201f}' | '\u{2033}' => "\"",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
        '\u{2026}' => "...",
        '\u{00a0}' | '\u{2007}' | '\u{2009}' | '\u{202f}' | '\t' => " ",
        _ => return None,
    })
}

/// Calls `each` with the characters that are written for a text.
fn written(text: &str, style: &Style, mut each: impl FnMut(char)) {
    for character in text.chars() {
        if is_plain(character) {
            each(character);
            continue;
        }
        match plainly(character).filter(|_| style.plain_punctuation) {
            None => each(character),
            Some(plain) => plain.chars().for_each(&mut each),
        }
    }
}

/// Whether a character is always written as itself: nearly every one of most texts.
#[inline]
fn is_plain(character: char) -> bool {
    character.is_ascii() && character != '\t'
}

/// Units that a character takes as it is written; `None` where the coding lacks it.
#[inline]
fn cost(character: char, style: &Style, coding: Coding) -> Option<usize> {
    if is_plain(character) && coding == Coding::Septets(Alphabet::DEFAULT) {
        return Alphabet::DEFAULT
            .septets(character)
            .map(|septets| septets.count());
    }
    cost_of_other(character, style, coding)
}

fn cost_of_other(character: char, style: &Style, coding: Coding) -> Option<usize> {
    match plainly(character).filter(|_| style.plain_punctuation) {
        None => cost_of_written(character, style, coding),
        Some(plain) => plain
            .chars()
            .map(|character| cost_of_written(character, style, coding))
            .sum(),
    }
}

fn cost_of_written(character: char, style: &Style, coding: Coding) -> Option<usize> {
    match coding {
        Coding::Ucs2 => Some(character.len_utf16()),
        Coding::Septets(alphabet) => {
            let writable = match style.default_alphabet {
                DefaultAlphabet::Gsm | DefaultAlphabet::GsmPacked => true,
                DefaultAlphabet::Latin1 => (character as u32) < 0x100,
                DefaultAlphabet::Ascii => character.is_ascii(),
            };
            alphabet
                .septets(character)
                .filter(|_| writable)
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

    /// A message of at most so many units, in an empty buffer.
    fn message(
        &self,
        text: &str,
        units: usize,
        part: Option<Part>,
        payload: bool,
        mut octets: Vec<u8>,
    ) -> Message {
        let in_header = match self.style.concatenation {
            Concatenation::Header8 | Concatenation::Header16 => part,
            Concatenation::Sar | Concatenation::Payload => None,
        };
        let alphabet = match self.coding {
            Coding::Septets(alphabet) => alphabet,
            Coding::Ucs2 => Alphabet::DEFAULT,
        };
        let room = match self.coding {
            Coding::Septets(_) => units,
            Coding::Ucs2 => 2 * units,
        };
        octets.reserve(16 + room);
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
        match (self.coding, self.style.default_alphabet) {
            (Coding::Ucs2, _) => written(text, self.style, |character| {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    octets.extend_from_slice(&unit.to_be_bytes());
                }
            }),
            (coding, DefaultAlphabet::Gsm) if alike(text, coding) => {
                octets.extend_from_slice(text.as_bytes());
            }
            (Coding::Septets(alphabet), DefaultAlphabet::Gsm) => {
                write_septets(text, self.style, alphabet, octets);
            }
            (Coding::Septets(alphabet), DefaultAlphabet::GsmPacked) => {
                let mut unpacked = Vec::with_capacity(octets.capacity());
                write_septets(text, self.style, alphabet, &mut unpacked);
                pack(&unpacked, header, octets);
            }
            (Coding::Septets(_), DefaultAlphabet::Latin1 | DefaultAlphabet::Ascii) => {
                written(text, self.style, |character| {
                    octets.extend(u8::try_from(character));
                });
            }
        }
    }
}

fn write_septets(text: &str, style: &Style, alphabet: Alphabet, octets: &mut Vec<u8>) {
    written(text, style, |character| {
        if let Some(septets) = alphabet.septets(character) {
            septets.write(octets);
        }
    });
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
            used += cost(character, self.style, self.coding).unwrap_or(0);
            if used > self.room && at > 0 {
                let (piece, rest) = self.rest.split_at(at);
                self.rest = rest;
                return Some(piece);
            }
        }
        Some(std::mem::take(&mut self.rest))
    }
}
