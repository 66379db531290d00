//! Store: what was accepted survives; one trait in the domain's words, SQLite behind it.
//!
//! Every method of [`Store`] that writes answers only once the write is durable: a power cut
//! after the answer takes nothing back.

pub mod api_key;
mod code_hash;
mod message;
mod metrics;
mod receipt;
mod sqlite;
pub mod vault;

pub use api_key::{ApiKey, KeyId, Token};
pub use code_hash::CodeHash;
pub use message::{Block, BlockedBy, Message};
pub use metrics::Metrics;
pub use receipt::{AwaitedReceipts, CarrierReceipt, Joined, ReceiptWord};
pub use sqlite::{OpenError, Sqlite, Use};
pub use vault::{Vault, VaultError};

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::challenge::{Challenge, Entry, OneTimeCode, Tenant};
use crate::phone::PhoneNumber;

/// What a store answers, in time. It borrows nothing, so it may be sent anywhere and awaited
/// anywhere; what it asks for begins when it is first polled, if not before, and is carried out
/// even if it is then dropped.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Why a store could not do what it was asked. Nothing of what was asked has happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database refused: disk full, input or output error, locked by another program.
    #[error("the database cannot be used: {0}")]
    Unavailable(String),
    /// What was read back is not what this program writes.
    #[error("the database holds something that it should not: {0}")]
    Damaged(&'static str),
    /// The store was closed, or its thread died.
    #[error("the store is closed")]
    Closed,
}

/// Where challenges, their logs, idempotency keys and API keys are kept.
///
/// A method that ends a challenge compares and sets: what has ended stays as it ended.
pub trait Store: Send + Sync + 'static {
    /// Keeps a new challenge with the first line of its log, unless its idempotency key says that
    /// it was already asked for, or it is a text to a number that wants none.
    fn begin(&self, new: NewChallenge) -> Pending<Begun>;

    /// What an earlier request with this idempotency key began, if there was one.
    fn replay(
        &self,
        tenant: Tenant,
        request: Idempotency,
        now: Timestamp,
    ) -> Pending<Option<Replay>>;

    /// Writes further lines of a challenge's log and where it stands after them.
    fn record(&self, challenge: Challenge, entries: Vec<Entry>, haste: Haste) -> Pending<Recorded>;

    /// Has what waits for company written now.
    fn hurry(&self);

    /// A tenant's challenge; `None` if there is none of that id or it is another tenant's.
    fn find(&self, tenant: Tenant, id: Uuid) -> Pending<Option<Challenge>>;

    /// The log of a challenge after a line, in order; 0 for all of it.
    fn log(&self, id: Uuid, after: u32) -> Pending<Vec<Entry>>;

    /// Ends what a process that is gone left open: expired if its time ran out, else failed and
    /// interrupted. A challenge whose text has left stays open: see [`Store::standing`]. To be
    /// called once, before the first challenge of this process.
    fn end_unfinished(&self, now: Timestamp) -> Pending<Unfinished>;

    /// What is open: after [`Store::end_unfinished`], the challenges whose text has left and whose
    /// code can still be checked.
    fn standing(&self) -> Pending<Vec<Standing>>;

    /// The keyed hash of a challenge's code, as it is kept. Answers at once.
    fn hash_code(&self, challenge: Uuid, code: &OneTimeCode) -> CodeHash;

    /// The full number of a challenge; `None` once it was purged or erased.
    fn number(&self, id: Uuid) -> Pending<Option<PhoneNumber>>;

    /// The latest challenges to a number, newest first, at most `limit`.
    fn history(&self, number: PhoneNumber, limit: u32) -> Pending<Vec<Challenge>>;

    /// Erases a number from every ended challenge, sealed, hashed and masked, with what joins its
    /// receipts, and the messages that came from it. A block stays, by its keyed hash alone.
    fn erase(&self, number: PhoneNumber) -> Pending<Erased>;

    /// Keeps a message that a person sent, and does what it wishes: both or neither.
    fn keep_message(&self, message: Message) -> Pending<()>;

    /// Keeps what joins a text's receipts to it, for as long as they are awaited.
    fn await_receipts(&self, awaited: AwaitedReceipts) -> Pending<()>;

    /// Takes in a receipt: the text that it is of, `None` if none is known by that name. Where the
    /// challenge has ended, what is known of its text is brought up to date, and nothing else.
    fn take_receipt(&self, receipt: CarrierReceipt, now: Timestamp) -> Pending<Option<Joined>>;

    /// The latest messages from a number, newest first, at most `limit`.
    fn messages(&self, number: PhoneNumber, limit: u32) -> Pending<Vec<Message>>;

    /// Whether a number is sent no texts.
    fn is_blocked(&self, number: PhoneNumber) -> Pending<bool>;

    /// Every number that is sent no texts, the longest blocked first.
    fn blocks(&self) -> Pending<Vec<Block>>;

    /// Sends a number no more texts; whether it was sent some until now.
    fn block(&self, number: PhoneNumber, by: BlockedBy, now: Timestamp) -> Pending<bool>;

    /// Sends a number texts again; whether it was blocked.
    fn unblock(&self, number: PhoneNumber) -> Pending<bool>;

    /// Drops what [`Retention`] says is no longer kept, in small steps that let others write.
    fn purge(&self, retention: Retention, now: Timestamp) -> Pending<Purged>;

    /// Keeps a new API key.
    fn add_api_key(&self, key: ApiKey) -> Pending<()>;

    /// The API key of that id, revoked or not.
    fn api_key(&self, id: KeyId) -> Pending<Option<ApiKey>>;

    /// Every API key, oldest first.
    fn api_keys(&self) -> Pending<Vec<ApiKey>>;

    /// Revokes an API key; the key as it now is, `None` if there is none of that id.
    fn revoke_api_key(&self, id: KeyId, now: Timestamp) -> Pending<Option<ApiKey>>;

    /// Whether the store can be written at this moment.
    fn ready(&self) -> Pending<()>;
}

/// How soon something is to be durable. A commit costs a sync of the disk however much it carries,
/// so what nobody waits for goes along with what somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haste {
    /// As soon as can be.
    Now,
    /// With the next that is written, a tenth of a second later at most.
    InCompany,
}

/// A challenge to be kept.
pub struct NewChallenge {
    /// The challenge, just begun.
    pub challenge: Challenge,
    /// The first line of its log.
    pub entry: Entry,
    /// Whom to reach; kept sealed.
    pub number: PhoneNumber,
    /// The request's idempotency key, if it had one.
    pub idempotency: Option<Idempotency>,
    /// The hash of its code, for a challenge by text. Dropped when the challenge ends.
    pub code: Option<CodeHash>,
}

impl fmt::Debug for NewChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewChallenge")
            .field("challenge", &self.challenge)
            .finish_non_exhaustive()
    }
}

/// An idempotency key and the request that came with it. Neither is kept in the clear, and
/// `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The key, as the client sent it.
    pub key: Zeroizing<String>,
    /// What the client asked, in a canonical form: equal requests, equal bytes.
    pub request: Zeroizing<Vec<u8>>,
}

impl Idempotency {
    /// How long a key is remembered.
    pub const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
}

impl fmt::Debug for Idempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idempotency").finish_non_exhaustive()
    }
}

/// What became of a new challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is kept.
    New,
    /// Its idempotency key was used before.
    Replay(Replay),
    /// It is a text, and the number is sent none; nothing was kept.
    Blocked,
}

/// What an idempotency key that was used before stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// The same request: this challenge, as it now stands.
    Same(Challenge),
    /// A different request.
    Different,
}

/// What became of lines to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// They are kept.
    Yes,
    /// The challenge had already ended, as this; nothing was written.
    AlreadyEnded(Challenge),
    /// There is no such challenge; nothing was written.
    Unknown,
}

/// What a gone process left open, by how it was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unfinished {
    /// Challenges whose time had run out.
    pub expired: u64,
    /// Challenges that were interrupted.
    pub interrupted: u64,
}

/// A challenge that outlived the process that began it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The challenge, open.
    pub challenge: Challenge,
    /// Whom its text went to.
    pub number: PhoneNumber,
    /// The hash of its code.
    pub code: CodeHash,
}

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Challenges that no longer know the number.
    pub challenges: u64,
    /// Challenges to the number that are still open, and so still know it.
    pub still_open: u64,
    /// Messages from the number that were dropped.
    pub messages: u64,
}

/// How long things are kept after a challenge began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Full numbers, sealed and hashed, and messages from them; the masked number stays.
    pub numbers: Duration,
    /// Challenges with their logs.
    pub challenges: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            numbers: Duration::from_secs(30 * 24 * 3600),
            challenges: Duration::from_secs(400 * 24 * 3600),
        }
    }
}

/// What was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    /// Challenges that lost their full number.
    pub numbers: u64,
    /// Challenges dropped with their logs.
    pub challenges: u64,
    /// Idempotency keys forgotten.
    pub idempotency_keys: u64,
    /// Messages from people dropped.
    pub messages: u64,
    /// Receipts that are awaited no longer.
    pub receipts: u64,
}
