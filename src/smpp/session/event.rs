//! What a session tells.

use std::fmt;
use std::time::Duration;

use smallvec::SmallVec;
use thiserror::Error;

use crate::smpp::pdu::{
    AddressBuf, Command, EncodeError, FrameError, SmsBuf, Status, Verdict, Version,
};

/// The name a message centre gives a text, as it came. Up to 32 octets lie inside.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct MessageId(pub SmallVec<[u8; 32]>);

impl MessageId {
    /// A copy of the octets.
    pub fn new(octets: &[u8]) -> MessageId {
        MessageId(SmallVec::from_slice(octets))
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the message centre gave no name.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// What happened to a session.
#[derive(Debug)]
pub enum Event<T> {
    /// The message centre accepted the bind.
    Bound {
        /// What it calls itself.
        system_id: String,
        /// The version it says it speaks, if it says.
        version: Option<Version>,
    },
    /// A text's answer, or that there will be none: exactly one for each text submitted.
    Answered(Answer<T>),
    /// The answer to a text that was reported [`Outcome::Unknown`] a while ago.
    LateAnswer {
        /// The text's sequence number on this connection.
        sequence: u32,
        /// How it went after all.
        status: Status,
        /// Its name, if it was accepted.
        id: MessageId,
    },
    /// A text or receipt arrived; it waits for [`Session::acknowledge`](super::Session::acknowledge).
    Delivered(Box<Delivery>),
    /// A phone that was out of reach is back.
    Alert(AddressBuf),
    /// The message centre asked to be bound to, as this says; the session goes on as it was.
    Outbind {
        /// What it calls itself.
        system_id: String,
    },
    /// The message centre's throttling made this bind slower.
    Slowed {
        /// What it said.
        status: Status,
        /// Texts a second from now on.
        rate: f64,
    },
    /// A PDU that fits nowhere; it was answered if it was a request. For the log.
    Odd {
        /// Which operation.
        command: Command,
        /// The status it came with.
        status: Status,
        /// Its sequence number.
        sequence: u32,
    },
    /// The session is over; the connection is to be closed once
    /// [`Session::poll_transmit`](super::Session::poll_transmit) has no more. Nothing follows.
    Closed(Closed),
}

/// How one text fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// What the text was submitted with.
    pub tag: T,
    /// Its sequence number on this connection.
    pub sequence: u32,
    /// How it fared.
    pub outcome: Outcome,
    /// How long the answer took.
    pub waited: Duration,
}

/// How one text fared at the message centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It took the text and gave it a name.
    Accepted(MessageId),
    /// It did not take the text.
    Refused {
        /// What it said.
        status: Status,
        /// What that asks for: never [`Verdict::Accepted`].
        verdict: Verdict,
    },
    /// Not all of the text's octets left before the connection ended: it may be sent elsewhere.
    NotSent,
    /// The text left and no answer came, so it may have been taken: it must not be sent again
    /// unless the person accepts that it comes twice.
    Unknown(Lost),
}

/// Why an answer is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lost {
    /// The response timer ran out; a late answer may follow.
    NoAnswer,
    /// The connection ended first.
    ConnectionLost,
}

/// A text or receipt that the message centre delivered.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Names it towards [`Session::acknowledge`](super::Session::acknowledge).
    pub handle: DeliveryHandle,
    /// What came: deliver_sm, or data_sm with its message in `message_payload`.
    pub sms: SmsBuf,
}

/// Names a delivery on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeliveryHandle {
    pub(super) connection: u64,
    pub(super) sequence: u32,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Closed {
    /// The message centre refused the bind.
    #[error("the bind was refused: {0}")]
    Refused(Status),
    /// No answer to the bind in time.
    #[error("the bind was not answered in time")]
    InitTimeout,
    /// An enquire_link without an answer.
    #[error("the message centre no longer answers")]
    PeerSilent,
    /// The message centre unbound.
    #[error("the message centre unbound")]
    PeerUnbound,
    /// [`Session::unbind`](super::Session::unbind) came to its end.
    #[error("unbound")]
    Unbound,
    /// The inactivity timer ran out and the session unbound.
    #[error("unbound for lack of traffic")]
    Inactive,
    /// A length field that lies.
    #[error("{0}")]
    BrokenFraming(#[from] FrameError),
    /// The message centre says that it can no longer follow our stream.
    #[error("the message centre lost track of the stream")]
    PeerLostTrack,
    /// It sends requests and does not read our answers.
    #[error("the message centre does not read what it is sent")]
    PeerNotReading,
    /// The connection ended without a word.
    #[error("the connection was lost")]
    Disconnected,
    /// The bind's own fields do not fit the wire.
    #[error("the bind cannot be sent: {0}")]
    Unsendable(#[from] EncodeError),
}

/// Why a text was not submitted; it is handed back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotSubmitted<T> {
    /// What the text was to be submitted with.
    pub tag: T,
    /// Why not.
    pub why: WhyNot,
}

/// Why a text was not submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WhyNot {
    /// Not bound, unbinding, or bound as a receiver.
    #[error("the session is not bound for sending")]
    NotBound,
    /// As many texts wait for their answer as may, or more octets wait to be sent than should.
    #[error("the window is full")]
    WindowFull,
    /// Not yet: see [`Session::next_room`](super::Session::next_room).
    #[error("faster than this bind may send")]
    Paced,
    /// The text does not fit the wire.
    #[error("{0}")]
    Unsendable(#[from] EncodeError),
}
