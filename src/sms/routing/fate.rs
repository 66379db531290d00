//! What became of a text at a link.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::smpp::receipt::Key;
use crate::sms::dispatch::Failure;
use crate::sms::order::NotSent;

/// What became of a text at a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The carrier took it.
    Sent {
        /// As so many messages.
        messages: u8,
        /// What joins their receipts, as far as the carrier named them.
        keys: SmallVec<[Option<Key>; 1]>,
    },
    /// The carrier did not take it.
    Refused {
        /// What that means if no other way takes it.
        failure: Failure,
        /// What the carrier said, short and printable.
        error: Arc<str>,
        /// Whether another carrier may take it.
        elsewhere: bool,
    },
    /// Nothing of it left.
    NotSent(NotSent),
    /// It left and no answer came.
    Unknown {
        /// As so many messages.
        messages: u8,
        /// What joins the receipts of those that were taken for sure.
        keys: SmallVec<[Option<Key>; 1]>,
    },
    /// Some of its messages were taken and others were not.
    Partial {
        /// What the carrier said of the others.
        error: Option<Arc<str>>,
    },
}
