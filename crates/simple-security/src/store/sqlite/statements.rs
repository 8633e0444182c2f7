//! The SQL of the store, each statement once.

use std::sync::LazyLock;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Connection, OptionalExtension, Transaction, params_from_iter};

use super::change_log::{self, prune};
use super::errors::is_duplicate;
use super::rows;
use crate::key::{KeyDigest, KeyId};
use crate::page::PageRequest;
use crate::record::{
    KeyChange, KeyRecord, KeyState, Owner, Revocation, StoredKey, Timestamp, Usage,
};
use crate::store::{KeyImage, Operation, Outcome, StoreError, UsageBatch};

/// How long the number of a batch is remembered, in seconds: far longer than any retry.
const KEPT_BATCHES: i64 = 86_400;

// Put together once: a lookup has no time for it.
static INSERT: LazyLock<String> = LazyLock::new(|| {
    let values: Vec<_> = (1..=rows::KEY.len()).map(|number| format!("?{number}")).collect();
    format!("INSERT INTO api_keys ({}) VALUES ({})", rows::KEY.join(", "), values.join(", "))
});
static FIND_BY_ID: LazyLock<String> = LazyLock::new(|| find_by("id"));
static FIND_BY_DIGEST: LazyLock<String> = LazyLock::new(|| find_by("digest"));
static CHANGE: LazyLock<String> = LazyLock::new(|| {
    let edited: String = (1..)
        .zip(rows::EDITABLE)
        .map(|(number, name)| format!("{name} = coalesce(?{number}, {name}), "))
        .collect();
    let [clear, revoked_at, id] = [1, 2, 3].map(|after| rows::EDITABLE.len() + after);
    format!(
        "UPDATE api_keys SET {edited}
             revoked_at = CASE WHEN ?{clear} THEN NULL ELSE coalesce(revoked_at, ?{revoked_at}) END
         WHERE id = ?{id}"
    )
});
static PAGE: LazyLock<String> = LazyLock::new(|| page_where("(?7 IS NULL OR k.owner = ?7)"));
// Says that the owner is not empty: only then is the partial index used.
static PAGE_OF_OWNER: LazyLock<String> =
    LazyLock::new(|| page_where("k.owner = ?7 AND k.owner <> ''"));

fn page_where(owner: &str) -> String {
    format!(
        "SELECT {} FROM {}
         WHERE {owner} AND (k.created_at, k.id) < (?1, ?2)
             AND (?3 IS NULL OR instr(k.name, ?3) > 0)
             AND (?4 IS NULL OR ?4 = CASE
                 WHEN k.revoked_at IS NOT NULL THEN 'revoked'
                 WHEN k.never_expires = 0 AND k.expires_at <= ?5 THEN 'expired'
                 ELSE 'active' END)
         ORDER BY k.created_at DESC, k.id DESC LIMIT ?6",
        rows::key_and_usage_columns(),
        rows::KEYS_WITH_USAGE
    )
}

static LIST: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM {} ORDER BY u.last_used_at DESC NULLS LAST, k.created_at, k.id",
        rows::key_and_usage_columns(),
        rows::KEYS_WITH_USAGE
    )
});
static USAGE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM {} WHERE k.id = ?1",
        rows::key_and_usage_columns(),
        rows::KEYS_WITH_USAGE
    )
});

fn find_by(column: &str) -> String {
    format!("SELECT {} FROM api_keys AS k WHERE k.{column} = ?1", rows::key_columns())
}

/// Makes all operations, or none when the caller rolls back after an error.
pub(super) fn commit(
    transaction: &Transaction<'_>,
    operations: &[Operation],
) -> rusqlite::Result<Vec<Outcome>> {
    Operation::require_distinct(operations)?;
    let outcomes = (0..)
        .zip(operations)
        .map(|(position, operation)| make(transaction, position, operation))
        .collect::<Result<_, _>>()?;
    prune(transaction)?;
    Ok(outcomes)
}

fn make(
    transaction: &Transaction<'_>,
    position: u64,
    operation: &Operation,
) -> rusqlite::Result<Outcome> {
    let id = operation.id();
    let before = image(transaction, id)?;
    let log_end = change_log::end(transaction)?;
    match (operation, &before) {
        (Operation::Insert(_), Some(_)) => return Err(StoreError::Duplicate { position }.into()),
        (Operation::Insert(KeyImage { digest, record }), None) => {
            insert(transaction, *digest, record).map_err(|error| match is_duplicate(&error) {
                true => StoreError::Duplicate { position }.into(),
                false => error,
            })?;
        }
        (_, None) => return Err(StoreError::NotFound { position }.into()),
        (Operation::Change { change, .. }, Some(_)) => self::change(transaction, id, change)?,
        (Operation::Delete { .. }, Some(_)) => delete(transaction, id)?,
    }
    change_log::require(transaction, log_end, 1)?;
    let after = image(transaction, id)?;
    if !operation.is_done(after.as_ref()) {
        let place = transaction.path().unwrap_or_default().to_owned();
        return Err(StoreError::NotApplied { place }.into());
    }
    Ok(Outcome::new(before, after))
}

/// Adds a key.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    digest: KeyDigest,
    record: &KeyRecord,
) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(&INSERT)?
        .execute(params_from_iter(rows::encode(&digest, record)))
        .map(drop)
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

/// Changes single fields.
///
/// Every change names its row in an `UPDATE`, even where no value becomes another: the triggers log
/// it then, and other processes drop what they have cached of the key.
fn change(transaction: &Transaction<'_>, id: KeyId, change: &KeyChange) -> rusqlite::Result<()> {
    let (clear, revoked_at) = match change.revocation {
        Revocation::Keep => (false, None),
        Revocation::Set(at) => (false, Some(at.seconds())),
        Revocation::Clear => (true, None),
    };
    let null = ToSqlOutput::Owned(Value::Null);
    let rest = [clear.into(), revoked_at.map_or(null, ToSqlOutput::from), id.as_str().into()];
    let values = rows::encode_edit(&change.edit).into_iter().chain(rest);
    transaction.prepare_cached(&CHANGE)?.execute(params_from_iter(values)).map(drop)
}

/// Removes a key. Its usage goes with it, by the foreign key.
fn delete(transaction: &Transaction<'_>, id: KeyId) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("DELETE FROM api_keys WHERE id = ?1")?
        .execute([id.as_str()])
        .map(drop)
}

pub(super) fn record_by_digest(
    connection: &Connection,
    digest: KeyDigest,
) -> rusqlite::Result<Option<KeyRecord>> {
    connection
        .prepare_cached(&FIND_BY_DIGEST)?
        .query_row([digest.as_bytes()], rows::record)
        .optional()
}

pub(super) fn record_by_id(
    connection: &Connection,
    id: KeyId,
) -> rusqlite::Result<Option<KeyRecord>> {
    connection.prepare_cached(&FIND_BY_ID)?.query_row([id.as_str()], rows::record).optional()
}

/// A key as it is in this transaction.
fn image(transaction: &Transaction<'_>, id: KeyId) -> rusqlite::Result<Option<KeyImage>> {
    transaction
        .prepare_cached(&FIND_BY_ID)?
        .query_row([id.as_str()], |row| Ok(KeyImage::new(rows::digest(row)?, rows::record(row)?)))
        .optional()
}

/// One page, by the index on `created_at` and `id`, or by that of the owners.
pub(super) fn page(
    connection: &Connection,
    request: &PageRequest,
    now: Timestamp,
) -> rusqlite::Result<Vec<StoredKey>> {
    let (created_at, id) = match &request.after {
        Some(cursor) => (cursor.created_at.seconds(), cursor.id.as_str()),
        // Before all keys.
        None => (i64::MAX, ""),
    };
    let values = (
        created_at,
        id,
        &request.filter.name,
        request.filter.state.map(KeyState::as_str),
        now.seconds(),
        request.limit,
        request.filter.owner.as_ref().map(Owner::as_str),
    );
    let has_owner = request.filter.owner.as_ref().is_some_and(|owner| !owner.is_empty());
    connection
        .prepare_cached(if has_owner { &PAGE_OF_OWNER } else { &PAGE })?
        .query_map(values, rows::stored)?
        .collect()
}

pub(super) fn list(connection: &Connection) -> rusqlite::Result<Vec<(KeyRecord, Usage)>> {
    connection
        .prepare_cached(&LIST)?
        .query_map([], |row| Ok((rows::record(row)?, rows::usage(row)?)))?
        .collect()
}

pub(super) fn usage(connection: &Connection, id: KeyId) -> rusqlite::Result<Option<Usage>> {
    connection.prepare_cached(&USAGE)?.query_row([id.as_str()], rows::usage).optional()
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
        super::super::schema::migrate(&connection, 0).expect("the schema");
        let steps: Vec<String> = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {}", *PAGE))
            .and_then(|mut plan| plan.raw_query().mapped(|row| row.get(3)).collect())
            .expect("a plan");
        assert!(steps[0].contains("USING INDEX api_keys_by_age"), "{steps:?}");
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:?}");
    }

    #[test]
    fn the_page_of_an_owner_is_read_in_the_order_of_its_index() {
        let connection = Connection::open_in_memory().expect("a database");
        super::super::schema::migrate(&connection, 0).expect("the schema");
        let steps: Vec<String> = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {}", *PAGE_OF_OWNER))
            .and_then(|mut plan| {
                let first = (5, "0123456789a", "shop", "active", 5, 10, "acme");
                plan.query_map(first, |row| row.get(3))?.collect()
            })
            .expect("a plan");
        assert!(steps[0].contains("USING INDEX api_keys_by_owner (owner=? AND "), "{steps:?}");
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:?}");
    }
}
