//! The texts that a bind has in hand: the messages of each, and what each has become.

use std::time::{Duration, Instant};

use slab::Slab;
use smallvec::SmallVec;

use super::order::{NotSent, Submission, TextOrder, TextRef, Withdrawal};
use crate::smpp::pdu::{Status, Verdict};
use crate::smpp::session::MessageId;
use crate::smpp::text::{self, Measure};

/// One message of one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) flight: u32,
    pub(super) index: u8,
}

#[derive(Debug)]
pub(super) enum Fate {
    /// Waits to be submitted, or for its answer.
    Open,
    Taken(MessageId),
    Refused(Status, Verdict),
    NotSent(NotSent),
    Unknown,
}

#[derive(Debug)]
pub(super) struct Message {
    /// What it carries; `None` where it is the whole text, which is written as it leaves.
    pub(super) written: Option<text::Message>,
    pub(super) attempts: u32,
    fate: Fate,
}

impl Message {
    pub(super) fn new(written: Option<text::Message>) -> Message {
        Message {
            written,
            attempts: 0,
            fate: Fate::Open,
        }
    }
}

#[derive(Debug)]
pub(super) struct Flight {
    pub(super) order: TextOrder,
    pub(super) measure: Measure,
    pub(super) began: Option<Instant>,
    messages: SmallVec<[Message; 1]>,
    open: usize,
    /// Those that are with the message centre: on their way, taken, or not heard of.
    out: usize,
    /// Set once one of them has failed: the others are not worth sending any more.
    pub(super) given_up: Option<NotSent>,
}

/// A text that came to its end.
#[derive(Debug, PartialEq)]
pub(super) struct Landed {
    pub(super) text: TextRef,
    pub(super) fate: Submission,
    pub(super) messages: u8,
    pub(super) waited: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Flights {
    slab: Slab<Flight>,
}

impl Flights {
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// Takes a text of one message at least; gives its pieces.
    pub(super) fn begin(
        &mut self,
        order: TextOrder,
        measure: Measure,
        messages: SmallVec<[Message; 1]>,
    ) -> impl Iterator<Item = Piece> + use<> {
        let count = messages.len().min(usize::from(u8::MAX));
        let flight = self.slab.insert(Flight {
            order,
            measure,
            began: None,
            open: messages.len(),
            out: 0,
            messages,
            given_up: None,
        }) as u32;
        (0..count).map(move |index| Piece {
            flight,
            index: index as u8,
        })
    }

    pub(super) fn get(&mut self, piece: Piece) -> Option<(&mut Flight, usize)> {
        let flight = self.slab.get_mut(piece.flight as usize)?;
        Some((flight, usize::from(piece.index)))
    }

    /// A message came to its end; gives the text's end if it was the last.
    pub(super) fn conclude(&mut self, now: Instant, piece: Piece, fate: Fate) -> Option<Landed> {
        let (flight, index) = self.get(piece)?;
        let message = flight.messages.get_mut(index)?;
        if !matches!(message.fate, Fate::Open) {
            return None;
        }
        match fate {
            Fate::Taken(_) | Fate::Open => {}
            Fate::NotSent(why) => flight.given_up = Some(why),
            Fate::Refused(..) | Fate::Unknown => flight.given_up = Some(NotSent::Down),
        }
        message.fate = fate;
        flight.open = flight.open.saturating_sub(1);
        if flight.open > 0 {
            return None;
        }
        let fates = flight.messages.iter_mut();
        let fate = submission(fates.map(|m| std::mem::replace(&mut m.fate, Fate::Open)));
        let landed = Landed {
            text: flight.order.text,
            messages: u8::try_from(flight.messages.len()).unwrap_or(u8::MAX),
            fate,
            waited: flight
                .began
                .map_or(Duration::ZERO, |began| now.saturating_duration_since(began)),
        };
        self.slab.remove(piece.flight as usize);
        Some(landed)
    }
}

impl Flight {
    /// Why it is of no more use, if it is; of what has left in part the rest follows.
    pub(super) fn past(&self, now: Instant) -> Option<NotSent> {
        let unwanted = self
            .order
            .withdrawal
            .as_ref()
            .is_some_and(Withdrawal::is_withdrawn);
        if unwanted && self.out == 0 {
            return Some(NotSent::Withdrawn);
        }
        (now >= self.order.deadline).then_some(NotSent::TooLate)
    }

    pub(super) fn message(&self, index: usize) -> Option<&Message> {
        self.messages.get(index)
    }

    /// A message has left once more.
    pub(super) fn attempted(&mut self, index: usize) {
        if let Some(message) = self.messages.get_mut(index) {
            message.attempts += 1;
            self.out += 1;
        }
    }

    /// A message that was on its way has not left: it was refused, or never written.
    pub(super) fn came_back(&mut self) {
        self.out = self.out.saturating_sub(1);
    }
}

/// What has become of a text, from what has become of its messages.
fn submission(fates: impl Iterator<Item = Fate>) -> Submission {
    let mut taken = SmallVec::new();
    let mut refused = None;
    let mut not_sent = None;
    let mut unknown = false;
    for fate in fates {
        match fate {
            Fate::Taken(it) => taken.push(it),
            // A reason to give up counts more than one to fail over.
            Fate::Refused(status, verdict) => match refused {
                Some((_, Verdict::GiveUp)) => {}
                _ => refused = Some((status, verdict)),
            },
            Fate::NotSent(why) => not_sent = not_sent.or(Some(why)),
            Fate::Unknown => unknown = true,
            Fate::Open => {}
        }
    }
    // Whatever became of the others, the person may have got this one.
    if unknown {
        return Submission::Unknown { taken };
    }
    match (refused, not_sent) {
        (None, None) => Submission::Sent(taken),
        (refused, _) if !taken.is_empty() => Submission::Partial {
            taken,
            status: refused.map(|(status, _)| status),
        },
        (Some((status, verdict)), _) => Submission::Refused { status, verdict },
        (None, Some(why)) => Submission::NotSent(why),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::smpp::pdu::AddressBuf;
    use crate::sms::order::Words;

    fn taken(id: &str) -> MessageId {
        MessageId::new(id.as_bytes())
    }

    fn blank() -> Message {
        Message::new(None)
    }

    fn measure() -> Measure {
        text::measure("", &text::Style::default()).unwrap()
    }

    fn order(text: TextRef, deadline: Instant) -> TextOrder {
        TextOrder {
            text,
            to: AddressBuf::default(),
            sender: None,
            body: Words::default(),
            deadline,
            patient: true,
            withdrawal: None,
        }
    }

    fn land(fates: Vec<Fate>) -> Submission {
        let now = Instant::now();
        let mut flights = Flights::default();
        let text = TextRef(Uuid::from_u128(7));
        let pieces: Vec<Piece> = flights
            .begin(
                order(text, now),
                measure(),
                fates.iter().map(|_| blank()).collect(),
            )
            .collect();
        assert_eq!(pieces.len(), fates.len());
        let mut landed = None;
        for (piece, fate) in pieces.iter().zip(fates) {
            assert!(landed.is_none());
            landed = flights.conclude(now, *piece, fate);
        }
        assert!(flights.is_empty());
        // A piece of a text that has landed means nothing.
        assert_eq!(flights.conclude(now, pieces[0], Fate::Unknown), None);
        let landed = landed.expect("the last one lands it");
        assert_eq!(landed.text, text);
        assert_eq!(usize::from(landed.messages), pieces.len());
        landed.fate
    }

    #[test]
    fn a_text_is_what_its_messages_are() {
        let refused = || Fate::Refused(Status::SYSTEM_ERROR, Verdict::FailOver);
        let invalid = || Fate::Refused(Status::INVALID_DESTINATION, Verdict::GiveUp);
        let down = || Fate::NotSent(NotSent::Down);
        assert_eq!(
            land(vec![Fate::Taken(taken("a")), Fate::Taken(taken("b"))]),
            Submission::Sent(SmallVec::from_vec(vec![taken("a"), taken("b")]))
        );
        assert_eq!(land(vec![down()]), Submission::NotSent(NotSent::Down));
        assert_eq!(
            land(vec![refused(), invalid(), refused(), down()]),
            Submission::Refused {
                status: Status::INVALID_DESTINATION,
                verdict: Verdict::GiveUp
            }
        );
        assert_eq!(
            land(vec![Fate::Taken(taken("a")), down()]),
            Submission::Partial {
                taken: SmallVec::from_vec(vec![taken("a")]),
                status: None
            }
        );
        assert_eq!(
            land(vec![refused(), Fate::Taken(taken("a"))]),
            Submission::Partial {
                taken: SmallVec::from_vec(vec![taken("a")]),
                status: Some(Status::SYSTEM_ERROR)
            }
        );
        for (other, taken) in [
            (refused(), vec![]),
            (down(), vec![]),
            (Fate::Taken(taken("a")), vec![taken("a")]),
        ] {
            let taken = SmallVec::from_vec(taken);
            assert_eq!(
                land(vec![Fate::Unknown, other]),
                Submission::Unknown { taken }
            );
        }
    }

    #[test]
    fn a_message_ends_once() {
        let now = Instant::now();
        let mut flights = Flights::default();
        let text = TextRef(Uuid::nil());
        let messages = SmallVec::from_vec(vec![blank(), blank()]);
        let pieces: Vec<Piece> = flights
            .begin(order(text, now), measure(), messages)
            .collect();
        assert_eq!(flights.conclude(now, pieces[0], Fate::Unknown), None);
        assert_eq!(flights.conclude(now, pieces[0], Fate::Unknown), None);
        assert!(!flights.is_empty());
        assert!(
            flights
                .get(pieces[1])
                .is_some_and(|(f, _)| f.given_up.is_some())
        );
    }
}
