//! Delivery receipts: a message centre's word on a text's fate, in the dialects they are written
//! in (SMPP 3.4 Appendix B, 5.2.28, 5.3.2.12, 5.3.2.31, 5.3.2.35).
//!
//! The text form has no standard, only an example that everybody copied with changes:
//! `id:0123 sub:001 dlvrd:001 submit date:2411242230 done date:2411242231 stat:DELIVRD err:000
//! text:Your code`. Fields come in any order, any case, with any separator, or not at all.

mod bounded;
mod fields;
mod join;

use smallvec::SmallVec;

pub use bounded::Bounded;
pub use join::{IdForm, Joiner, Key};

use super::pdu::{EsmClass, Sms, Tag};
use super::session::MessageId;
use fields::Fields;

/// What has become of a text (`message_state`, SMPP 3.4 5.2.28, SMPP 5.0 4.7.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Waits for its time.
    Scheduled,
    /// On its way.
    EnRoute,
    /// It is on the phone.
    Delivered,
    /// Its validity period ran out.
    Expired,
    /// Someone deleted it.
    Deleted,
    /// It cannot be delivered.
    Undeliverable,
    /// By the standard, someone at the carrier has read it for the person; most carriers mean that
    /// they, or the next carrier, have taken it.
    Accepted,
    /// The message centre does not know.
    Unknown,
    /// It was refused.
    Rejected,
    /// It was passed over.
    Skipped,
    /// A word or number that the standard does not name.
    Other,
}

impl Fate {
    /// From `message_state`.
    pub const fn from_state(state: u32) -> Fate {
        match state {
            0 => Fate::Scheduled,
            1 => Fate::EnRoute,
            2 => Fate::Delivered,
            3 => Fate::Expired,
            4 => Fate::Deleted,
            5 => Fate::Undeliverable,
            6 => Fate::Accepted,
            7 => Fate::Unknown,
            8 => Fate::Rejected,
            9 => Fate::Skipped,
            _ => Fate::Other,
        }
    }

    /// `message_state`, if there is one.
    pub const fn state(self) -> Option<u8> {
        Some(match self {
            Fate::Scheduled => 0,
            Fate::EnRoute => 1,
            Fate::Delivered => 2,
            Fate::Expired => 3,
            Fate::Deleted => 4,
            Fate::Undeliverable => 5,
            Fate::Accepted => 6,
            Fate::Unknown => 7,
            Fate::Rejected => 8,
            Fate::Skipped => 9,
            Fate::Other => return None,
        })
    }

    /// From the word behind `stat:`, by its beginning: carriers write `DELIVRD`, `DELIVERED`,
    /// `UNDELIV`, `UNDELIVERABLE`, `ACCEPTD`, `REJECTD` and more.
    fn from_word(word: &[u8]) -> Fate {
        let starts = |prefix: &str| {
            word.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        };
        match () {
            () if starts("DELIV") => Fate::Delivered,
            () if starts("UNDEL") || starts("FAIL") => Fate::Undeliverable,
            () if starts("EXPIR") => Fate::Expired,
            () if starts("DELET") => Fate::Deleted,
            () if starts("ACCEP") => Fate::Accepted,
            () if starts("REJEC") => Fate::Rejected,
            () if starts("UNKN") => Fate::Unknown,
            () if starts("ENROU") || starts("BUFF") => Fate::EnRoute,
            () if starts("SCHED") => Fate::Scheduled,
            () if starts("SKIP") => Fate::Skipped,
            () => Fate::Other,
        }
    }

    /// The word that a message centre writes behind `stat:`.
    pub const fn word(self) -> &'static str {
        match self {
            Fate::Scheduled => "SCHEDUL",
            Fate::EnRoute => "ENROUTE",
            Fate::Delivered => "DELIVRD",
            Fate::Expired => "EXPIRED",
            Fate::Deleted => "DELETED",
            Fate::Undeliverable => "UNDELIV",
            Fate::Accepted => "ACCEPTD",
            Fate::Unknown | Fate::Other => "UNKNOWN",
            Fate::Rejected => "REJECTD",
            Fate::Skipped => "SKIPPED",
        }
    }

    /// Whether nothing more will be heard of the text. The standard counts [`Fate::Accepted`] and
    /// [`Fate::Unknown`] too (SMPP 5.0 4.7.15), but carriers let other fates follow them.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Fate::Delivered
                | Fate::Expired
                | Fate::Deleted
                | Fate::Undeliverable
                | Fate::Rejected
                | Fate::Skipped
        )
    }
}

/// A moment as a receipt writes it, in the carrier's own time zone, which it does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Full year.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60; 0 where the carrier leaves seconds out.
    pub second: u8,
}

impl Stamp {
    /// `YYMMDDhhmm`, with seconds, with a full year, or both.
    fn parse(digits: &[u8]) -> Option<Stamp> {
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let pair = |at: usize| match digits.get(at..at + 2) {
            Some(&[tens, ones]) => Some((tens - b'0') * 10 + (ones - b'0')),
            _ => None,
        };
        // Twelve digits are YYMMDDhhmmss or YYYYMMDDhhmm: nobody sends texts dated 2020 in the
        // twentieth month.
        let full = match digits.len() {
            10 => false,
            12 => pair(0) == Some(20) && pair(2)? > 12,
            14 => true,
            _ => return None,
        };
        let (century, at) = if full { (pair(0)?, 2) } else { (20, 0) };
        let stamp = Stamp {
            year: u16::from(century) * 100 + u16::from(pair(at)?),
            month: pair(at + 2)?,
            day: pair(at + 4)?,
            hour: pair(at + 6)?,
            minute: pair(at + 8)?,
            second: pair(at + 10).unwrap_or(0),
        };
        let sensible = (1..=12).contains(&stamp.month)
            && (1..=31).contains(&stamp.day)
            && stamp.hour < 24
            && stamp.minute < 60
            && stamp.second <= 60;
        sensible.then_some(stamp)
    }
}

/// `network_error_code`: which network, and its own code (SMPP 3.4 5.3.2.31).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NetworkError {
    /// 1 is ANSI-136, 2 IS-95, 3 GSM; from SMPP 5.0 on more.
    pub network: u8,
    /// The network's code.
    pub code: u16,
}

/// A delivery receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The text's name, as it came.
    pub id: MessageId,
    /// What has become of it.
    pub fate: Fate,
    /// The carrier's own error, as it came behind `err:`; at most 16 octets.
    pub error: Option<SmallVec<[u8; 16]>>,
    /// `network_error_code`.
    pub network_error: Option<NetworkError>,
    /// When the message centre took it.
    pub submitted: Option<Stamp>,
    /// When it came to its fate.
    pub done: Option<Stamp>,
    /// Whether it is an intermediate notification: a further receipt is to follow.
    pub intermediate: bool,
}

impl Receipt {
    /// Reads a delivered message as a receipt: by its `esm_class`, or, from message centres that
    /// leave that 0, by `receipted_message_id` with `message_state`. Optional parameters count
    /// more than the text. `None` if it is no receipt or names no text.
    pub fn read(sms: &Sms<'_>) -> Option<Receipt> {
        let id = sms.tlvs.get(Tag::RECEIPTED_MESSAGE_ID).map(|tlv| {
            let end = tlv.value.iter().position(|octet| *octet == 0);
            &tlv.value[..end.unwrap_or(tlv.value.len())]
        });
        let state = sms.tlvs.get(Tag::MESSAGE_STATE).and_then(|t| t.integer());
        if !sms.esm_class.is_receipt() && (id.is_none() || state.is_none()) {
            return None;
        }
        let text = Fields::parse(sms.message());
        let id = id
            .map(<[u8]>::trim_ascii)
            .filter(|id| !id.is_empty())
            .or(text.id)
            .filter(|id| !id.is_empty() && id.len() <= 255)?;
        let fate = match (state, text.stat) {
            (Some(state), _) => Fate::from_state(state),
            (None, Some(word)) => Fate::from_word(word),
            (None, None) => Fate::Other,
        };
        let network_error = sms.tlvs.get(Tag::NETWORK_ERROR_CODE).and_then(|tlv| {
            let &[network, high, low] = tlv.value else {
                return None;
            };
            Some(NetworkError {
                network,
                code: u16::from_be_bytes([high, low]),
            })
        });
        Some(Receipt {
            id: MessageId::new(id),
            fate,
            error: text
                .err
                .map(|error| SmallVec::from_slice(error.get(..16).unwrap_or(error))),
            network_error,
            submitted: text.submitted.and_then(Stamp::parse),
            done: text.done.and_then(Stamp::parse),
            intermediate: sms.esm_class.0 & 0x3c == EsmClass::INTERMEDIATE.0,
        })
    }

    /// Whether the carrier gave an error: `err:` of anything but zeros, or a network error.
    pub fn has_error(&self) -> bool {
        self.network_error.is_some_and(|error| error.code != 0)
            || self
                .error
                .as_ref()
                .is_some_and(|error| error.iter().any(|octet| *octet != b'0'))
    }
}

#[cfg(test)]
mod tests;
