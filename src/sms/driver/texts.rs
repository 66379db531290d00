//! Texts on their way through a bind: orders in, messages to the session, answers back.

use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::{Driver, LATE, RETRY, SHORTEST_VALIDITY};
use crate::smpp::pdu::{Address, Sms, Status, TlvBuf, Verdict, time};
use crate::smpp::receipt::{Key, Receipt};
use crate::smpp::session::{Answer, Delivery, Lost, MessageId, Outcome, WhyNot};
use crate::smpp::text;
use crate::sms::flight::{Fate, Landed, Message, Piece};
use crate::sms::order::{
    Acknowledgement, News, NotSent, Submission, TextOrder, TextRef, Withdrawal,
};

impl Driver {
    /// Hands back the texts that are of no more use.
    pub(super) fn sweep(&mut self, now: Instant) {
        let mut past: SmallVec<[(Piece, NotSent); 4]> = SmallVec::new();
        let flights = &mut self.flights;
        let mut of_use = |piece: &Piece| {
            let why = flights.get(*piece).and_then(|(f, _)| f.past(now));
            past.extend(why.map(|why| (*piece, why)));
            why.is_none()
        };
        self.ready.retain(&mut of_use);
        self.again.retain(|(_, piece)| of_use(piece));
        for (piece, why) in past {
            self.conclude(now, piece, Fate::NotSent(why));
        }
    }

    /// Takes in an order and puts its messages in line.
    pub(super) fn take(&mut self, now: Instant, order: TextOrder) {
        if !self.config.session.kind.sends() {
            self.hand_back(order.text, NotSent::Receiver);
            return;
        }
        if now >= order.deadline {
            self.hand_back(order.text, NotSent::TooLate);
            return;
        }
        if order
            .withdrawal
            .as_ref()
            .is_some_and(Withdrawal::is_withdrawn)
        {
            self.hand_back(order.text, NotSent::Withdrawn);
            return;
        }
        let style = &self.config.style;
        let measure = match text::measure(&order.body, style) {
            Ok(measure) => measure,
            Err(error) => {
                self.hand_back(order.text, NotSent::Text(error));
                return;
            }
        };
        let messages = if measure.messages == 1 {
            SmallVec::from_buf([Message::new(None)])
        } else {
            self.reference = self.reference.wrapping_add(1);
            match text::write(&order.body, style, self.reference) {
                Ok(written) => written.into_iter().map(Some).map(Message::new).collect(),
                Err(error) => {
                    self.hand_back(order.text, NotSent::Text(error));
                    return;
                }
            }
        };
        let pieces = self.flights.begin(order, measure, messages);
        self.ready.extend(pieces);
    }

    /// Submits while there is room.
    pub(super) fn fill(&mut self, now: Instant) {
        while self.session.room(now) > 0
            && let Some(piece) = self.ready.pop_front()
            && self.submit(now, piece)
        {}
        if self.stopping.is_some_and(|by| now >= by) {
            self.give_back(NotSent::Stopped);
            self.drained = true;
        } else if !self.session.is_bound() && now >= self.down_since + self.config.hold {
            // Connected, and still not bound.
            self.give_back(NotSent::Down);
        }
        if self.stopping.is_some() && self.drained && self.ready.is_empty() && self.again.is_empty()
        {
            self.session.unbind(now);
        }
    }

    /// Submits one message, or ends it; tells whether there may be room for another.
    fn submit(&mut self, now: Instant, piece: Piece) -> bool {
        let Some((flight, index)) = self.flights.get(piece) else {
            return true;
        };
        // Where its other messages do not arrive, this one is of no use.
        if let Some(why) = flight.given_up.or_else(|| flight.past(now)) {
            self.conclude(now, piece, Fate::NotSent(why));
            return true;
        }
        flight.began.get_or_insert(now);
        let Some(message) = flight.message(index) else {
            return true;
        };
        let (config, order) = (&self.config, &flight.order);
        let left = order.deadline.saturating_duration_since(now);
        let validity = time::relative(left.max(SHORTEST_VALIDITY));
        let sender = order.sender.as_deref().unwrap_or(&config.sender);
        let blank = Sms {
            service_type: config.service_type.as_bytes(),
            source: Address::sender(sender),
            destination: order.to.as_address(),
            validity: if config.validity { &validity } else { &[] },
            registered_delivery: u8::from(config.receipts),
            ..Sms::default()
        };
        let buffer = &mut self.single;
        let single = message.written.is_none().then(|| {
            let buffer = std::mem::take(buffer);
            text::write_single(&order.body, &config.style, flight.measure, buffer)
        });
        let Some(written) = message.written.as_ref().or(single.as_ref()) else {
            return true;
        };
        let mut tlvs = TlvBuf::new();
        let session = &mut self.session;
        let sent = match written.put(&blank, &mut tlvs) {
            Ok(sms) => session.submit(now, piece, &sms).map_err(|not| not.why),
            Err(error) => Err(WhyNot::Unsendable(error)),
        };
        if let Some(single) = single {
            self.single = single.octets;
        }
        match sent {
            Ok(_) => flight.attempted(index),
            Err(WhyNot::Unsendable(error)) => {
                self.conclude(now, piece, Fate::NotSent(NotSent::Unsendable(error)));
            }
            Err(WhyNot::NotBound | WhyNot::WindowFull | WhyNot::Paced) => {
                self.ready.push_front(piece);
                return false;
            }
        }
        true
    }

    pub(super) fn on_answer(&mut self, now: Instant, answer: Answer<Piece>) {
        let piece = answer.tag;
        let fate = match answer.outcome {
            Outcome::Accepted(id) => Fate::Taken(id),
            Outcome::Refused {
                status,
                verdict: Verdict::Retry,
            } => {
                if self.try_again(now, piece) {
                    return;
                }
                // Not here, not any more.
                Fate::Refused(status, Verdict::FailOver)
            }
            Outcome::Refused { status, verdict } => Fate::Refused(status, verdict),
            Outcome::NotSent => Fate::NotSent(NotSent::Down),
            Outcome::Unknown(lost) => {
                if lost == Lost::NoAnswer
                    && let Some((flight, _)) = self.flights.get(piece)
                {
                    if self.late.len() >= LATE {
                        self.late.pop_front();
                    }
                    self.late.push_back((answer.sequence, flight.order.text));
                }
                Fate::Unknown
            }
        };
        self.conclude(now, piece, fate);
    }

    fn try_again(&mut self, now: Instant, piece: Piece) -> bool {
        let attempts = self.config.attempts;
        let Some((flight, index)) = self.flights.get(piece) else {
            return false;
        };
        let again = now + RETRY;
        let worth = again < flight.order.deadline && flight.given_up.is_none();
        let worth = worth && flight.order.patient;
        let worth = worth && flight.message(index).is_some_and(|m| m.attempts < attempts);
        if worth {
            flight.came_back();
            self.again.push_back((again, piece));
        }
        worth
    }

    pub(super) fn on_late_answer(&mut self, sequence: u32, status: Status, id: MessageId) {
        let Some(at) = self.late.iter().position(|(late, _)| *late == sequence) else {
            return;
        };
        if let Some((_, text)) = self.late.remove(at) {
            let answer = match status {
                Status::OK => Ok(id),
                status => Err(status),
            };
            self.tell(News::Late { text, answer });
        }
    }

    pub(super) fn on_delivery(&mut self, delivery: Delivery) {
        let acknowledgement = Acknowledgement::new(self.acknowledge.clone(), delivery.handle);
        let sms = delivery.sms.as_sms();
        if let Some(receipt) = Receipt::read(&sms) {
            match Key::of_receipt(&receipt.id, self.config.id_form) {
                Some(key) => self.tell(News::Receipt {
                    key,
                    receipt: Box::new(receipt),
                    acknowledgement,
                }),
                None => acknowledgement.taken(),
            }
            return;
        }
        if sms.esm_class.is_receipt() || sms.esm_class.is_acknowledgement() {
            // A receipt that names no text, or the phone's own word: made again it would say no
            // more.
            tracing::debug!(bind = %self.config.name, "a receipt that names no text");
            acknowledgement.taken();
            return;
        }
        self.tell(News::Message {
            from: Box::new(delivery.sms.source.clone()),
            to: Box::new(delivery.sms.destination.clone()),
            reading: Box::new(text::read(&sms, self.config.style.default_alphabet)),
            acknowledgement,
        });
    }

    fn conclude(&mut self, now: Instant, piece: Piece, fate: Fate) {
        if let Some(landed) = self.flights.conclude(now, piece, fate) {
            let Landed {
                text,
                fate,
                messages,
                waited,
            } = landed;
            self.tell(News::Text {
                text,
                fate,
                messages,
                waited,
            });
        }
    }

    /// Gives up on every message that has not left.
    pub(super) fn give_back(&mut self, why: NotSent) {
        let now = Instant::now();
        let ready = std::mem::take(&mut self.ready);
        let again = std::mem::take(&mut self.again);
        for piece in ready.into_iter().chain(again.into_iter().map(|(_, p)| p)) {
            self.conclude(now, piece, Fate::NotSent(why));
        }
    }

    pub(super) fn hand_back(&mut self, text: TextRef, why: NotSent) {
        self.tell(News::Text {
            text,
            fate: Submission::NotSent(why),
            messages: 0,
            waited: Duration::ZERO,
        });
    }
}
