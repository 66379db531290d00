//! What is no longer kept: numbers on request, numbers and challenges by age.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::store::{Erased, Purged, Retention, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

/// Rows that one step of a purge touches: few enough that nobody waits long for the writer.
const STEP: i64 = 200;

/// Erases a phone's number, in every way to write it, from what has ended, with its messages; of a
/// block its keyed hash stays.
pub(super) fn erase(connection: &Connection, phone: &[[u8; 32]]) -> Result<Erased> {
    let mut all = Erased::default();
    for number_hash in phone {
        let erased = erase_number(connection, number_hash)?;
        all.challenges += erased.challenges;
        all.still_open += erased.still_open;
        all.messages += erased.messages;
    }
    Ok(all)
}

fn erase_number(connection: &Connection, number_hash: &[u8; 32]) -> Result<Erased> {
    connection
        .prepare_cached(
            "DELETE FROM awaited_receipt WHERE challenge IN
                 (SELECT id FROM challenge WHERE number_hash = ?1 AND ended IS NOT NULL)",
        )?
        .execute([number_hash])?;
    let challenges = connection
        .prepare_cached(
            "UPDATE challenge SET number = NULL, number_hash = NULL, masked = NULL
             WHERE number_hash = ?1 AND ended IS NOT NULL",
        )?
        .execute([number_hash])?;
    let still_open = connection
        .prepare_cached("SELECT count(*) FROM challenge WHERE number_hash = ?1")?
        .query_row([number_hash], |row| row.get::<_, i64>(0))?;
    let messages = connection
        .prepare_cached("DELETE FROM message WHERE number_hash = ?1")?
        .execute([number_hash])?;
    connection
        .prepare_cached("UPDATE block SET masked = NULL WHERE number_hash = ?1")?
        .execute([number_hash])?;
    Ok(Erased {
        challenges: challenges as u64,
        still_open: u64::try_from(still_open).unwrap_or(0),
        messages: messages as u64,
    })
}

/// One step of a purge; one that dropped nothing means that nothing is left to drop.
pub(super) fn purge(
    connection: &Connection,
    retention: &Retention,
    now: Timestamp,
) -> Result<Purged> {
    // Ids of version 7 begin with the millisecond they were made in (RFC 9562 5.7), so that the
    // oldest challenges are the first, and no index by time is needed.
    let numbers = connection
        .prepare_cached(
            "UPDATE challenge SET number = NULL, number_hash = NULL WHERE id IN
                 (SELECT id FROM challenge WHERE number IS NOT NULL AND id < ?1
                  AND ended IS NOT NULL ORDER BY id LIMIT ?2)",
        )?
        .execute(params![first_id(now, retention.numbers), STEP])?;
    let before = first_id(now, retention.challenges);
    connection
        .prepare_cached(
            "DELETE FROM entry WHERE challenge IN
                 (SELECT id FROM challenge WHERE id < ?1 AND ended IS NOT NULL ORDER BY id LIMIT ?2)",
        )?
        .execute(params![before, STEP])?;
    let challenges = connection
        .prepare_cached(
            "DELETE FROM challenge WHERE id IN
                 (SELECT id FROM challenge WHERE id < ?1 AND ended IS NOT NULL ORDER BY id LIMIT ?2)",
        )?
        .execute(params![before, STEP])?;
    let idempotency_keys = connection
        .prepare_cached(
            "DELETE FROM idempotency WHERE key IN
                 (SELECT key FROM idempotency WHERE forgotten <= ?1 LIMIT ?2)",
        )?
        .execute(params![now.as_millisecond(), STEP])?;
    let messages = connection
        .prepare_cached(
            "DELETE FROM message WHERE id IN
                 (SELECT id FROM message WHERE id < ?1 ORDER BY id LIMIT ?2)",
        )?
        .execute(params![first_id(now, retention.numbers), STEP])?;
    let receipts = connection
        .prepare_cached(
            "DELETE FROM awaited_receipt WHERE (account, name) IN
                 (SELECT account, name FROM awaited_receipt WHERE forgotten <= ?1 LIMIT ?2)",
        )?
        .execute(params![now.as_millisecond(), STEP])?;
    // However long receipts are awaited, they go with the number.
    let with_numbers = connection
        .prepare_cached(
            "DELETE FROM awaited_receipt WHERE (account, name) IN
                 (SELECT account, name FROM awaited_receipt WHERE challenge < ?1 LIMIT ?2)",
        )?
        .execute(params![first_id(now, retention.numbers), STEP])?;
    Ok(Purged {
        receipts: (receipts + with_numbers) as u64,
        numbers: numbers as u64,
        challenges: challenges as u64,
        idempotency_keys: idempotency_keys as u64,
        messages: messages as u64,
    })
}

/// Empties the write-ahead log, which still holds what was overwritten. If somebody is reading from
/// it just now, it is overwritten a little later by what follows.
pub(super) fn truncate_log(connection: &Connection) -> Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// The least id that a challenge begun this long ago could have.
fn first_id(now: Timestamp, ago: Duration) -> [u8; 16] {
    let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
    let then = now.as_millisecond().saturating_sub(ago).max(0);
    let mut id = [0; 16];
    if let (Some(time), Some(from)) = (id.get_mut(..6), then.to_be_bytes().get(2..)) {
        time.copy_from_slice(from);
    }
    id
}
