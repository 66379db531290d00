//! Challenges, their logs and idempotency keys, in SQL.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use smallvec::SmallVec;
use uuid::Uuid;

use super::messages;
use super::rows::{COLUMNS, challenge, entry, insert_entry, milliseconds};
use crate::answer::AnsweredBy;
use crate::challenge::{
    CarrierWord, Challenge, Channel, Entry, Event, Reason, State, Step, Subject, Tenant,
};
use crate::store::{
    Begun, CodeHash, Idempotency, NewChallenge, Recorded, Replay, StoreError, Unfinished, Vault,
};

type Result<T> = std::result::Result<T, StoreError>;

/// Challenges that [`end_unfinished`] ends in one go, so that it holds no more in memory.
const AT_ONCE: usize = 1000;

/// A new challenge with what only its writer knows: sealed and hashed before it is queued, so
/// that the writing thread does not spend its time on it.
pub(super) struct Sealed {
    challenge: Challenge,
    entry: Entry,
    number: Vec<u8>,
    number_hash: [u8; 32],
    /// However the phone's number is written.
    phone: SmallVec<[[u8; 32]; 1]>,
    request: Option<Request>,
    code: Option<CodeHash>,
}

/// An idempotency key and its request, hashed.
pub(super) struct Request {
    key: [u8; 32],
    fingerprint: [u8; 32],
    now: Timestamp,
}

impl Request {
    pub fn hashed(vault: &Vault, tenant: &Tenant, asked: &Idempotency, now: Timestamp) -> Request {
        let tenant = tenant.as_str().as_bytes();
        Request {
            key: vault.hash(b"idempotency key", &[tenant, asked.key.as_bytes()]),
            fingerprint: vault.hash(b"idempotent request", &[tenant, &asked.request]),
            now,
        }
    }
}

impl Sealed {
    pub fn new(vault: &Vault, new: NewChallenge) -> Result<Sealed> {
        let NewChallenge {
            challenge,
            entry,
            number,
            idempotency,
            code,
        } = new;
        let details = challenge.details();
        let request = idempotency
            .map(|asked| Request::hashed(vault, &details.tenant, &asked, details.created));
        let sealed = vault
            .seal(details.id, &number)
            .map_err(|_| StoreError::Damaged("a number that cannot be sealed"))?;
        Ok(Sealed {
            number: sealed,
            number_hash: vault.hash_number(&number),
            phone: vault.hash_phone(&number),
            challenge,
            entry,
            request,
            code,
        })
    }
}

pub(super) fn begin(connection: &Connection, new: &Sealed) -> Result<Begun> {
    if let Some(request) = &new.request
        && let Some(replay) = replay(connection, request)?
    {
        return Ok(Begun::Replay(replay));
    }
    let details = new.challenge.details();
    if details.channel == Channel::Sms && messages::is_blocked(connection, &new.phone)? {
        return Ok(Begun::Blocked);
    }
    let life = new.challenge.life();
    let text = life.text();
    connection
        .prepare_cached(
            "INSERT INTO challenge (id, tenant, subject, purpose, channel, number, number_hash,
                 masked, locale, created, expires, status, reason, ended, seq, attempts, code,
                 text_sending, text_state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19)",
        )?
        .execute(params![
            details.id.as_bytes(),
            details.tenant.as_str(),
            details.subject.as_ref().map(Subject::as_str),
            details.purpose.name(),
            details.channel.name(),
            new.number,
            new.number_hash,
            details.to.as_deref(),
            &*details.locale,
            details.created.as_millisecond(),
            details.expires.as_millisecond(),
            life.state().status().name(),
            life.state().reason().map(Reason::name),
            life.ended().map(Timestamp::as_millisecond),
            life.seq(),
            details.attempts.get(),
            new.code.as_ref().map(CodeHash::octets),
            text.map(|text| text.sending),
            text.map(|text| text.state.name()),
        ])?;
    insert_entry(connection, details.id, &new.entry)?;
    if let Some(request) = &new.request {
        // A key that is there by now was forgotten: see `replay`.
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO idempotency (key, request, challenge, forgotten)
                 VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                request.key,
                request.fingerprint,
                details.id.as_bytes(),
                later(request.now, Idempotency::REMEMBERED),
            ])?;
    }
    Ok(Begun::New)
}

pub(super) fn replay(connection: &Connection, request: &Request) -> Result<Option<Replay>> {
    let found = connection
        .prepare_cached(
            "SELECT request, challenge FROM idempotency WHERE key = ?1 AND forgotten > ?2",
        )?
        .query_row(params![request.key, request.now.as_millisecond()], |row| {
            Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, [u8; 16]>(1)?))
        })
        .optional()?;
    let Some((fingerprint, id)) = found else {
        return Ok(None);
    };
    if fingerprint != request.fingerprint {
        return Ok(Some(Replay::Different));
    }
    // The key is forgotten long before its challenge is dropped; if an operator's retention is
    // shorter still, the key goes with the challenge.
    Ok(by_id(connection, Uuid::from_bytes(id))?.map(Replay::Same))
}

pub(super) fn record(
    connection: &Connection,
    challenge: &Challenge,
    entries: &[Entry],
) -> Result<Recorded> {
    let id = challenge.details().id;
    let life = challenge.life();
    let text = life.text();
    // Compare and set: what has ended stays as it ended. The code is of no more use then.
    let changed = connection
        .prepare_cached(
            "UPDATE challenge SET status = ?2, reason = ?3, ended = ?4, seq = ?5, wrong = ?6,
                 text_sending = ?7, text_state = ?8, text_sent = ?9, text_delivered = ?10,
                 text_took = ?11, text_error = ?12, text_messages = ?13, answered_by = ?14,
                 code = CASE WHEN ?4 IS NULL THEN code END
             WHERE id = ?1 AND ended IS NULL",
        )?
        .execute(params![
            id.as_bytes(),
            life.state().status().name(),
            life.state().reason().map(Reason::name),
            life.ended().map(Timestamp::as_millisecond),
            life.seq(),
            life.wrong(),
            text.map(|text| text.sending),
            text.map(|text| text.state.name()),
            text.and_then(|text| text.sent)
                .map(Timestamp::as_millisecond),
            text.and_then(|text| text.delivered)
                .map(Timestamp::as_millisecond),
            text.and_then(|text| text.took_ms).map(milliseconds),
            text.and_then(|text| text.error.as_ref())
                .map(CarrierWord::as_str),
            text.and_then(|text| text.messages),
            life.answered_by().map(AnsweredBy::name),
        ])?;
    if changed == 0 {
        return Ok(match by_id(connection, id)? {
            Some(ended) => Recorded::AlreadyEnded(ended),
            None => Recorded::Unknown,
        });
    }
    for entry in entries {
        insert_entry(connection, id, entry)?;
    }
    Ok(Recorded::Yes)
}

/// Writes what is known of the text of a challenge that has ended.
pub(super) fn write_text(connection: &Connection, challenge: &Challenge) -> Result<()> {
    let life = challenge.life();
    let text = life.text();
    connection
        .prepare_cached(
            "UPDATE challenge SET text_state = ?2, text_sent = ?3, text_delivered = ?4,
                 text_took = ?5, text_error = ?6, text_messages = ?7
             WHERE id = ?1 AND ended IS NOT NULL",
        )?
        .execute(params![
            challenge.details().id.as_bytes(),
            text.map(|text| text.state.name()),
            text.and_then(|text| text.sent)
                .map(Timestamp::as_millisecond),
            text.and_then(|text| text.delivered)
                .map(Timestamp::as_millisecond),
            text.and_then(|text| text.took_ms).map(milliseconds),
            text.and_then(|text| text.error.as_ref())
                .map(CarrierWord::as_str),
            text.and_then(|text| text.messages),
        ])?;
    Ok(())
}

pub(super) fn find(
    connection: &Connection,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<Challenge>> {
    let found = by_id(connection, id)?;
    Ok(found.filter(|challenge| challenge.details().tenant == *tenant))
}

pub(super) fn by_id(connection: &Connection, id: Uuid) -> Result<Option<Challenge>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM challenge WHERE id = ?1"))?
        .query_row([id.as_bytes()], |row| Ok(challenge(row)))
        .optional()?
        .transpose()
}

pub(super) fn log(connection: &Connection, id: Uuid, after: u32) -> Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, at, what, digit, source, counted, sending, messages, took, error, unsent,
             attempts_left, answered_by
         FROM entry WHERE challenge = ?1 AND seq > ?2 ORDER BY seq",
    )?;
    let mut rows = statement.query(params![id.as_bytes(), after])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(entry(row)?);
    }
    Ok(entries)
}

pub(super) fn number(connection: &Connection, id: Uuid) -> Result<Option<Vec<u8>>> {
    let found = connection
        .prepare_cached("SELECT number FROM challenge WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(found.flatten())
}

pub(super) fn history(
    connection: &Connection,
    number_hash: &[u8; 32],
    limit: u32,
) -> Result<Vec<Challenge>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM challenge WHERE number_hash = ?1 ORDER BY id DESC LIMIT ?2"
    ))?;
    let mut rows = statement.query(params![number_hash, limit])?;
    let mut challenges = Vec::new();
    while let Some(row) = rows.next()? {
        challenges.push(challenge(row)?);
    }
    Ok(challenges)
}

/// Ends some of what is open, after an id in the order of ids. What was ended, and the last id that
/// was looked at: `None` if there are no more.
pub(super) fn end_unfinished(
    connection: &Connection,
    after: [u8; 16],
    now: Timestamp,
) -> Result<(Unfinished, Option<[u8; 16]>)> {
    let mut open = Vec::new();
    {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM challenge WHERE ended IS NULL AND id > ?1
             ORDER BY id LIMIT {AT_ONCE}"
        ))?;
        let mut rows = statement.query([after])?;
        while let Some(row) = rows.next()? {
            open.push(challenge(row)?);
        }
    }
    let last = open.last().map(|last| *last.details().id.as_bytes());
    let mut ended = Unfinished::default();
    for mut challenge in open {
        // A challenge whose text has left stays open.
        let Step::Noted(entry) = challenge.apply(Event::Interrupt, now) else {
            continue;
        };
        record(connection, &challenge, &[entry])?;
        match challenge.state() {
            State::Ended(Reason::TimedOut) => ended.expired += 1,
            State::Ended(_) => ended.interrupted += 1,
            State::Open(_) => {}
        }
    }
    Ok((ended, last))
}

/// What is open and has a code: the challenge, its sealed number and the hash of its code.
pub(super) fn standing(connection: &Connection) -> Result<Vec<(Challenge, Vec<u8>, CodeHash)>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, number, code FROM challenge
         WHERE ended IS NULL AND code IS NOT NULL AND number IS NOT NULL ORDER BY id"
    ))?;
    let mut rows = statement.query([])?;
    let mut standing = Vec::new();
    while let Some(row) = rows.next()? {
        let code = CodeHash::new(row.get("code")?);
        standing.push((challenge(row)?, row.get("number")?, code));
    }
    Ok(standing)
}

/// Milliseconds of a time that lies a duration after another.
fn later(from: Timestamp, by: Duration) -> i64 {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    from.as_millisecond().saturating_add(by)
}
