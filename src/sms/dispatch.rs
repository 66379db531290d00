//! What the engine asks of the texting gateway, and what it hears back.
//!
//! The gateway chooses binds, fails over between them and joins receipts; the engine knows texts
//! by [`TextRef`] alone. A text that may have left is never sent again by itself.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;
use zeroize::Zeroizing;

use super::order::{Acknowledgement, TextRef};
use crate::dialplan::TextRoute;
use crate::phone::PhoneNumber;
use crate::smpp::receipt::{Key, Receipt};

/// One text to be sent. `Debug` masks the number and leaves the words out.
#[derive(Clone)]
pub struct Dispatch {
    /// Its name, repeated in every report: a new one for each sending, a resend too.
    pub text: TextRef,
    /// Whom to send it to.
    pub to: PhoneNumber,
    /// The ways to go, by the dialplan.
    pub route: TextRoute,
    /// The words. Wiped when dropped.
    pub body: Zeroizing<String>,
    /// When the text is of no more use: not sent after this.
    pub deadline: Instant,
}

impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch")
            .field("text", &self.text)
            .field("to", &self.to.masked())
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

/// From engine to gateway.
#[derive(Debug)]
pub enum Command {
    /// Send a text. Ends in one [`News::Sent`], [`News::Unsure`] or [`News::Failed`]; receipts may
    /// follow.
    Send(Box<Dispatch>),
    /// The text is of no more use: if nothing of it has left, nothing shall.
    Withdraw(TextRef),
    /// A provider has posted a receipt.
    Receipt(Box<PostedReceipt>),
}

/// A receipt that came by another way than a bind.
#[derive(Debug)]
pub struct PostedReceipt {
    /// The gateway whose provider posted it.
    pub by: Arc<str>,
    /// What it says.
    pub receipt: Receipt,
    /// Tells the provider.
    pub acknowledgement: Acknowledgement,
}

/// From gateway to engine.
#[derive(Debug)]
pub enum Report {
    /// Something happened to a text.
    Text {
        /// Which text.
        text: TextRef,
        /// What happened.
        news: News,
    },
    /// The carrier has named messages of a text.
    Named(Box<Named>),
    /// A receipt came; what it means for a text that this process sent has been reported before.
    Receipt(Box<ReceiptCame>),
    /// A person sent a message.
    Inbound(Box<Inbound>),
}

/// Messages of a text that a carrier has taken and named: their receipts come by these names, be
/// it to the next process.
#[derive(Debug)]
pub struct Named {
    /// Which text.
    pub text: TextRef,
    /// The account with the carrier that receipts come to; the same after a restart.
    pub account: Arc<str>,
    /// The names, as they join.
    pub keys: SmallVec<[Key; 1]>,
    /// Of how many messages the text is whole.
    pub messages: u8,
    /// How long ago it left.
    pub left: Duration,
}

/// A receipt as it came.
#[derive(Debug)]
pub struct ReceiptCame {
    /// The account that it came to.
    pub account: Arc<str>,
    /// The carrier's name for the message, as it joins.
    pub key: Key,
    /// What it says of the message.
    pub says: Says,
    /// The text that it is of, if this process sent it and knows: what it means was told before.
    pub text: Option<TextRef>,
    /// To be called once what it says is kept; dropped without, the receipt comes again.
    pub acknowledgement: Acknowledgement,
}

/// What a carrier's receipt says of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// Accepted, or on its way.
    Accepted,
    /// The carrier does not know.
    Unknown,
    /// On the phone.
    Delivered,
    /// It will not arrive; what else was said, as in [`News::Undeliverable`].
    Undeliverable(Arc<str>),
}

/// What happened to a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A carrier has taken it.
    Sent {
        /// The bind or gateway that took it.
        by: Arc<str>,
        /// Into how many messages it was split.
        messages: u8,
    },
    /// It left and no answer came: it may arrive or not, and is not sent again.
    Unsure {
        /// The bind or gateway it left by.
        by: Arc<str>,
    },
    /// A carrier's receipt says that it is accepted or on its way: it may arrive or not.
    Accepted {
        /// From its leaving to the receipt.
        after: Duration,
    },
    /// The carrier says that it does not know what has become of it.
    Unknown {
        /// From its leaving to the receipt.
        after: Duration,
    },
    /// The carrier says that it is on the phone.
    Delivered {
        /// From its leaving to the receipt.
        after: Duration,
    },
    /// The carrier says that it will not arrive.
    Undeliverable {
        /// What the carrier said, short and printable, no longer than 64 bytes:
        /// `UNDELIV err:027`.
        error: Arc<str>,
        /// From its leaving to the receipt.
        after: Duration,
    },
    /// Nothing of it went out, or part of it: it will not arrive whole.
    Failed {
        /// Why.
        failure: Failure,
        /// What the last carrier asked said, if anything: as in [`News::Undeliverable`].
        error: Option<Arc<str>>,
    },
}

/// Why a text was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No way to go was up in time.
    Unavailable,
    /// Every way was full or told to slow down.
    Overloaded,
    /// The carrier refused the text or us.
    Rejected,
    /// The carrier says that there is no such number.
    NoSuchNumber,
    /// It was withdrawn, or its deadline passed, before it left.
    TooLate,
    /// It does not fit what the ways allow.
    TooLong,
}

/// A message that a person sent.
#[derive(Debug)]
pub struct Inbound {
    /// The bind that it came by.
    pub by: Arc<str>,
    /// Who sent it; `None` if that is no phone number.
    pub from: Option<PhoneNumber>,
    /// The number, short code or name that it was sent to.
    pub to: Arc<str>,
    /// What it says, as far as it can be read.
    pub words: Zeroizing<String>,
    /// To be called once it is kept; dropped without, the message centre delivers it again.
    pub acknowledgement: Option<super::order::Acknowledgement>,
}
