//! Messages that people sent, and the numbers that are sent no texts, in SQL.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use smallvec::SmallVec;
use uuid::Uuid;

use super::rows::time;
use crate::guard::Wish;
use crate::phone::PhoneNumber;
use crate::store::{Block, BlockedBy, Message, StoreError, Vault};

type Result<T> = std::result::Result<T, StoreError>;

/// A message, sealed and hashed before it is queued.
pub(super) struct SealedMessage {
    id: Uuid,
    at: Timestamp,
    number: Option<Vec<u8>>,
    number_hash: Option<[u8; 32]>,
    /// However the phone's number is written.
    phone: SmallVec<[[u8; 32]; 1]>,
    masked: Option<String>,
    to: Arc<str>,
    by: Arc<str>,
    words: Vec<u8>,
    wish: Option<Wish>,
}

impl SealedMessage {
    pub fn new(vault: &Vault, message: &Message) -> Result<SealedMessage> {
        let unsealable = |_| StoreError::Damaged("a message that cannot be sealed");
        let from = message.from.as_ref();
        Ok(SealedMessage {
            id: message.id,
            at: message.at,
            number: from
                .map(|number| vault.seal(message.id, number))
                .transpose()
                .map_err(unsealable)?,
            number_hash: from.map(|number| vault.hash_number(number)),
            phone: from
                .map(|number| vault.hash_phone(number))
                .unwrap_or_default(),
            masked: from.map(PhoneNumber::masked),
            to: Arc::clone(&message.to),
            by: Arc::clone(&message.by),
            words: vault
                .seal_words(message.id, &message.words)
                .map_err(unsealable)?,
            wish: message.wish,
        })
    }
}

pub(super) fn keep(connection: &Connection, message: &SealedMessage) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO message
                 (id, at, number, number_hash, sent_to, sent_by, words, wish)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            message.id.as_bytes(),
            message.at.as_millisecond(),
            message.number,
            message.number_hash,
            &*message.to,
            &*message.by,
            message.words,
            message.wish.map(wish_name),
        ])?;
    if let (Some(number_hash), Some(wish)) = (&message.number_hash, message.wish) {
        match wish {
            Wish::Stop => {
                let masked = message.masked.as_deref().unwrap_or_default();
                block(
                    connection,
                    number_hash,
                    masked,
                    BlockedBy::Person,
                    message.at,
                )?;
            }
            Wish::Start => lift_own(connection, &message.phone)?,
        }
    }
    Ok(())
}

/// The latest messages from a number with their words still sealed.
pub(super) fn from_number(
    connection: &Connection,
    vault: &Vault,
    number: &PhoneNumber,
    limit: u32,
) -> Result<Vec<Message>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, at, sent_to, sent_by, words, wish FROM message
         WHERE number_hash IN (?1, ?2) ORDER BY id DESC LIMIT ?3",
    )?;
    let phone = vault.hash_phone(number);
    let mut rows = statement.query(params![phone.first(), phone.get(1), limit])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        let id = Uuid::from_bytes(row.get(0)?);
        let wish = row
            .get::<_, Option<String>>(5)?
            .map(|name| wish_from_name(&name).ok_or(StoreError::Damaged("a person's wish")))
            .transpose()?;
        messages.push(Message {
            id,
            at: time(row.get(1)?)?,
            from: Some(number.clone()),
            to: row.get(2)?,
            by: row.get(3)?,
            words: vault
                .unseal_words(id, &row.get::<_, Vec<u8>>(4)?)
                .map_err(|_| StoreError::Damaged("sealed words"))?,
            wish,
        });
    }
    Ok(messages)
}

/// Whether a phone is sent no texts, by the hashes of its number in every way to write it.
pub(super) fn is_blocked(connection: &Connection, phone: &[[u8; 32]]) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM block WHERE number_hash = ?1")?;
    for number_hash in phone {
        if statement.exists([number_hash])? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether it was not blocked before. An operator's block takes the place of the person's own, which
/// the person could lift.
pub(super) fn block(
    connection: &Connection,
    number_hash: &[u8; 32],
    masked: &str,
    by: BlockedBy,
    now: Timestamp,
) -> Result<bool> {
    let new = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO block (number_hash, masked, since, blocked_by)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            number_hash,
            masked,
            now.as_millisecond(),
            by.name()
        ])?;
    if new == 0 && by == BlockedBy::Operator {
        connection
            .prepare_cached("UPDATE block SET blocked_by = ?2 WHERE number_hash = ?1")?
            .execute(params![number_hash, by.name()])?;
    }
    Ok(new > 0)
}

pub(super) fn unblock(connection: &Connection, phone: &[[u8; 32]]) -> Result<bool> {
    let mut lifted = 0;
    for number_hash in phone {
        lifted += connection
            .prepare_cached("DELETE FROM block WHERE number_hash = ?1")?
            .execute([number_hash])?;
    }
    Ok(lifted > 0)
}

/// A person lifts the block that a person asked for, not an operator's.
fn lift_own(connection: &Connection, phone: &[[u8; 32]]) -> Result<()> {
    for number_hash in phone {
        connection
            .prepare_cached("DELETE FROM block WHERE number_hash = ?1 AND blocked_by = ?2")?
            .execute(params![number_hash, BlockedBy::Person.name()])?;
    }
    Ok(())
}

pub(super) fn blocks(connection: &Connection) -> Result<Vec<Block>> {
    let mut statement = connection.prepare_cached(
        "SELECT masked, since, blocked_by FROM block ORDER BY since, number_hash",
    )?;
    let mut rows = statement.query([])?;
    let mut blocks = Vec::new();
    while let Some(row) = rows.next()? {
        let by: String = row.get(2)?;
        blocks.push(Block {
            masked: row.get(0)?,
            since: time(row.get(1)?)?,
            by: BlockedBy::from_name(&by).ok_or(StoreError::Damaged("who blocked a number"))?,
        });
    }
    Ok(blocks)
}

const fn wish_name(wish: Wish) -> &'static str {
    match wish {
        Wish::Stop => "stop",
        Wish::Start => "start",
    }
}

fn wish_from_name(name: &str) -> Option<Wish> {
    [Wish::Stop, Wish::Start]
        .into_iter()
        .find(|wish| wish_name(*wish) == name)
}
