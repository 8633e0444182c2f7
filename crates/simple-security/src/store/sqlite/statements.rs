//! The SQL of the store, each statement once.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use super::super::{KeyChange, UsageBatch};
use super::change_log::{self, prune};
use crate::key::KeyDigest;
use crate::page::PageRequest;
use crate::record::{KeyEdit, KeyId, KeyName, KeyRecord, KeyState, StoredKey, Timestamp, Usage};

/// How long the number of a batch is remembered, in seconds: far longer than any retry.
const KEPT_BATCHES: i64 = 86_400;

/// The columns of a record, for statements that are written once and for all: a look-up has no time
/// to put one together.
macro_rules! columns {
    () => {
        "k.id, k.name, k.created_at, k.expires_at, k.never_expires, k.revoked_at"
    };
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    digest: KeyDigest,
    record: &KeyRecord,
) -> rusqlite::Result<()> {
    let before = change_log::end(transaction)?;
    transaction
        .prepare_cached(
            "INSERT INTO api_keys (id, digest, name, created_at, expires_at, never_expires, revoked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            record.id.as_str(),
            digest.as_bytes(),
            record.name.as_str(),
            record.created_at.seconds(),
            record.expires_at.seconds(),
            record.never_expires,
            record.revoked_at.map(Timestamp::seconds),
        ))?;
    change_log::require(transaction, before, 1)?;
    prune(transaction)
}

/// Adds the usage of a key that has none yet.
pub(super) fn insert_usage(
    transaction: &Transaction<'_>,
    id: KeyId,
    usage: Usage,
) -> rusqlite::Result<()> {
    let total = i64::try_from(usage.total).unwrap_or(i64::MAX);
    transaction
        .prepare_cached("INSERT INTO key_usage (id, total, last_used_at) VALUES (?1, ?2, ?3)")?
        .execute((id.as_str(), total, usage.last_used_at.map(Timestamp::seconds)))
        .map(drop)
}

/// Changes single fields. Returns the digest and the record from before.
///
/// Every change names its row in an `UPDATE`, also where nothing becomes another: the triggers log
/// it then, and other processes forget what they have cached of the key.
pub(super) fn change(
    transaction: &Transaction<'_>,
    id: KeyId,
    change: KeyChange,
) -> rusqlite::Result<Option<(KeyDigest, KeyRecord)>> {
    let Some((digest, record)) = stored_by_id(transaction, id)? else { return Ok(None) };
    let before = change_log::end(transaction)?;
    match change {
        KeyChange::Revoke { at } => transaction
            .prepare_cached(
                "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1",
            )?
            .execute((id.as_str(), at.seconds()))?,
        KeyChange::Renew { expires_at, never_expires } => transaction
            .prepare_cached(
                "UPDATE api_keys SET expires_at = ?2, never_expires = coalesce(?3, never_expires),
                     revoked_at = NULL
                 WHERE id = ?1",
            )?
            .execute((id.as_str(), expires_at.seconds(), never_expires))?,
        KeyChange::Edit(KeyEdit { name, expires_at, never_expires }) => transaction
            .prepare_cached(
                "UPDATE api_keys SET name = coalesce(?2, name),
                     expires_at = coalesce(?3, expires_at),
                     never_expires = coalesce(?4, never_expires)
                 WHERE id = ?1",
            )?
            .execute((
                id.as_str(),
                name.as_ref().map(KeyName::as_str),
                expires_at.map(Timestamp::seconds),
                never_expires,
            ))?,
    };
    change_log::require(transaction, before, 1)?;
    prune(transaction)?;
    Ok(Some((digest, record)))
}

/// Removes a key. Its usage goes with it, by the foreign key.
pub(super) fn delete(
    transaction: &Transaction<'_>,
    id: KeyId,
) -> rusqlite::Result<Option<KeyDigest>> {
    let Some((digest, _)) = stored_by_id(transaction, id)? else { return Ok(None) };
    let before = change_log::end(transaction)?;
    transaction.prepare_cached("DELETE FROM api_keys WHERE id = ?1")?.execute([id.as_str()])?;
    change_log::require(transaction, before, 1)?;
    prune(transaction)?;
    Ok(Some(digest))
}

pub(super) fn record_by_digest(
    connection: &Connection,
    digest: KeyDigest,
) -> rusqlite::Result<Option<KeyRecord>> {
    connection
        .prepare_cached(concat!("SELECT ", columns!(), " FROM api_keys AS k WHERE digest = ?1"))?
        .query_row([digest.as_bytes()], record)
        .optional()
}

/// One page, by the index on `created_at` and `id`.
pub(super) fn page(
    connection: &Connection,
    request: &PageRequest,
    now: Timestamp,
) -> rusqlite::Result<Vec<StoredKey>> {
    let (created_at, id) = match &request.after {
        Some(cursor) => (cursor.created_at.seconds(), cursor.id.as_str()),
        // Before all that there is.
        None => (i64::MAX, ""),
    };
    connection
        .prepare_cached(PAGE)?
        .query_map(
            (
                created_at,
                id,
                &request.filter.name,
                request.filter.state.map(KeyState::as_str),
                now.seconds(),
                request.limit,
            ),
            |row| {
                let digest = KeyDigest::from_bytes(row.get(8)?);
                Ok(StoredKey { digest, record: record(row)?, usage: usage_columns(row, 6)? })
            },
        )?
        .collect()
}

const PAGE: &str = concat!(
    "SELECT ",
    columns!(),
    ", coalesce(u.total, 0), u.last_used_at, k.digest
     FROM api_keys AS k LEFT JOIN key_usage AS u USING (id)
     WHERE (k.created_at, k.id) < (?1, ?2)
         AND (?3 IS NULL OR instr(k.name, ?3) > 0)
         AND (?4 IS NULL OR ?4 = CASE
             WHEN k.revoked_at IS NOT NULL THEN 'revoked'
             WHEN k.never_expires = 0 AND k.expires_at <= ?5 THEN 'expired'
             ELSE 'active' END)
     ORDER BY k.created_at DESC, k.id DESC LIMIT ?6"
);

pub(super) fn list(connection: &Connection) -> rusqlite::Result<Vec<(KeyRecord, Usage)>> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            columns!(),
            ", coalesce(u.total, 0), u.last_used_at
             FROM api_keys AS k LEFT JOIN key_usage AS u USING (id)
             ORDER BY u.last_used_at DESC NULLS LAST, k.created_at, k.id"
        ))?
        .query_map([], |row| Ok((record(row)?, usage_columns(row, 6)?)))?
        .collect()
}

pub(super) fn usage(connection: &Connection, id: KeyId) -> rusqlite::Result<Option<Usage>> {
    connection
        .prepare_cached(
            "SELECT coalesce(u.total, 0), u.last_used_at
             FROM api_keys AS k LEFT JOIN key_usage AS u USING (id) WHERE k.id = ?1",
        )?
        .query_row([id.as_str()], |row| usage_columns(row, 0))
        .optional()
}

pub(super) fn lease(connection: &Connection) -> rusqlite::Result<Duration> {
    let lease: i64 = connection
        .prepare_cached("SELECT value FROM settings WHERE name = 'lease_microseconds'")?
        .query_row([], |row| row.get(0))?;
    Ok(Duration::from_micros(lease.try_into().unwrap_or(0)))
}

pub(super) fn set_admin_secret(
    transaction: &Transaction<'_>,
    digest: KeyDigest,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO settings (name, value) VALUES ('admin_secret_digest', ?1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute([digest.as_bytes()])
        .map(drop)
}

pub(super) fn admin_secret(transaction: &Transaction<'_>) -> rusqlite::Result<KeyDigest> {
    transaction.query_row(
        "SELECT value FROM settings WHERE name = 'admin_secret_digest'",
        [],
        |row| row.get(0).map(KeyDigest::from_bytes),
    )
}

pub(super) fn record_by_id(
    connection: &Connection,
    id: KeyId,
) -> rusqlite::Result<Option<KeyRecord>> {
    connection
        .prepare_cached(concat!("SELECT ", columns!(), " FROM api_keys AS k WHERE id = ?1"))?
        .query_row([id.as_str()], record)
        .optional()
}

/// The digest and the record of a key.
fn stored_by_id(
    connection: &Connection,
    id: KeyId,
) -> rusqlite::Result<Option<(KeyDigest, KeyRecord)>> {
    connection
        .prepare_cached(concat!(
            "SELECT ",
            columns!(),
            ", k.digest FROM api_keys AS k WHERE id = ?1"
        ))?
        .query_row([id.as_str()], |row| Ok((KeyDigest::from_bytes(row.get(6)?), record(row)?)))
        .optional()
}

/// A record of the columns `columns!`.
fn record(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    let time = |index| row.get(index).map(Timestamp::from_seconds);
    Ok(KeyRecord {
        id: row.get_ref(0)?.as_str()?.parse().map_err(|error: crate::InvalidKeyId| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
        })?,
        name: KeyName::repaired(row.get_ref(1)?.as_str()?),
        created_at: time(2)?,
        expires_at: time(3)?,
        never_expires: row.get(4)?,
        revoked_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_seconds),
    })
}

/// Usage of the columns `total` at `first` and `last_used_at` after it.
fn usage_columns(row: &Row<'_>, first: usize) -> rusqlite::Result<Usage> {
    Ok(Usage {
        total: row.get::<_, i64>(first)?.try_into().unwrap_or(0),
        last_used_at: row.get::<_, Option<i64>>(first + 1)?.map(Timestamp::from_seconds),
    })
}

pub(super) fn add_usage(transaction: &Transaction<'_>, batch: &UsageBatch) -> rusqlite::Result<()> {
    let written: Option<i64> = transaction
        .prepare_cached("SELECT number FROM usage_batches WHERE writer = ?1")?
        .query_row([&batch.writer], |row| row.get(0))
        .optional()?;
    if written.is_some_and(|written| written >= batch.number as i64) {
        return Ok(());
    }
    transaction
        .prepare_cached(
            "INSERT INTO usage_batches (writer, number, made_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (writer) DO UPDATE SET number = excluded.number, made_at = excluded.made_at",
        )?
        .execute((&batch.writer, batch.number as i64, batch.made_at.seconds()))?;
    transaction
        .prepare_cached("DELETE FROM usage_batches WHERE made_at < ?1")?
        .execute([batch.made_at.seconds() - KEPT_BATCHES])?;
    let mut add = transaction.prepare_cached(
        "INSERT INTO key_usage (id, total, last_used_at)
         SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM api_keys WHERE id = ?1)
         ON CONFLICT (id) DO UPDATE SET
             -- Not beyond what an integer holds: the sum would not be one.
             total = CASE WHEN total > 9223372036854775807 - excluded.total
                 THEN 9223372036854775807 ELSE total + excluded.total END,
             last_used_at = max(coalesce(last_used_at, excluded.last_used_at), excluded.last_used_at)",
    )?;
    for (id, count, last_used_at) in &batch.counts {
        add.execute((id.as_str(), *count as i64, last_used_at.seconds()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_in_the_order_of_the_index() {
        let connection = Connection::open_in_memory().expect("a database");
        super::super::open::migrate(&connection, 0).expect("the schema");
        let steps: Vec<String> = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {PAGE}"))
            .and_then(|mut plan| {
                let first = (5, "0123456789a", "shop", "active", 5, 10);
                plan.query_map(first, |row| row.get(3))?.collect()
            })
            .expect("a plan");
        assert!(steps[0].contains("USING INDEX api_keys_by_age"), "{steps:?}");
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:?}");
    }
}
