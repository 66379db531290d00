//! Receipts that are awaited, in SQL.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::challenges;
use super::rows::time;
use crate::challenge::{State, TextNews};
use crate::store::{AwaitedReceipts, CarrierReceipt, Joined, ReceiptWord, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

pub(super) fn keep(connection: &Connection, awaited: &AwaitedReceipts) -> Result<()> {
    // A carrier that names a message as it named an earlier one means the later. The carrier could
    // find a number by it that was erased before the message was named.
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO awaited_receipt
             (account, name, challenge, sending, messages, left, forgotten)
         SELECT ?1, ?2, id, ?4, ?5, ?6, ?7 FROM challenge WHERE id = ?3 AND number IS NOT NULL",
    )?;
    for name in &awaited.names {
        statement.execute(params![
            &*awaited.account,
            name,
            awaited.challenge.as_bytes(),
            awaited.sending,
            awaited.messages,
            awaited.left.as_millisecond(),
            awaited.until.as_millisecond(),
        ])?;
    }
    Ok(())
}

/// Takes in a receipt: notes it with its message and, where the challenge has ended, with what is
/// known of its text. What is open is its engine's to change.
pub(super) fn take(
    connection: &Connection,
    receipt: &CarrierReceipt,
    now: Timestamp,
) -> Result<Option<Joined>> {
    let found = connection
        .prepare_cached(
            "SELECT challenge, sending, messages, left FROM awaited_receipt
             WHERE account = ?1 AND name = ?2 AND forgotten > ?3",
        )?
        .query_row(
            params![&*receipt.account, receipt.name, now.as_millisecond()],
            |row| {
                let challenge = Uuid::from_bytes(row.get(0)?);
                let (sending, messages) = (row.get::<_, u8>(1)?, row.get::<_, u8>(2)?);
                Ok((challenge, sending, messages, row.get::<_, i64>(3)?))
            },
        )
        .optional()?;
    let Some((challenge, sending, messages, left)) = found else {
        return Ok(None);
    };
    // What was once on the phone stays so.
    connection
        .prepare_cached(
            "UPDATE awaited_receipt SET fate = ?3
             WHERE account = ?1 AND name = ?2 AND fate IS NOT 'delivered'",
        )?
        .execute(params![
            &*receipt.account,
            receipt.name,
            receipt.word.name()
        ])?;
    let took = now.duration_since(time(left)?).as_millis();
    let took_ms = u64::try_from(took).unwrap_or(0);
    let news = match receipt.word {
        ReceiptWord::Accepted => Some(TextNews::Accepted { took_ms }),
        ReceiptWord::Unknown => Some(TextNews::Unknown { took_ms }),
        ReceiptWord::Undeliverable(error) => Some(TextNews::Undeliverable { took_ms, error }),
        // Whole with the last of its messages.
        ReceiptWord::Delivered => (delivered(connection, challenge, sending)?
            >= i64::from(messages))
        .then_some(TextNews::Delivered { took_ms }),
    };
    if let Some(news) = news {
        hear_late(connection, challenge, sending, news, now)?;
    }
    Ok(Some(Joined {
        challenge,
        sending,
        news,
    }))
}

fn delivered(connection: &Connection, challenge: Uuid, sending: u8) -> Result<i64> {
    let count = connection
        .prepare_cached(
            "SELECT count(*) FROM awaited_receipt
             WHERE challenge = ?1 AND sending = ?2 AND fate = 'delivered'",
        )?
        .query_row(params![challenge.as_bytes(), sending], |row| row.get(0))?;
    Ok(count)
}

fn hear_late(
    connection: &Connection,
    id: Uuid,
    sending: u8,
    news: TextNews,
    now: Timestamp,
) -> Result<()> {
    let Some(mut challenge) = challenges::by_id(connection, id)? else {
        return Ok(());
    };
    if matches!(challenge.state(), State::Ended(_)) && challenge.hear_late(sending, news, now) {
        challenges::write_text(connection, &challenge)?;
    }
    Ok(())
}
