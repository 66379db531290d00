//! Challenges, their logs and idempotency keys, in SQL.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::challenge::{
    Challenge, Channel, Details, Entry, Event, Key, KeySource, Life, Purpose, Reason, Stage, State,
    Step, Subject, Tenant, What,
};
use crate::dtmf::Digit;
use crate::store::{
    Begun, Idempotency, NewChallenge, Recorded, Replay, StoreError, Unfinished, Vault,
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
    request: Option<Request>,
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
            challenge,
            entry,
            request,
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
    let life = new.challenge.life();
    connection
        .prepare_cached(
            "INSERT INTO challenge (id, tenant, subject, purpose, channel, number, number_hash,
                 masked, locale, created, expires, status, reason, ended, seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
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
    // Compare and set: what has ended stays as it ended.
    let changed = connection
        .prepare_cached(
            "UPDATE challenge SET status = ?2, reason = ?3, ended = ?4, seq = ?5
             WHERE id = ?1 AND ended IS NULL",
        )?
        .execute(params![
            id.as_bytes(),
            life.state().status().name(),
            life.state().reason().map(Reason::name),
            life.ended().map(Timestamp::as_millisecond),
            life.seq(),
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

fn insert_entry(connection: &Connection, challenge: Uuid, entry: &Entry) -> Result<()> {
    let (what, key) = match entry.what {
        What::Stage(stage) => (State::Open(stage).status().name(), None),
        What::Key(key) => ("key", Some(key)),
        What::Ended(reason) => (reason.name(), None),
    };
    let mut digit = [0; 4];
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO entry (challenge, seq, at, what, digit, source, counted)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            challenge.as_bytes(),
            entry.seq,
            entry.at.as_millisecond(),
            what,
            key.map(|key| &*key.digit.as_char().encode_utf8(&mut digit)),
            key.map(|key| source_name(key.source)),
            key.map(|key| key.counted),
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

fn by_id(connection: &Connection, id: Uuid) -> Result<Option<Challenge>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM challenge WHERE id = ?1"))?
        .query_row([id.as_bytes()], |row| Ok(challenge(row)))
        .optional()?
        .transpose()
}

pub(super) fn log(connection: &Connection, id: Uuid, after: u32) -> Result<Vec<Entry>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, at, what, digit, source, counted FROM entry
         WHERE challenge = ?1 AND seq > ?2 ORDER BY seq",
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

/// Ends some of what is open; whether there was any tells if there may be more.
pub(super) fn end_unfinished(connection: &Connection, now: Timestamp) -> Result<Unfinished> {
    let mut open = Vec::new();
    {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM challenge WHERE ended IS NULL LIMIT {AT_ONCE}"
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            open.push(challenge(row)?);
        }
    }
    let mut ended = Unfinished::default();
    for mut challenge in open {
        let Step::Noted(entry) = challenge.apply(Event::Interrupt, now) else {
            return Err(StoreError::Damaged("an open challenge that cannot end"));
        };
        record(connection, &challenge, &[entry])?;
        match challenge.state() {
            State::Ended(Reason::TimedOut) => ended.expired += 1,
            _ => ended.interrupted += 1,
        }
    }
    Ok(ended)
}

const COLUMNS: &str = "id, tenant, subject, purpose, channel, masked, locale, created, expires, \
                       status, reason, ended, seq";

fn challenge(row: &Row<'_>) -> Result<Challenge> {
    let reason: Option<String> = row.get(10)?;
    let state = match reason {
        Some(reason) => State::Ended(
            Reason::from_name(&reason).ok_or(StoreError::Damaged("an unknown reason"))?,
        ),
        None => State::Open(stage(&row.get::<_, String>(9)?)?),
    };
    let ended = row.get::<_, Option<i64>>(11)?.map(time).transpose()?;
    let life = Life::restore(state, ended, row.get(12)?)
        .ok_or(StoreError::Damaged("an end without a time"))?;
    let details = Details {
        id: Uuid::from_bytes(row.get(0)?),
        tenant: Tenant::new(&row.get::<_, String>(1)?)
            .map_err(|_| StoreError::Damaged("a tenant's name"))?,
        subject: row
            .get::<_, Option<String>>(2)?
            .map(|name| Subject::new(&name))
            .transpose()
            .map_err(|_| StoreError::Damaged("a subject's length"))?,
        purpose: Purpose::from_name(&row.get::<_, String>(3)?)
            .ok_or(StoreError::Damaged("an unknown purpose"))?,
        channel: Channel::from_name(&row.get::<_, String>(4)?)
            .ok_or(StoreError::Damaged("an unknown channel"))?,
        to: row.get::<_, Option<Arc<str>>>(5)?,
        locale: row.get(6)?,
        created: time(row.get(7)?)?,
        expires: time(row.get(8)?)?,
    };
    Ok(Challenge::restore(details, life))
}

fn entry(row: &Row<'_>) -> Result<Entry> {
    let what: String = row.get(2)?;
    let what = if what == "key" {
        let digit: String = row.get(3)?;
        let source: String = row.get(4)?;
        let digit = digit.chars().next().and_then(Digit::from_char);
        What::Key(Key {
            digit: digit.ok_or(StoreError::Damaged("an unknown key"))?,
            source: source_from_name(&source).ok_or(StoreError::Damaged("a key's source"))?,
            counted: row.get(5)?,
        })
    } else if let Some(reason) = Reason::from_name(&what) {
        What::Ended(reason)
    } else {
        What::Stage(stage(&what)?)
    };
    Ok(Entry {
        seq: row.get(0)?,
        at: time(row.get(1)?)?,
        what,
    })
}

fn stage(name: &str) -> Result<Stage> {
    Stage::ALL
        .into_iter()
        .find(|stage| State::Open(*stage).status().name() == name)
        .ok_or(StoreError::Damaged("an unknown stage"))
}

const fn source_name(source: KeySource) -> &'static str {
    match source {
        KeySource::Rfc4733 => "rfc4733",
        KeySource::SipInfo => "sip_info",
        KeySource::InBand => "in_band",
    }
}

fn source_from_name(name: &str) -> Option<KeySource> {
    [KeySource::Rfc4733, KeySource::SipInfo, KeySource::InBand]
        .into_iter()
        .find(|source| source_name(*source) == name)
}

pub(super) fn time(milliseconds: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds).map_err(|_| StoreError::Damaged("a time"))
}

/// Milliseconds of a time that lies a duration after another.
fn later(from: Timestamp, by: Duration) -> i64 {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    from.as_millisecond().saturating_add(by)
}
