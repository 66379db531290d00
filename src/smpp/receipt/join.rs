//! Joins receipts to what was sent.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::{Bounded, Receipt};
use crate::smpp::session::MessageId;

/// How the ids in a carrier's receipts relate to those in its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IdForm {
    /// The same, but for leading zeros and the case of letters.
    #[default]
    Same,
    /// The answer is in hexadecimal, the receipt in decimal.
    HexThenDecimal,
    /// The answer is in decimal, the receipt in hexadecimal.
    DecimalThenHex,
}

/// What an answer and its receipt have in common: the join of the two.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(SmallVec<[u8; 36]>);

impl Key {
    /// The key of the id in an answer; `None` for an empty id, which joins nothing.
    pub fn of_answer(id: &MessageId, form: IdForm) -> Option<Key> {
        Key::new(id, form == IdForm::HexThenDecimal)
    }

    /// The key of the id in a receipt.
    pub fn of_receipt(id: &MessageId, form: IdForm) -> Option<Key> {
        Key::new(id, form == IdForm::DecimalThenHex)
    }

    /// The key of an id that answers and receipts spell alike to the octet, as HTTP providers' do.
    pub fn exact(id: &MessageId) -> Option<Key> {
        let trimmed = id.as_bytes().trim_ascii();
        (!trimmed.is_empty()).then(|| Key(SmallVec::from_slice(trimmed)))
    }

    /// Without leading zeros, letters small, and hexadecimal written in decimal. Ids that are no
    /// such number, or one above 2^128, stay as they are.
    fn new(id: &MessageId, hexadecimal: bool) -> Option<Key> {
        let trimmed = id.as_bytes().trim_ascii();
        if trimmed.is_empty() {
            return None;
        }
        if hexadecimal && let Some(number) = hexadecimal_number(trimmed) {
            return Some(Key(SmallVec::from_slice(number.to_string().as_bytes())));
        }
        let zeros = trimmed.iter().take_while(|octet| **octet == b'0').count();
        let mut key = SmallVec::from_slice(&trimmed[zeros.min(trimmed.len() - 1)..]);
        key.make_ascii_lowercase();
        Some(Key(key))
    }

    /// As text, for a store's column; octets that are none are written out, so that no two names
    /// are one there.
    pub fn as_str(&self) -> Cow<'_, str> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(format!("\0{}", hex::encode(&self.0))),
        }
    }
}

fn hexadecimal_number(id: &[u8]) -> Option<u128> {
    let bare = id
        .strip_prefix(b"0x")
        .or_else(|| id.strip_prefix(b"0X"))
        .unwrap_or(id);
    // from_str_radix would take a sign.
    let digits = std::str::from_utf8(bare).ok()?;
    let plain = digits.bytes().all(|octet| octet.is_ascii_hexdigit());
    u128::from_str_radix(digits, 16).ok().filter(|_| plain)
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// Joins receipts to what was sent, whichever comes first. Holds so many of each, for so long;
/// beyond that the oldest is forgotten. What is forgotten here may still be joined by a store.
#[derive(Debug)]
pub struct Joiner<T> {
    sent: Bounded<Key, T>,
    early: Bounded<Key, SmallVec<[Receipt; 1]>>,
}

/// Receipts kept for one text that is not known yet.
const EARLY_EACH: usize = 4;

impl<T: Clone> Joiner<T> {
    /// Holds at most `most` sent texts for `patience` each, and as many receipts that came before
    /// their answer for a minute.
    pub fn new(most: usize, patience: Duration) -> Joiner<T> {
        Joiner {
            sent: Bounded::new(most, patience),
            early: Bounded::new(most, Duration::from_secs(60)),
        }
    }

    /// A text was accepted under `key`; gives the receipts that came before the answer.
    pub fn sent(&mut self, now: Instant, key: Key, text: T) -> SmallVec<[Receipt; 1]> {
        let early = self.early.take(now, &key).unwrap_or_default();
        let is_last = |receipt: &Receipt| receipt.fate.is_final() && !receipt.intermediate;
        if !early.iter().any(is_last) {
            self.sent.put(now, key, text);
        }
        early
    }

    /// A receipt came; gives the text it is of, or keeps the receipt until that is known. After a
    /// final receipt the text is forgotten.
    pub fn received(&mut self, now: Instant, key: Key, receipt: &Receipt) -> Option<T> {
        let known = if receipt.fate.is_final() && !receipt.intermediate {
            self.sent.take(now, &key)
        } else {
            self.sent.get(now, &key).cloned()
        };
        if known.is_none() {
            let mut early = self.early.take(now, &key).unwrap_or_default();
            if early.len() < EARLY_EACH {
                early.push(receipt.clone());
            }
            self.early.put(now, key, early);
        }
        known
    }

    /// Sent texts and early receipts held.
    pub fn held(&self) -> (usize, usize) {
        (self.sent.len(), self.early.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smpp::pdu::{EsmClass, Sms};
    use crate::smpp::receipt::Fate;

    fn receipt(message: &str) -> Option<Receipt> {
        Receipt::read(&Sms {
            esm_class: EsmClass::RECEIPT,
            short_message: message.as_bytes(),
            ..Sms::default()
        })
    }

    #[test]
    fn exact_ids_are_joined_to_themselves_alone() {
        let key = |id: &str| Key::exact(&MessageId::new(id.as_bytes()));
        assert_eq!(key(" a1 "), key("a1"));
        assert_ne!(key("a1"), key("A1"));
        assert_ne!(key("01"), key("1"));
        assert_eq!(key(" "), None);
    }

    #[test]
    fn ids_of_other_octets_are_other_names() {
        let name = |id: &[u8]| {
            let key = Key::of_answer(&MessageId::new(id), IdForm::Same).expect("a key");
            key.as_str().into_owned()
        };
        assert_ne!(name(b"\x81\x9f"), name(b"\x82\x9e"));
        assert_ne!(name(b"\x81"), name("\u{fffd}".as_bytes()));
        assert_eq!(name("\u{e9}1".as_bytes()), "\u{e9}1");
    }

    #[test]
    fn ids_are_joined_whatever_their_form() {
        let key = |answer: &str, receipt: &str, form| {
            let answer = Key::of_answer(&MessageId::new(answer.as_bytes()), form);
            let receipt = Key::of_receipt(&MessageId::new(receipt.as_bytes()), form);
            answer.is_some() && answer == receipt
        };
        assert!(key("0123", "123", IdForm::Same));
        assert!(key("00AB-cd", "ab-CD", IdForm::Same));
        assert!(key(" 12 ", "12", IdForm::Same));
        assert!(key("0", "000", IdForm::Same));
        assert!(!key("12", "120", IdForm::Same));
        assert!(!key("", "", IdForm::Same));
        assert!(!key("7f3a", "32570", IdForm::Same));
        assert!(key("7F3A", "32570", IdForm::HexThenDecimal));
        assert!(key("0x7f3a", "0032570", IdForm::HexThenDecimal));
        assert!(!key("10", "10", IdForm::HexThenDecimal));
        assert!(key("32570", "00007f3a", IdForm::DecimalThenHex));
        assert!(key("not-a-number", "NOT-A-NUMBER", IdForm::HexThenDecimal));
        let long = "f".repeat(64);
        assert!(key(&long, &long.to_uppercase(), IdForm::HexThenDecimal));
        assert_eq!(
            Key::of_answer(&MessageId::new(b"00A"), IdForm::Same)
                .unwrap()
                .as_str(),
            "a"
        );
    }

    fn joiner_key(id: u32) -> Key {
        Key::of_answer(&MessageId::new(id.to_string().as_bytes()), IdForm::Same).unwrap()
    }

    #[test]
    fn receipts_early_late_twice_and_never() {
        let now = Instant::now();
        let mut joiner = Joiner::new(100, Duration::from_secs(3600));
        let delivered = receipt("id:1 stat:DELIVRD err:000").unwrap();
        let enroute = receipt("id:1 stat:ENROUTE err:000").unwrap();
        // In order, with an intermediate word before the last.
        assert!(joiner.sent(now, joiner_key(1), "first").is_empty());
        assert_eq!(joiner.received(now, joiner_key(1), &enroute), Some("first"));
        assert_eq!(
            joiner.received(now, joiner_key(1), &delivered),
            Some("first")
        );
        assert_eq!(joiner.held(), (0, 0));
        // Early.
        assert_eq!(joiner.received(now, joiner_key(2), &enroute), None);
        assert_eq!(joiner.received(now, joiner_key(2), &delivered), None);
        let early = joiner.sent(now, joiner_key(2), "second");
        assert_eq!(early.len(), 2);
        assert_eq!(early[1].fate, Fate::Delivered);
        assert_eq!(joiner.held(), (0, 0));
        // Early and not the last.
        assert_eq!(joiner.received(now, joiner_key(3), &enroute), None);
        assert_eq!(joiner.sent(now, joiner_key(3), "third").len(), 1);
        assert_eq!(
            joiner.received(now, joiner_key(3), &delivered),
            Some("third")
        );
        // Early, and a fate of which more is to follow.
        let attempt = Receipt {
            intermediate: true,
            ..receipt("id:6 stat:UNDELIV err:001").unwrap()
        };
        assert_eq!(joiner.received(now, joiner_key(6), &attempt), None);
        assert_eq!(joiner.sent(now, joiner_key(6), "sixth").len(), 1);
        assert_eq!(
            joiner.received(now, joiner_key(6), &delivered),
            Some("sixth")
        );
        // Never.
        assert!(joiner.sent(now, joiner_key(4), "fourth").is_empty());
        let late = now + Duration::from_secs(3600);
        assert_eq!(joiner.received(late, joiner_key(4), &delivered), None);
        // The receipt of nobody is forgotten too.
        assert_eq!(joiner.held(), (0, 1));
        let later = late + Duration::from_secs(60);
        assert!(joiner.sent(later, joiner_key(4), "fifth").is_empty());
        // A flood of receipts for one unknown text.
        for _ in 0..1000 {
            assert_eq!(joiner.received(later, joiner_key(9), &enroute), None);
        }
        assert_eq!(joiner.sent(later, joiner_key(9), "ninth").len(), EARLY_EACH);
    }

    #[test]
    fn what_is_held_is_bounded() {
        let now = Instant::now();
        let mut joiner = Joiner::new(10, Duration::from_secs(3600));
        let receipt = receipt("id:1 stat:DELIVRD").unwrap();
        for id in 0..1000 {
            assert!(joiner.sent(now, joiner_key(id), id).is_empty());
            assert_eq!(joiner.received(now, joiner_key(id + 5000), &receipt), None);
            assert!(joiner.held().0 <= 10 && joiner.held().1 <= 10);
        }
        assert_eq!(joiner.received(now, joiner_key(989), &receipt), None);
        assert_eq!(joiner.received(now, joiner_key(990), &receipt), Some(990));
    }
}
