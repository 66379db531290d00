//! Rows of the database, and what they are in the domain's words.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use crate::answer::AnsweredBy;
use crate::challenge::{
    Attempts, CarrierWord, Challenge, Channel, Details, Entry, KeptLife, Key, KeySource, Life,
    Purpose, Reason, Stage, State, Subject, Tenant, Text, TextNews, TextState, Unsent, What,
};
use crate::dtmf::Digit;
use crate::store::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

/// What [`challenge`] reads.
pub(super) const COLUMNS: &str = "id, tenant, subject, purpose, channel, masked, locale, created, \
    expires, status, reason, ended, seq, attempts, wrong, text_sending, text_state, text_sent, \
    text_delivered, text_took, text_error, text_messages, answered_by";

/// A row of [`COLUMNS`].
pub(super) fn challenge(row: &Row<'_>) -> Result<Challenge> {
    let details = Details {
        id: Uuid::from_bytes(row.get("id")?),
        tenant: Tenant::new(&row.get::<_, String>("tenant")?)
            .map_err(|_| StoreError::Damaged("a tenant's name"))?,
        subject: row
            .get::<_, Option<String>>("subject")?
            .map(|name| Subject::new(&name))
            .transpose()
            .map_err(|_| StoreError::Damaged("a subject's length"))?,
        purpose: Purpose::from_name(&row.get::<_, String>("purpose")?)
            .ok_or(StoreError::Damaged("an unknown purpose"))?,
        channel: Channel::from_name(&row.get::<_, String>("channel")?)
            .ok_or(StoreError::Damaged("an unknown channel"))?,
        to: row.get::<_, Option<Arc<str>>>("masked")?,
        locale: row.get("locale")?,
        created: time(row.get("created")?)?,
        expires: time(row.get("expires")?)?,
        attempts: Attempts::new(row.get::<_, u8>("attempts")?.into())
            .ok_or(StoreError::Damaged("a number of attempts"))?,
    };
    let reason: Option<String> = row.get("reason")?;
    let state = match reason {
        Some(reason) => State::Ended(
            Reason::from_name(&reason).ok_or(StoreError::Damaged("an unknown reason"))?,
        ),
        None => State::Open(stage(&row.get::<_, String>("status")?)?),
    };
    let kept = KeptLife {
        state,
        ended: row.get::<_, Option<i64>>("ended")?.map(time).transpose()?,
        seq: row.get("seq")?,
        wrong: row.get("wrong")?,
        text: text(row)?,
        answered_by: answered_by(row.get("answered_by")?)?,
    };
    let life = Life::restore(kept, &details).ok_or(StoreError::Damaged("a life that cannot be"))?;
    Ok(Challenge::restore(details, life))
}

fn answered_by(name: Option<String>) -> Result<Option<AnsweredBy>> {
    name.map(|name| AnsweredBy::from_name(&name).ok_or(StoreError::Damaged("who answered")))
        .transpose()
}

fn text(row: &Row<'_>) -> Result<Option<Text>> {
    let Some(sending) = row.get("text_sending")? else {
        return Ok(None);
    };
    let state: String = row.get("text_state")?;
    let at = |name| -> Result<Option<Timestamp>> {
        row.get::<_, Option<i64>>(name)?.map(time).transpose()
    };
    Ok(Some(Text {
        sending,
        state: TextState::from_name(&state).ok_or(StoreError::Damaged("a text's state"))?,
        sent: at("text_sent")?,
        delivered: at("text_delivered")?,
        took_ms: row
            .get::<_, Option<i64>>("text_took")?
            .map(i64::unsigned_abs),
        error: word(row.get("text_error")?),
        messages: row.get("text_messages")?,
    }))
}

fn word(text: Option<String>) -> Option<CarrierWord> {
    text.as_deref().and_then(CarrierWord::new)
}

/// What a line of the log is in columns; those that do not apply are `NULL`.
#[derive(Default)]
struct Columns<'a> {
    what: &'static str,
    key: Option<Key>,
    sending: Option<u8>,
    messages: Option<u8>,
    took: Option<i64>,
    error: Option<&'a str>,
    unsent: Option<&'static str>,
    attempts_left: Option<u8>,
    answered_by: Option<&'static str>,
}

fn columns(what: &What) -> Columns<'_> {
    let none = Columns::default();
    match what {
        What::Stage(stage) => Columns {
            what: State::Open(*stage).status().name(),
            ..none
        },
        What::Ended(reason) => Columns {
            what: reason.name(),
            ..none
        },
        What::Key(key) => Columns {
            what: "key",
            key: Some(*key),
            ..none
        },
        What::AnsweredBy(by) => Columns {
            what: "answered_by",
            answered_by: Some(by.name()),
            ..none
        },
        What::Resent { sending } => Columns {
            what: "resent",
            sending: Some(*sending),
            ..none
        },
        What::WrongCode { left } => Columns {
            what: "wrong_code",
            attempts_left: Some(*left),
            ..none
        },
        What::Text { sending, news } => {
            let none = Columns {
                sending: Some(*sending),
                ..none
            };
            match news {
                TextNews::Sent { messages } => Columns {
                    what: "text_sent",
                    messages: Some(*messages),
                    ..none
                },
                TextNews::Unsure => Columns {
                    what: "text_unsure",
                    ..none
                },
                TextNews::Accepted { took_ms } => Columns {
                    what: "text_accepted",
                    took: Some(milliseconds(*took_ms)),
                    ..none
                },
                TextNews::Unknown { took_ms } => Columns {
                    what: "text_unknown",
                    took: Some(milliseconds(*took_ms)),
                    ..none
                },
                TextNews::Delivered { took_ms } => Columns {
                    what: "text_delivered",
                    took: Some(milliseconds(*took_ms)),
                    ..none
                },
                TextNews::Undeliverable { took_ms, error } => Columns {
                    what: "text_undeliverable",
                    took: Some(milliseconds(*took_ms)),
                    error: error.as_ref().map(CarrierWord::as_str),
                    ..none
                },
                TextNews::Failed { why, error } => Columns {
                    what: "text_failed",
                    unsent: Some(unsent_name(*why)),
                    error: error.as_ref().map(CarrierWord::as_str),
                    ..none
                },
            }
        }
    }
}

/// Writes a line of a challenge's log, over one of the same number that was not durable.
pub(super) fn insert_entry(connection: &Connection, challenge: Uuid, entry: &Entry) -> Result<()> {
    let Columns {
        what,
        key,
        sending,
        messages,
        took,
        error,
        unsent,
        attempts_left,
        answered_by,
    } = columns(&entry.what);
    let mut digit = [0; 4];
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO entry (challenge, seq, at, what, digit, source, counted,
                 sending, messages, took, error, unsent, attempts_left, answered_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            challenge.as_bytes(),
            entry.seq,
            entry.at.as_millisecond(),
            what,
            key.map(|key| &*key.digit.as_char().encode_utf8(&mut digit)),
            key.map(|key| source_name(key.source)),
            key.map(|key| key.counted),
            sending,
            messages,
            took,
            error,
            unsent,
            attempts_left,
            answered_by,
        ])?;
    Ok(())
}

/// A row of the log: seq, at and what, and the columns of [`insert_entry`] by name.
pub(super) fn entry(row: &Row<'_>) -> Result<Entry> {
    let what: String = row.get("what")?;
    let what = match &*what {
        "key" => {
            let digit: String = row.get("digit")?;
            let source: String = row.get("source")?;
            let digit = digit.chars().next().and_then(Digit::from_char);
            What::Key(Key {
                digit: digit.ok_or(StoreError::Damaged("an unknown key"))?,
                source: source_from_name(&source).ok_or(StoreError::Damaged("a key's source"))?,
                counted: row.get("counted")?,
            })
        }
        "answered_by" => What::AnsweredBy(
            answered_by(row.get("answered_by")?)?.ok_or(StoreError::Damaged("who answered"))?,
        ),
        "resent" => What::Resent {
            sending: row.get("sending")?,
        },
        "wrong_code" => What::WrongCode {
            left: row.get("attempts_left")?,
        },
        other => match text_news(other, row)? {
            Some(news) => What::Text {
                sending: row.get("sending")?,
                news,
            },
            None => match Reason::from_name(other) {
                Some(reason) => What::Ended(reason),
                None => What::Stage(stage(other)?),
            },
        },
    };
    Ok(Entry {
        seq: row.get("seq")?,
        at: time(row.get("at")?)?,
        what,
    })
}

fn text_news(name: &str, row: &Row<'_>) -> Result<Option<TextNews>> {
    Ok(Some(match name {
        "text_sent" => TextNews::Sent {
            messages: row.get("messages")?,
        },
        "text_unsure" => TextNews::Unsure,
        "text_accepted" => TextNews::Accepted {
            took_ms: row.get::<_, i64>("took")?.unsigned_abs(),
        },
        "text_unknown" => TextNews::Unknown {
            took_ms: row.get::<_, i64>("took")?.unsigned_abs(),
        },
        "text_delivered" => TextNews::Delivered {
            took_ms: row.get::<_, i64>("took")?.unsigned_abs(),
        },
        "text_undeliverable" => TextNews::Undeliverable {
            took_ms: row.get::<_, i64>("took")?.unsigned_abs(),
            error: word(row.get("error")?),
        },
        "text_failed" => TextNews::Failed {
            why: unsent_from_name(&row.get::<_, String>("unsent")?)
                .ok_or(StoreError::Damaged("why a text was not sent"))?,
            error: word(row.get("error")?),
        },
        _ => return Ok(None),
    }))
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

const fn unsent_name(why: Unsent) -> &'static str {
    match why {
        Unsent::Unavailable => "unavailable",
        Unsent::Overloaded => "overloaded",
        Unsent::Rejected => "rejected",
        Unsent::NoSuchNumber => "no_such_number",
        Unsent::TooLong => "too_long",
    }
}

fn unsent_from_name(name: &str) -> Option<Unsent> {
    Unsent::ALL
        .into_iter()
        .find(|why| unsent_name(*why) == name)
}

/// A time, from milliseconds since 1970.
pub(super) fn time(milliseconds: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds).map_err(|_| StoreError::Damaged("a time"))
}

/// Milliseconds as a column holds them.
pub(super) fn milliseconds(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}
