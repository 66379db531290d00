//! Messages that people send: pieces joined, senders read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::dispatch::Inbound;
use super::order::Acknowledgement;
use crate::phone::PhoneNumber;
use crate::smpp::pdu::{Address, AddressBuf, Sms, TON_ALPHANUMERIC};
use crate::smpp::text::{Assembler, Reading};

/// Longer messages whose pieces are waited for at once.
const UNFINISHED: usize = 256;
/// Their pieces: each keeps one of the deliveries that a bind may leave unanswered, 256 as a rule, from
/// receipts and other people's messages.
const PIECES: usize = 128;
/// How long pieces are waited for; then the message centre is asked to deliver them again. Most
/// give up on an answer after a minute.
const PATIENCE: Duration = Duration::from_secs(20);

/// Turns what binds deliver into messages.
#[derive(Debug)]
pub(super) struct Inbox {
    pieces: Assembler<Acknowledgement>,
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox {
            pieces: Assembler::new(UNFINISHED, PATIENCE).within(PIECES),
        }
    }

    /// Takes what a bind delivered; gives the message once it is whole. The pieces are acknowledged
    /// with it.
    pub(super) fn take(
        &mut self,
        now: Instant,
        by: &Arc<str>,
        (from, to): (&AddressBuf, &AddressBuf),
        reading: Reading,
        acknowledgement: Acknowledgement,
    ) -> Option<Inbound> {
        let words = reading.text.unwrap_or_default();
        let (words, acknowledgement) = match reading.part {
            None => (words, acknowledgement),
            Some(part) => {
                let sms = Sms {
                    source: from.as_address(),
                    destination: to.as_address(),
                    ..Sms::default()
                };
                let (words, pieces) = self.pieces.add(now, &sms, part, words, acknowledgement)?;
                let whole = pieces.into_iter().reduce(Acknowledgement::and);
                (words, whole.unwrap_or_default())
            }
        };
        Some(Inbound {
            by: Arc::clone(by),
            from: number(from.as_address()),
            to: written(to.as_address()).into(),
            words: Zeroizing::new(words),
            acknowledgement: Some(acknowledgement),
        })
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.pieces.forget(now);
    }

    /// When [`Inbox::handle_timeout`] is to be called at the latest.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.pieces.next_forgotten()
    }
}

/// A person's number, which is international whatever its type says: some carriers leave that 0.
/// Some write mobile numbers of Mexico with the 1 that was part of them until 2019.
fn number(address: Address<'_>) -> Option<PhoneNumber> {
    let digits = address.text();
    let digits = digits.strip_prefix('+').unwrap_or(&digits);
    let plain = address.ton != TON_ALPHANUMERIC && digits.bytes().all(|b| b.is_ascii_digit());
    let read = |digits: &str| PhoneNumber::parse(&format!("+{digits}")).ok();
    let mexican = || read(&format!("52{}", digits.strip_prefix("521")?));
    plain.then(|| read(digits).or_else(mexican))?
}

/// A short code, number or name, printable and no longer than an address may be.
fn written(address: Address<'_>) -> String {
    let text = address.text();
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smpp::text::{Part, read};

    fn reading(text: &str, part: Option<Part>) -> Reading {
        let sms = Sms {
            short_message: text.as_bytes(),
            ..Sms::default()
        };
        Reading {
            part,
            ..read(&sms, Default::default())
        }
    }

    #[test]
    fn pieces_without_end_keep_no_bind_from_others() {
        let now = Instant::now();
        let mut inbox = Inbox::new();
        let by: Arc<str> = "carrier".into();
        let from = Address::international("+447400123456").to_owned();
        let to = Address::sender("80800").to_owned();
        let mut waiting = Vec::new();
        for number in 1..=254 {
            let (acknowledgement, told) = Acknowledgement::awaited();
            let piece = reading("x", Part::new(7, 255, number));
            let whole = inbox.take(now, &by, (&from, &to), piece, acknowledgement);
            assert!(whole.is_none());
            waiting.push(told);
        }
        let held = waiting.iter_mut().filter_map(|told| told.try_recv().err());
        let usual = crate::smpp::session::Config::new("", "").deliveries;
        assert!(held.count() <= usual / 2);
    }

    #[test]
    fn a_message_is_told_whole_with_its_sender() {
        let now = Instant::now();
        let mut inbox = Inbox::new();
        let by: Arc<str> = "carrier".into();
        let from = Address::international("+447400123456").to_owned();
        let to = Address::sender("80800").to_owned();
        let mut take = |now, from: &AddressBuf, text: &str, part| {
            let acknowledgement = Acknowledgement::default();
            inbox.take(now, &by, (from, &to), reading(text, part), acknowledgement)
        };
        let stop = take(now, &from, "STOP", None).unwrap();
        assert_eq!(stop.from, PhoneNumber::parse("+447400123456").ok());
        assert_eq!((&*stop.to, stop.words.as_str()), ("80800", "STOP"));
        let part = |number| Part::new(7, 2, number);
        assert!(take(now, &from, "ter", part(2)).is_none());
        assert_eq!(
            take(now, &from, "la", part(1)).unwrap().words.as_str(),
            "later"
        );
        // Too late for its second piece.
        assert!(take(now, &from, "la", part(1)).is_none());
        assert!(take(now + PATIENCE, &from, "ter", part(2)).is_none());
        let mexican = Address::international("5215512345678").to_owned();
        assert_eq!(
            take(now, &mexican, "ALTO", None).unwrap().from,
            PhoneNumber::parse("+525512345678").ok()
        );
        for odd in ["Brand", "80800", "+4412"] {
            let odd = Address::sender(odd).to_owned();
            assert_eq!(take(now, &odd, "x", None).unwrap().from, None);
        }
    }
}
