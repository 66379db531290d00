//! What a store keeps so that a carrier's receipt finds its text, whichever process sent it.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::challenge::{CarrierWord, TextNews};

/// Messages that a carrier has taken and named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedReceipts {
    /// Whose text they are.
    pub challenge: Uuid,
    /// Which of its texts: 1 is the first.
    pub sending: u8,
    /// The account with the carrier that receipts come to.
    pub account: Arc<str>,
    /// The carrier's names for the messages, as they join.
    pub names: Vec<String>,
    /// Of how many messages the text is whole.
    pub messages: u8,
    /// When it left.
    pub left: Timestamp,
    /// Until when receipts are awaited.
    pub until: Timestamp,
}

/// What a carrier's receipt says of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptWord {
    /// Accepted, or on its way.
    Accepted,
    /// The carrier does not know.
    Unknown,
    /// On the phone.
    Delivered,
    /// It will not arrive; and what else was said.
    Undeliverable(Option<CarrierWord>),
}

impl ReceiptWord {
    /// Its name in the store.
    pub(super) const fn name(self) -> &'static str {
        match self {
            ReceiptWord::Accepted => "accepted",
            ReceiptWord::Unknown => "unknown",
            ReceiptWord::Delivered => "delivered",
            ReceiptWord::Undeliverable(_) => "undeliverable",
        }
    }
}

/// A receipt that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarrierReceipt {
    /// The account that it came to.
    pub account: Arc<str>,
    /// The carrier's name for the message, as it joins.
    pub name: String,
    /// What it says.
    pub word: ReceiptWord,
}

/// The text that a receipt is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joined {
    /// Whose text it is.
    pub challenge: Uuid,
    /// Which of its texts: 1 is the first.
    pub sending: u8,
    /// What it says of the whole text, if anything: of one of several messages that has arrived it
    /// says nothing yet.
    pub news: Option<TextNews>,
}
