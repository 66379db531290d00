//! The schema and its migrations, counted in SQLite's `user_version`.

use rusqlite::{Connection, TransactionBehavior};

use super::OpenError;

/// `RTru`: tells our databases from others', and `file(1)` what they are.
const APPLICATION_ID: i32 = 0x5254_7275;

/// Each step takes a database from the version of its index to the next, in one transaction. A
/// step that was released is never edited: a change is a new step.
const STEPS: [&str; 3] = [
    // `number` is the only clue to a phone number that this program can undo, and only with its
    // key; `number_hash` finds a number's challenges. Both are gone once purged; `masked` stays
    // until the number is erased.
    "CREATE TABLE meta (
         name TEXT PRIMARY KEY,
         value BLOB NOT NULL
     ) STRICT, WITHOUT ROWID;

     CREATE TABLE challenge (
         id BLOB PRIMARY KEY,
         tenant TEXT NOT NULL,
         subject TEXT,
         purpose TEXT NOT NULL,
         channel TEXT NOT NULL,
         number BLOB,
         number_hash BLOB,
         masked TEXT,
         locale TEXT NOT NULL,
         created INTEGER NOT NULL,
         expires INTEGER NOT NULL,
         status TEXT NOT NULL,
         reason TEXT,
         ended INTEGER,
         seq INTEGER NOT NULL,
         CHECK ((reason IS NULL) = (ended IS NULL))
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX challenge_open ON challenge (id) WHERE ended IS NULL;
     CREATE INDEX challenge_numbered ON challenge (id) WHERE number IS NOT NULL;
     CREATE INDEX challenge_by_number ON challenge (number_hash, id) WHERE number_hash IS NOT NULL;

     CREATE TABLE entry (
         challenge BLOB NOT NULL,
         seq INTEGER NOT NULL,
         at INTEGER NOT NULL,
         what TEXT NOT NULL,
         digit TEXT,
         source TEXT,
         counted INTEGER,
         PRIMARY KEY (challenge, seq)
     ) STRICT, WITHOUT ROWID;

     CREATE TABLE idempotency (
         key BLOB PRIMARY KEY,
         request BLOB NOT NULL,
         challenge BLOB NOT NULL,
         forgotten INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX idempotency_forgotten ON idempotency (forgotten);

     CREATE TABLE api_key (
         id BLOB PRIMARY KEY,
         name TEXT NOT NULL,
         tenant TEXT NOT NULL,
         hash BLOB NOT NULL,
         created INTEGER NOT NULL,
         revoked INTEGER
     ) STRICT, WITHOUT ROWID;",
    // Texts, and who answered a call. `code` is a keyed hash, dropped when the challenge ends. A block outlives the erasure
    // of its number by its keyed hash alone: forgotten, it would be no block.
    "ALTER TABLE challenge ADD COLUMN attempts INTEGER NOT NULL DEFAULT 5;
     ALTER TABLE challenge ADD COLUMN wrong INTEGER NOT NULL DEFAULT 0;
     ALTER TABLE challenge ADD COLUMN code BLOB;
     ALTER TABLE challenge ADD COLUMN text_sending INTEGER;
     ALTER TABLE challenge ADD COLUMN text_state TEXT;
     ALTER TABLE challenge ADD COLUMN text_sent INTEGER;
     ALTER TABLE challenge ADD COLUMN text_delivered INTEGER;
     ALTER TABLE challenge ADD COLUMN text_took INTEGER;
     ALTER TABLE challenge ADD COLUMN text_error TEXT;
     ALTER TABLE challenge ADD COLUMN text_messages INTEGER;
     ALTER TABLE challenge ADD COLUMN answered_by TEXT;

     ALTER TABLE entry ADD COLUMN sending INTEGER;
     ALTER TABLE entry ADD COLUMN messages INTEGER;
     ALTER TABLE entry ADD COLUMN took INTEGER;
     ALTER TABLE entry ADD COLUMN error TEXT;
     ALTER TABLE entry ADD COLUMN unsent TEXT;
     ALTER TABLE entry ADD COLUMN attempts_left INTEGER;
     ALTER TABLE entry ADD COLUMN answered_by TEXT;

     CREATE TABLE message (
         id BLOB PRIMARY KEY,
         at INTEGER NOT NULL,
         number BLOB,
         number_hash BLOB,
         sent_to TEXT NOT NULL,
         sent_by TEXT NOT NULL,
         words BLOB NOT NULL,
         wish TEXT
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX message_by_number ON message (number_hash, id) WHERE number_hash IS NOT NULL;

     CREATE TABLE block (
         number_hash BLOB PRIMARY KEY,
         masked TEXT,
         since INTEGER NOT NULL,
         blocked_by TEXT NOT NULL
     ) STRICT, WITHOUT ROWID;",
    // What joins a carrier's receipt to its text. The carrier could find the number by it, so it is
    // dropped with the number, and long before as a rule.
    "CREATE TABLE awaited_receipt (
         account TEXT NOT NULL,
         name TEXT NOT NULL,
         challenge BLOB NOT NULL,
         sending INTEGER NOT NULL,
         messages INTEGER NOT NULL,
         left INTEGER NOT NULL,
         forgotten INTEGER NOT NULL,
         fate TEXT,
         PRIMARY KEY (account, name)
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX awaited_receipt_of ON awaited_receipt (challenge, sending);
     CREATE INDEX awaited_receipt_forgotten ON awaited_receipt (forgotten);",
];

/// Brings a database to this program's schema.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = pragma("application_id")?;
    let version = pragma("user_version")?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != i64::from(APPLICATION_ID) && (application != 0 || version != 0 || tables != 0)
    {
        return Err(OpenError::NotOurs);
    }
    let known = STEPS.len();
    let done = usize::try_from(version).map_err(|_| OpenError::NotOurs)?;
    let Some(missing) = STEPS.get(done..) else {
        return Err(OpenError::Newer { found: done, known });
    };
    for step in missing {
        transaction.execute_batch(step)?;
    }
    if !missing.is_empty() {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", known as i64)?;
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Connection {
        Connection::open_in_memory().expect("opens")
    }

    #[test]
    fn an_empty_database_becomes_ours_and_stays_so() {
        let mut connection = memory();
        migrate(&mut connection).expect("migrates");
        migrate(&mut connection).expect("has nothing left to do");
        let version: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .expect("reads");
        assert_eq!(version, STEPS.len() as i64);
    }

    #[test]
    fn a_database_of_the_first_version_keeps_what_is_in_it() {
        let mut connection = memory();
        connection.execute_batch(STEPS[0]).expect("the first step");
        connection
            .execute_batch(
                "INSERT INTO challenge VALUES
                     (x'01', 'idp', NULL, 'sign_in', 'voice', NULL, NULL, NULL, 'en-GB',
                      1, 2, 'approved', 'key_pressed', 2, 2);
                 INSERT INTO entry VALUES (x'01', 1, 1, 'queued', NULL, NULL, NULL);
                 PRAGMA user_version = 1;",
            )
            .expect("fills");
        connection
            .pragma_update(None, "application_id", APPLICATION_ID)
            .expect("updates");
        migrate(&mut connection).expect("migrates");
        let kept: (i64, i64, Option<Vec<u8>>) = connection
            .query_row("SELECT attempts, wrong, code FROM challenge", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .expect("reads");
        assert_eq!(kept, (5, 0, None));
        let lines: i64 = connection
            .query_row("SELECT count(*) FROM entry", [], |row| row.get(0))
            .expect("counts");
        assert_eq!(lines, 1);
    }

    #[test]
    fn a_newer_or_a_foreign_database_is_left_alone() {
        let mut connection = memory();
        migrate(&mut connection).expect("migrates");
        connection
            .pragma_update(None, "user_version", STEPS.len() as i64 + 1)
            .expect("updates");
        let newer = migrate(&mut connection);
        assert!(matches!(newer, Err(OpenError::Newer { .. })), "{newer:?}");

        let mut foreign = memory();
        foreign
            .execute_batch("CREATE TABLE cats (name TEXT)")
            .expect("creates");
        let refused = migrate(&mut foreign);
        assert!(matches!(refused, Err(OpenError::NotOurs)), "{refused:?}");
        let tables: i64 = foreign
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .expect("counts");
        assert_eq!(tables, 1);
    }
}
