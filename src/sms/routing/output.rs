//! What the routing wants done.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;
use zeroize::Zeroizing;

use super::LinkId;
use crate::phone::PhoneNumber;
use crate::smpp::receipt::Key;
use crate::sms::dispatch::{Report, Says};
use crate::sms::order::{TextRef, Withdrawal};

/// What the routing wants done.
#[derive(Debug)]
pub enum Output {
    /// A text is to be sent by a link. Its fate is awaited, exactly one.
    Order {
        /// By which link.
        by: LinkId,
        /// The text.
        order: Box<Order>,
    },
    /// Messages of a text have been named by the carrier.
    Named {
        /// Which text.
        text: TextRef,
        /// Where their receipts come to, by [`LineConfig::account`](super::LineConfig::account).
        account: usize,
        /// The names.
        keys: SmallVec<[Key; 1]>,
        /// Of how many messages the text is whole.
        messages: u8,
        /// When it left.
        left: Instant,
    },
    /// A receipt that came before its text was named, now that it is.
    Early {
        /// Which text.
        text: TextRef,
        /// Where it came to.
        account: usize,
        /// By which name.
        key: Key,
        /// What it says.
        says: Says,
    },
    /// News for the engine.
    Report(Report),
}

/// A text for one link. `Debug` masks the number and leaves the words out.
#[derive(Clone)]
pub struct Order {
    /// Its name.
    pub text: TextRef,
    /// Whom to send it to.
    pub to: PhoneNumber,
    /// Who it is from; `None` leaves it to the link.
    pub sender: Option<Arc<str>>,
    /// The words. Wiped when dropped.
    pub body: Zeroizing<String>,
    /// When it is of no more use.
    pub deadline: Instant,
    /// Whether the link tries again where it is refused for the moment: there is no other way.
    pub patient: bool,
    /// Whether it is still wanted.
    pub withdrawal: Withdrawal,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("text", &self.text)
            .field("to", &self.to.masked())
            .field("patient", &self.patient)
            .finish_non_exhaustive()
    }
}
