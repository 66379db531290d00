//! Messages that people sent, and the numbers that want no more texts.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::guard::Wish;
use crate::phone::PhoneNumber;

/// A message that a person sent. Number and words are kept sealed; `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its name: a UUID of version 7, whose time is that of its coming.
    pub id: Uuid,
    /// When it came.
    pub at: Timestamp,
    /// Who sent it; `None` if that is no phone number.
    pub from: Option<PhoneNumber>,
    /// The number, short code or name that it was sent to.
    pub to: Arc<str>,
    /// The bind that it came by.
    pub by: Arc<str>,
    /// What it says.
    pub words: Zeroizing<String>,
    /// What the sender wishes, if it is one of the usual words.
    pub wish: Option<Wish>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("by", &self.by)
            .field("wish", &self.wish)
            .finish_non_exhaustive()
    }
}

/// A number that is sent no texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The number, masked; `None` once it was erased. It stays blocked: its keyed hash is kept.
    pub masked: Option<Arc<str>>,
    /// Since when.
    pub since: Timestamp,
    /// Who asked for it.
    pub by: BlockedBy,
}

/// Who asked that a number be sent no texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockedBy {
    /// The person, by a text.
    Person,
    /// The operator.
    Operator,
}

impl BlockedBy {
    /// Its name in the store and for people.
    pub const fn name(self) -> &'static str {
        match self {
            BlockedBy::Person => "person",
            BlockedBy::Operator => "operator",
        }
    }

    /// Who is of that name.
    pub fn from_name(name: &str) -> Option<BlockedBy> {
        [BlockedBy::Person, BlockedBy::Operator]
            .into_iter()
            .find(|by| by.name() == name)
    }
}
