//! The embedded store: one SQLite file in WAL mode with full sync, one writer that commits in
//! groups, readers beside it.

mod challenges;
mod keys;
mod messages;
mod readers;
mod receipts;
mod retention;
mod rows;
mod schema;
mod writer;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use nix::fcntl::{Flock, FlockArg};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use uuid::Uuid;

use self::challenges::{Request, Sealed};
use self::messages::SealedMessage;
use self::readers::Readers;
use self::writer::Writer;
use super::vault::{make_directory, parent};
use super::{
    ApiKey, AwaitedReceipts, Begun, Block, BlockedBy, CarrierReceipt, CodeHash, Erased, Haste,
    Idempotency, Joined, KeyId, Message, Metrics, NewChallenge, Pending, Purged, Recorded, Replay,
    Retention, Standing, Store, StoreError, Unfinished, Vault, VaultError,
};
use crate::challenge::{Challenge, Entry, OneTimeCode, Tenant};
use crate::phone::PhoneNumber;

/// How long to wait for another program that writes, such as `ringtrue key create`.
const BUSY: Duration = Duration::from_secs(5);
/// Threads that read.
const READERS: usize = 2;
/// Statements kept prepared by each connection.
const STATEMENTS: usize = 48;

/// Challenges in one SQLite file.
pub struct Sqlite {
    vault: Arc<Vault>,
    /// `None` only while being dropped: the threads end when their queues do.
    hands: Option<(Writer, Readers)>,
    threads: Vec<JoinHandle<()>>,
    _lock: Option<Flock<File>>,
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// To run challenges: one program at a time, since each ends what its forerunner left open.
    Engine,
    /// To administer, while an engine may be running.
    Administration,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file could not be used.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another program runs challenges in this file.
    #[error("{} is in use by another ringtrue: stop that one, or give this one a store of its own", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// SQLite says no.
    #[error("the database cannot be opened: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The database cannot be put in WAL mode, as on a network file system.
    #[error("the database cannot use a write-ahead log here: put it on a local disk")]
    NoWal,
    /// The database is some other program's.
    #[error("the file is a database of another program")]
    NotOurs,
    /// The database was written by a later version of this program.
    #[error("the database has schema {found} and this program knows {known}: use a newer ringtrue")]
    Newer {
        /// The database's schema.
        found: usize,
        /// The latest that is known.
        known: usize,
    },
    /// The key of the vault could not be had.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The database was written with another key, or its key file is gone.
    #[error(
        "the key file {} is not the one that this database was written with: restore that one; without it the numbers in the database cannot be read", path.display()
    )]
    OtherKey {
        /// The key file.
        path: PathBuf,
    },
}

impl Sqlite {
    /// Opens the store at a path, making it if it is missing, and with it the key file. Both can
    /// then be read by their owner alone.
    ///
    /// # Errors
    /// If a file cannot be used or belongs to something else; the message says what to do.
    pub fn open(path: &Path, key: &Path, use_: Use, metrics: Metrics) -> Result<Sqlite, OpenError> {
        let file = |source| OpenError::File {
            path: path.into(),
            source,
        };
        make_directory(parent(path)).map_err(file)?;
        // Made here, for SQLite would make it readable by all; its log and index files then take
        // over its permissions.
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(file)?;
        let lock = match use_ {
            Use::Engine => Some(lock(path)?),
            Use::Administration => None,
        };
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::migrate(&mut connection)?;
        let vault = Arc::new(open_vault(&connection, key)?);
        let mut readers = Vec::new();
        for _ in 0..READERS {
            readers.push(connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?);
        }
        let (writer, thread) = Writer::start(connection, metrics).map_err(file)?;
        let (readers, mut threads) = Readers::start(readers).map_err(file)?;
        threads.push(thread);
        Ok(Sqlite {
            vault,
            hands: Some((writer, readers)),
            threads,
            _lock: lock,
        })
    }

    fn write<T: Send + 'static>(
        &self,
        operation: impl Fn(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        match &self.hands {
            Some((writer, _)) => writer.write(operation),
            None => refused(StoreError::Closed),
        }
    }

    fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<T> {
        match &self.hands {
            Some((_, readers)) => readers.read(question),
            None => refused(StoreError::Closed),
        }
    }
}

/// Waits until what was asked is done and the file is closed.
impl Drop for Sqlite {
    fn drop(&mut self) {
        self.hands = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn refused<T: Send + 'static>(error: StoreError) -> Pending<T> {
    Box::pin(async move { Err(error) })
}

/// The engine's lock on a store, beside the file itself: a link to it is no other store. The system
/// lifts it when the process ends, however it ends.
fn lock(path: &Path) -> Result<Flock<File>, OpenError> {
    let file = |path: PathBuf| move |source| OpenError::File { path, source };
    let mut name = path
        .canonicalize()
        .map_err(file(path.into()))?
        .into_os_string();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&name)
        .map_err(file(name.clone()))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|_| OpenError::InUse { path: path.into() })
}

fn connect(path: &Path, how: OpenFlags) -> Result<Connection, OpenError> {
    // Each connection belongs to one thread, so SQLite's own mutexes are left out.
    let connection = Connection::open_with_flags(path, how | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    if how.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0))?;
        if mode != "wal" {
            return Err(OpenError::NoWal);
        }
        // FULL: the log is synced at every commit. `secure_delete`: what is erased is overwritten.
        connection.execute_batch(
            "PRAGMA synchronous = FULL;
             PRAGMA secure_delete = ON;
             PRAGMA cache_size = -32768;
             PRAGMA wal_autocheckpoint = 4000;
             PRAGMA journal_size_limit = 67108864;",
        )?;
    }
    Ok(connection)
}

/// The vault of a database: the key that it was first opened with, and no other.
fn open_vault(connection: &Connection, key: &Path) -> Result<Vault, OpenError> {
    let known: Option<[u8; 32]> = connection
        .query_row(
            "SELECT value FROM meta WHERE name = 'key_check'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let other_key = || OpenError::OtherKey { path: key.into() };
    let vault = match Vault::open(key) {
        Err(VaultError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            if known.is_some() {
                return Err(other_key());
            }
            Vault::create(key)?
        }
        opened => opened?,
    };
    let check = vault.hash(b"key check", &[]);
    let known = match known {
        Some(known) => known,
        None => {
            connection.execute(
                "INSERT OR IGNORE INTO meta (name, value) VALUES ('key_check', ?1)",
                [check],
            )?;
            connection.query_row(
                "SELECT value FROM meta WHERE name = 'key_check'",
                [],
                |row| row.get(0),
            )?
        }
    };
    if known == check {
        Ok(vault)
    } else {
        Err(other_key())
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::Unavailable(error.to_string())
    }
}

impl Store for Sqlite {
    fn begin(&self, new: NewChallenge) -> Pending<Begun> {
        match Sealed::new(&self.vault, new) {
            Ok(sealed) => self.write(move |connection| challenges::begin(connection, &sealed)),
            Err(error) => refused(error),
        }
    }

    fn replay(
        &self,
        tenant: Tenant,
        request: Idempotency,
        now: Timestamp,
    ) -> Pending<Option<Replay>> {
        let request = Request::hashed(&self.vault, &tenant, &request, now);
        self.read(move |connection| challenges::replay(connection, &request))
    }

    fn record(&self, challenge: Challenge, entries: Vec<Entry>, haste: Haste) -> Pending<Recorded> {
        match &self.hands {
            Some((writer, _)) => writer.write_in(haste, move |connection| {
                challenges::record(connection, &challenge, &entries)
            }),
            None => refused(StoreError::Closed),
        }
    }

    fn hurry(&self) {
        if let Some((writer, _)) = &self.hands {
            writer.hurry();
        }
    }

    fn find(&self, tenant: Tenant, id: Uuid) -> Pending<Option<Challenge>> {
        self.read(move |connection| challenges::find(connection, &tenant, id))
    }

    fn log(&self, id: Uuid, after: u32) -> Pending<Vec<Entry>> {
        self.read(move |connection| challenges::log(connection, id, after))
    }

    fn end_unfinished(&self, now: Timestamp) -> Pending<Unfinished> {
        let Some((writer, _)) = self.hands.clone() else {
            return refused(StoreError::Closed);
        };
        Box::pin(async move {
            let mut all = Unfinished::default();
            let mut after = [0; 16];
            loop {
                let (some, last) = writer
                    .write(move |connection| challenges::end_unfinished(connection, after, now))
                    .await?;
                all.expired += some.expired;
                all.interrupted += some.interrupted;
                match last {
                    Some(last) => after = last,
                    None => return Ok(all),
                }
            }
        })
    }

    fn standing(&self) -> Pending<Vec<Standing>> {
        let vault = Arc::clone(&self.vault);
        self.read(move |connection| {
            let standing = challenges::standing(connection)?.into_iter();
            let standing = standing.filter_map(|(challenge, number, code)| {
                let id = challenge.details().id;
                match vault.unseal(id, &number) {
                    Ok(number) => Some(Standing {
                        number,
                        challenge,
                        code,
                    }),
                    // One that is none any more by a newer numbering plan keeps nobody else out.
                    Err(_) => {
                        tracing::error!(challenge = %id, "its number cannot be read; nobody can check its code");
                        None
                    }
                }
            });
            Ok(standing.collect())
        })
    }

    fn hash_code(&self, challenge: Uuid, code: &OneTimeCode) -> CodeHash {
        self.vault.hash_code(challenge, code)
    }

    fn number(&self, id: Uuid) -> Pending<Option<PhoneNumber>> {
        let vault = Arc::clone(&self.vault);
        self.read(move |connection| {
            challenges::number(connection, id)?
                .map(|sealed| vault.unseal(id, &sealed))
                .transpose()
                .map_err(|_| StoreError::Damaged("a sealed number"))
        })
    }

    fn history(&self, number: PhoneNumber, limit: u32) -> Pending<Vec<Challenge>> {
        let hash = self.vault.hash_number(&number);
        self.read(move |connection| challenges::history(connection, &hash, limit))
    }

    fn erase(&self, number: PhoneNumber) -> Pending<Erased> {
        let phone = self.vault.hash_phone(&number);
        let Some((writer, _)) = self.hands.clone() else {
            return refused(StoreError::Closed);
        };
        Box::pin(async move {
            let erased = writer
                .write(move |connection| retention::erase(connection, &phone))
                .await?;
            writer.write_alone(retention::truncate_log).await?;
            Ok(erased)
        })
    }

    fn keep_message(&self, message: Message) -> Pending<()> {
        match SealedMessage::new(&self.vault, &message) {
            Ok(sealed) => self.write(move |connection| messages::keep(connection, &sealed)),
            Err(error) => refused(error),
        }
    }

    fn await_receipts(&self, awaited: AwaitedReceipts) -> Pending<()> {
        self.write(move |connection| receipts::keep(connection, &awaited))
    }

    fn take_receipt(&self, receipt: CarrierReceipt, now: Timestamp) -> Pending<Option<Joined>> {
        self.write(move |connection| receipts::take(connection, &receipt, now))
    }

    fn messages(&self, number: PhoneNumber, limit: u32) -> Pending<Vec<Message>> {
        let vault = Arc::clone(&self.vault);
        self.read(move |connection| messages::from_number(connection, &vault, &number, limit))
    }

    fn is_blocked(&self, number: PhoneNumber) -> Pending<bool> {
        let phone = self.vault.hash_phone(&number);
        self.read(move |connection| messages::is_blocked(connection, &phone))
    }

    fn blocks(&self) -> Pending<Vec<Block>> {
        self.read(messages::blocks)
    }

    fn block(&self, number: PhoneNumber, by: BlockedBy, now: Timestamp) -> Pending<bool> {
        let hash = self.vault.hash_number(&number);
        let masked = number.masked();
        self.write(move |connection| messages::block(connection, &hash, &masked, by, now))
    }

    fn unblock(&self, number: PhoneNumber) -> Pending<bool> {
        let phone = self.vault.hash_phone(&number);
        self.write(move |connection| messages::unblock(connection, &phone))
    }

    fn purge(&self, retention: Retention, now: Timestamp) -> Pending<Purged> {
        let Some((writer, _)) = self.hands.clone() else {
            return refused(StoreError::Closed);
        };
        Box::pin(async move {
            let mut all = Purged::default();
            loop {
                let some = writer
                    .write(move |connection| retention::purge(connection, &retention, now))
                    .await?;
                if some == Purged::default() {
                    return Ok(all);
                }
                all.numbers += some.numbers;
                all.challenges += some.challenges;
                all.idempotency_keys += some.idempotency_keys;
                all.messages += some.messages;
                all.receipts += some.receipts;
            }
        })
    }

    fn add_api_key(&self, key: ApiKey) -> Pending<()> {
        self.write(move |connection| keys::add(connection, &key))
    }

    fn api_key(&self, id: KeyId) -> Pending<Option<ApiKey>> {
        self.read(move |connection| keys::find(connection, id))
    }

    fn api_keys(&self) -> Pending<Vec<ApiKey>> {
        self.read(keys::all)
    }

    fn revoke_api_key(&self, id: KeyId, now: Timestamp) -> Pending<Option<ApiKey>> {
        self.write(move |connection| keys::revoke(connection, id, now))
    }

    fn ready(&self) -> Pending<()> {
        // A write that changes nothing still takes the lock and a page of the log.
        self.write(|connection| {
            connection
                .prepare_cached("UPDATE meta SET value = value WHERE name = 'key_check'")?
                .execute([])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
