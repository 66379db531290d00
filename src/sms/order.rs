//! What the engine orders of a bind, and what the bind reports back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use crate::phone::PhoneNumber;
use crate::smpp::pdu::{Address, AddressBuf, EncodeError, Status, Verdict};
use crate::smpp::receipt::{Key, Receipt};
use crate::smpp::session::{Closed, DeliveryHandle, MessageId};
use crate::smpp::text::{Reading, TextError};

/// Names one text order in every report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TextRef(pub Uuid);

/// One text to be sent. `Debug` masks the number and leaves the words out.
#[derive(Clone)]
pub struct TextOrder {
    /// The order's name, repeated in every report.
    pub text: TextRef,
    /// Whom to send it to; see [`destination`].
    pub to: AddressBuf,
    /// Who it is from, as [`Address::sender`] reads it; `None` leaves it to the bind.
    pub sender: Option<Arc<str>>,
    /// The words.
    pub body: Words,
    /// When the text is of no more use: not sent after this, and the carrier is told not to
    /// deliver it much later.
    pub deadline: Instant,
    /// Whether the bind tries again where the message centre asks for that, or hands the text back
    /// at once, for another bind to send.
    pub patient: bool,
    /// Whether it is still wanted; `None` is for good.
    pub withdrawal: Option<Withdrawal>,
}

/// What a text says. Wiped when dropped, as [`Zeroizing`] does it, but for many texts a second: all
/// octets at once.
#[derive(Clone, Default)]
pub struct Words(String);

impl From<Zeroizing<String>> for Words {
    fn from(mut words: Zeroizing<String>) -> Words {
        Words(std::mem::take(&mut *words))
    }
}

impl From<&str> for Words {
    fn from(words: &str) -> Words {
        Words(words.to_owned())
    }
}

impl std::ops::Deref for Words {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        let mut octets = std::mem::take(&mut self.0).into_bytes();
        // What lies behind the end may be the rest of something longer.
        octets.resize(octets.capacity(), 0);
        octets.as_mut_slice().zeroize();
    }
}

/// Says of a text that is on its way through a queue that it is of no more use. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Withdrawal(Arc<AtomicBool>);

impl Withdrawal {
    /// The text is of no more use: if nothing of it has left, nothing shall.
    pub fn withdraw(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it is of no more use.
    pub fn is_withdrawn(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl fmt::Debug for TextOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextOrder")
            .field("text", &self.text)
            .field("to", &self.to)
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}

/// The address of a phone number.
pub fn destination(number: &PhoneNumber) -> AddressBuf {
    Address::international(number.e164()).to_owned()
}

/// What happened at a bind.
#[derive(Debug)]
pub enum News {
    /// How an order fared at the message centre: exactly one for each order.
    Text {
        /// Which order.
        text: TextRef,
        /// How it fared.
        fate: Submission,
        /// Into how many messages it was split; 0 if it was not.
        messages: u8,
        /// From its first message's leaving to the last answer; zero if none left.
        waited: Duration,
    },
    /// The answer to a message of a text that was reported [`Submission::Unknown`].
    Late {
        /// Which order.
        text: TextRef,
        /// How the message fared after all.
        answer: Result<MessageId, Status>,
    },
    /// A receipt came. It is to be acknowledged once it is safe.
    Receipt {
        /// Joins it to the name in the answer, by [`Key::of_answer`].
        key: Key,
        /// What it says.
        receipt: Box<Receipt>,
        /// Tells the message centre.
        acknowledgement: Acknowledgement,
    },
    /// The bind came up, went down or stopped.
    State(BindState),
    /// The message centre asked for texts to come more slowly.
    Slowed {
        /// When the next may go out.
        until: Instant,
    },
    /// A person sent a message. It is to be acknowledged once it is safe.
    Message {
        /// Who sent it.
        from: Box<AddressBuf>,
        /// Which number or code it was sent to.
        to: Box<AddressBuf>,
        /// What it says, as far as it can be read.
        reading: Box<Reading>,
        /// Tells the message centre.
        acknowledgement: Acknowledgement,
    },
}

/// How a text fared at the message centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Submission {
    /// Taken, as messages of these names; an empty name is none.
    Sent(SmallVec<[MessageId; 1]>),
    /// Not taken.
    Refused {
        /// What the message centre said.
        status: Status,
        /// What that asks for. [`Verdict::Retry`] is never seen here: the bind has tried again for
        /// as long as it made sense, and says [`Verdict::FailOver`].
        verdict: Verdict,
    },
    /// Nothing of it left: another bind may send it.
    NotSent(NotSent),
    /// It left and no answer came. It may have been taken: sending it again may bring it twice.
    Unknown {
        /// Those of its messages that were taken for sure.
        taken: SmallVec<[MessageId; 1]>,
    },
    /// Some of its messages were taken and others were not: it will not arrive whole.
    Partial {
        /// Those that were taken.
        taken: SmallVec<[MessageId; 1]>,
        /// What was said of the others, if anything.
        status: Option<Status>,
    },
}

/// Why nothing of a text left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotSent {
    /// The bind is down.
    #[error("the bind is down")]
    Down,
    /// The bind's queue is full.
    #[error("the bind's queue is full")]
    Full,
    /// The bind is a receiver.
    #[error("the bind only receives")]
    Receiver,
    /// Its deadline passed while it waited.
    #[error("its deadline passed")]
    TooLate,
    /// It was withdrawn.
    #[error("it was withdrawn")]
    Withdrawn,
    /// The bind stopped.
    #[error("the bind stopped")]
    Stopped,
    /// It takes more messages than this bind allows.
    #[error(transparent)]
    Text(#[from] TextError),
    /// It does not fit the wire.
    #[error(transparent)]
    Unsendable(#[from] EncodeError),
}

/// What a bind is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindState {
    /// Not bound since then, and why if there is a reason yet.
    Down {
        /// Since when.
        since: Instant,
        /// What ended the last connection; `None` if none could be made.
        why: Option<Closed>,
    },
    /// Texts flow.
    Bound {
        /// Since when.
        since: Instant,
    },
    /// Over for good.
    Stopped,
}

impl BindState {
    /// Whether texts flow.
    pub const fn is_bound(&self) -> bool {
        matches!(self, BindState::Bound { .. })
    }
}

/// Where the answers to deliveries of one bind go.
pub(super) type Answers = mpsc::Sender<(DeliveryHandle, Status)>;

/// Tells the message centre what became of a delivery, or of the several that make up one message.
/// Dropped without a word, it asks for them to be made again later.
#[derive(Debug, Default)]
pub struct Acknowledgement {
    deliveries: SmallVec<[(Answers, DeliveryHandle); 1]>,
    /// One who waits for it by itself, as a provider does that posts a receipt.
    waiting: Option<oneshot::Sender<bool>>,
}

impl Acknowledgement {
    pub(super) fn new(to: Answers, handle: DeliveryHandle) -> Acknowledgement {
        Acknowledgement {
            deliveries: SmallVec::from_iter([(to, handle)]),
            waiting: None,
        }
    }

    /// One that tells whether the delivery is safe.
    pub fn awaited() -> (Acknowledgement, oneshot::Receiver<bool>) {
        let (waiting, told) = oneshot::channel();
        let acknowledgement = Acknowledgement {
            deliveries: SmallVec::new(),
            waiting: Some(waiting),
        };
        (acknowledgement, told)
    }

    /// Both in one.
    #[must_use]
    pub fn and(mut self, mut other: Acknowledgement) -> Acknowledgement {
        self.deliveries.append(&mut other.deliveries);
        // Of two that wait one would not hear of it: pieces of a message come by binds alone.
        self.waiting = self.waiting.take().or_else(|| other.waiting.take());
        self
    }

    /// The delivery is safe: the message centre may forget it.
    pub fn taken(mut self) {
        self.tell(Status::OK);
    }

    /// The delivery is to be made again later.
    pub fn later(mut self) {
        self.tell(Status::TEMPORARY_APPLICATION_ERROR);
    }

    fn tell(&mut self, status: Status) {
        for (to, handle) in self.deliveries.drain(..) {
            // Untold, the delivery is made again: never lost.
            let _ = to.try_send((handle, status));
        }
        if let Some(waiting) = self.waiting.take() {
            // Gone without waiting, it posts the receipt again.
            let _ = waiting.send(status == Status::OK);
        }
    }
}

impl Drop for Acknowledgement {
    fn drop(&mut self) {
        self.tell(Status::TEMPORARY_APPLICATION_ERROR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_words_nor_numbers_are_shown() {
        let order = TextOrder {
            text: TextRef(Uuid::nil()),
            to: Address::international("+447700900123").to_owned(),
            sender: None,
            body: Words::from("Your code is 123456"),
            deadline: Instant::now(),
            patient: true,
            withdrawal: None,
        };
        let shown = format!("{order:?}");
        assert!(
            !shown.contains("123456") && !shown.contains("4477"),
            "{shown}"
        );
    }
}
