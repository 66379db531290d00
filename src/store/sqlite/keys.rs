//! API keys, in SQL.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::time;
use crate::challenge::Tenant;
use crate::store::{ApiKey, KeyId, StoreError};

type Result<T> = std::result::Result<T, StoreError>;

pub(super) fn add(connection: &Connection, key: &ApiKey) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO api_key (id, name, tenant, hash, created, revoked)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            key.id.0,
            key.name,
            key.tenant.as_str(),
            key.hash,
            key.created.as_millisecond(),
            key.revoked.map(Timestamp::as_millisecond),
        ])?;
    Ok(())
}

pub(super) fn find(connection: &Connection, id: KeyId) -> Result<Option<ApiKey>> {
    connection
        .prepare_cached(
            "SELECT id, name, tenant, hash, created, revoked FROM api_key WHERE id = ?1",
        )?
        .query_row([id.0], |row| Ok(key(row)))
        .optional()?
        .transpose()
}

pub(super) fn all(connection: &Connection) -> Result<Vec<ApiKey>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, name, tenant, hash, created, revoked FROM api_key ORDER BY created, id",
    )?;
    let mut rows = statement.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(key(row)?);
    }
    Ok(keys)
}

/// The first revocation counts; a second changes nothing.
pub(super) fn revoke(connection: &Connection, id: KeyId, now: Timestamp) -> Result<Option<ApiKey>> {
    connection
        .prepare_cached("UPDATE api_key SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL")?
        .execute(params![id.0, now.as_millisecond()])?;
    find(connection, id)
}

fn key(row: &Row<'_>) -> Result<ApiKey> {
    Ok(ApiKey {
        id: KeyId(row.get(0)?),
        name: row.get(1)?,
        tenant: Tenant::new(&row.get::<_, String>(2)?)
            .map_err(|_| StoreError::Damaged("a tenant's name"))?,
        hash: row.get(3)?,
        created: time(row.get(4)?)?,
        revoked: row.get::<_, Option<i64>>(5)?.map(time).transpose()?,
    })
}
