//! The SQL of the store, each statement once.

use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row};

use super::super::{ChangeMark, KeyChange};
use super::database::{Database, about_the_store};
use super::query::Query;
use crate::key::KeyDigest;
use crate::page::PageRequest;
use crate::record::{KeyEdit, KeyId, KeyName, KeyRecord, KeyReference, KeyState, Timestamp};

const COLUMNS: &str = "k.id, k.name, k.created_at, k.expires_at, k.never_expires, k.revoked_at";

/// The first column after those of [`about_the_store`].
pub(super) const FIRST: usize = 2;
/// The first column after those of a record there.
pub(super) const AFTER_RECORD: usize = FIRST + 6;

/// Adds a key. Returns a row even if another trigger suppresses the write: the log lacks it then.
pub(super) fn insert(digest: KeyDigest, record: &KeyRecord) -> Query {
    Query::new(
        "WITH added AS (
             INSERT INTO simple_security.api_keys
                 (id, digest, name, created_at, expires_at, never_expires, revoked_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
         )
         SELECT true",
    )
    .with(record.id.as_str().to_owned(), Type::TEXT)
    .with(digest.as_bytes().to_vec(), Type::BYTEA)
    .with(record.name.as_str().to_owned(), Type::TEXT)
    .with(record.created_at.seconds(), Type::INT8)
    .with(record.expires_at.seconds(), Type::INT8)
    .with(record.never_expires, Type::BOOL)
    .with(record.revoked_at.map(Timestamp::seconds), Type::INT8)
}

/// Changes single fields. Returns the record and the digest from before.
///
/// Every change updates its row, also where nothing becomes another: the trigger logs it then, and
/// other processes forget what they have cached of the key.
pub(super) fn change(id: KeyId, change: KeyChange) -> Query {
    let changing = |set: &str| {
        let text = format!(
            "WITH before AS MATERIALIZED (
                 SELECT {COLUMNS}, k.digest FROM simple_security.api_keys AS k
                 WHERE k.id = $1 FOR UPDATE
             ), changed AS (
                 UPDATE simple_security.api_keys AS k SET {set} FROM before WHERE k.id = before.id
             )
             SELECT {COLUMNS}, k.digest FROM before AS k"
        );
        Query::new(text).with(id.as_str().to_owned(), Type::TEXT)
    };
    match change {
        KeyChange::Revoke { at } => {
            changing("revoked_at = coalesce(k.revoked_at, $2)").with(at.seconds(), Type::INT8)
        }
        KeyChange::Renew { expires_at, never_expires } => changing(
            "expires_at = $2, never_expires = coalesce($3, k.never_expires), revoked_at = NULL",
        )
        .with(expires_at.seconds(), Type::INT8)
        .with(never_expires, Type::BOOL),
        KeyChange::Edit(KeyEdit { name, expires_at, never_expires }) => changing(
            "name = coalesce($2, k.name), expires_at = coalesce($3, k.expires_at),
                 never_expires = coalesce($4, k.never_expires)",
        )
        .with(name.as_ref().map(|name| name.as_str().to_owned()), Type::TEXT)
        .with(expires_at.map(Timestamp::seconds), Type::INT8)
        .with(never_expires, Type::BOOL),
    }
}

/// Removes a key, and returns its digest. Its usage goes with it, by the foreign key.
pub(super) fn delete(id: KeyId) -> Query {
    Query::new(
        "WITH before AS MATERIALIZED (
             SELECT k.id, k.digest FROM simple_security.api_keys AS k WHERE k.id = $1 FOR UPDATE
         ), deleted AS (
             DELETE FROM simple_security.api_keys AS k USING before WHERE k.id = before.id
         )
         SELECT digest FROM before",
    )
    .with(id.as_str().to_owned(), Type::TEXT)
}

/// A key, and whether the server has the row of the log that a reading has found last, or has
/// dropped it as too old.
pub(super) fn find(database: &Database, key: KeyReference) -> Query {
    let columns = format!(
        "{COLUMNS}, $3::bigint IS NULL
             OR EXISTS (SELECT FROM simple_security.key_changes WHERE position = $3 AND mark = $4)
             OR (SELECT min(position) FROM simple_security.key_changes) > $3"
    );
    let by = |column: &str| {
        let joined = format!("LEFT JOIN simple_security.api_keys AS k ON k.{column} = $2");
        database.question(about_the_store(&columns, &joined))
    };
    let newest = database.newest();
    let found = match key {
        KeyReference::Id(id) => by("id").with(id.as_str().to_owned(), Type::TEXT),
        KeyReference::Digest(digest) => by("digest").with(digest.as_bytes().to_vec(), Type::BYTEA),
    };
    found
        .with(newest.map(|newest| newest.position as i64), Type::INT8)
        .with(newest.map(|newest| newest.mark as i64), Type::INT8)
}

/// One page, by the index on `created_at` and `id`.
pub(super) fn page(database: &Database, request: &PageRequest, now: Timestamp) -> Query {
    let (created_at, id) = match &request.after {
        Some(cursor) => (cursor.created_at.seconds(), cursor.id.as_str()),
        // Before all that there is.
        None => (i64::MAX, ""),
    };
    database
        .question(page_query())
        .with(created_at, Type::INT8)
        .with(id.to_owned(), Type::TEXT)
        .with(request.filter.name.clone(), Type::TEXT)
        .with(request.filter.state.map(KeyState::as_str), Type::TEXT)
        .with(now.seconds(), Type::INT8)
        .with(i64::from(request.limit), Type::INT8)
}

fn page_query() -> String {
    let joined = format!(
        "LEFT JOIN LATERAL (
             SELECT {COLUMNS}, coalesce(u.total, 0) AS total, u.last_used_at, k.digest
             FROM simple_security.api_keys AS k
                 LEFT JOIN simple_security.key_usage AS u ON u.id = k.id
             WHERE (k.created_at, k.id) < ($2, $3)
                 AND ($4 IS NULL OR strpos(k.name, $4) > 0)
                 AND ($5 IS NULL OR $5 = CASE
                     WHEN k.revoked_at IS NOT NULL THEN 'revoked'
                     WHEN NOT k.never_expires AND k.expires_at <= $6 THEN 'expired'
                     ELSE 'active' END)
             ORDER BY k.created_at DESC, k.id DESC LIMIT $7
         ) AS k ON true
         ORDER BY k.created_at DESC, k.id DESC"
    );
    about_the_store(&format!("{COLUMNS}, k.total, k.last_used_at, k.digest"), &joined)
}

pub(super) fn list(database: &Database) -> Query {
    database.question(about_the_store(
        &format!("{COLUMNS}, coalesce(u.total, 0), u.last_used_at"),
        "LEFT JOIN simple_security.api_keys AS k ON true
         LEFT JOIN simple_security.key_usage AS u ON u.id = k.id
         ORDER BY u.last_used_at DESC NULLS LAST, k.created_at, k.id",
    ))
}

pub(super) fn usage(database: &Database, id: KeyId) -> Query {
    database
        .question(about_the_store(
            "k.id, coalesce(u.total, 0), u.last_used_at",
            "LEFT JOIN simple_security.api_keys AS k ON k.id = $2
             LEFT JOIN simple_security.key_usage AS u ON u.id = k.id",
        ))
        .with(id.as_str().to_owned(), Type::TEXT)
}

/// What the log has after a row, where it has that row; else its newest row. One statement, so
/// that both are of one state.
pub(super) fn changes(database: &Database, after: Option<ChangeMark>) -> Query {
    database
        .question(about_the_store(
            "known.is_there, h.position, c.position, c.mark, c.digest",
            "CROSS JOIN (
                 SELECT EXISTS (
                     SELECT FROM simple_security.key_changes WHERE position = $2 AND mark = $3
                 ) AS is_there OFFSET 0
             ) AS known
             LEFT JOIN (SELECT position FROM simple_security.change_head LIMIT 1) AS h ON true
             LEFT JOIN LATERAL (
                 (SELECT position, mark, digest FROM simple_security.key_changes
                  WHERE known.is_there AND position > $2)
                 UNION ALL
                 (SELECT position, mark, digest FROM simple_security.key_changes
                  WHERE NOT known.is_there ORDER BY position DESC LIMIT 1)
             ) AS c ON true
             ORDER BY c.position",
        ))
        .with(after.map(|after| after.position as i64), Type::INT8)
        .with(after.map(|after| after.mark as i64), Type::INT8)
}

/// A record of the columns [`COLUMNS`], the first of them at `first`; `None` where they are empty.
pub(super) fn record(row: &Row, first: usize) -> Result<Option<KeyRecord>, Error> {
    let Some(id) = row.try_get::<_, Option<&str>>(first)?.and_then(|id| id.parse().ok()) else {
        return Ok(None);
    };
    let time = |index| row.try_get(first + index).map(Timestamp::from_seconds);
    Ok(Some(KeyRecord {
        id,
        name: KeyName::repaired(row.try_get(first + 1)?),
        created_at: time(2)?,
        expires_at: time(3)?,
        never_expires: row.try_get(first + 4)?,
        revoked_at: row.try_get::<_, Option<i64>>(first + 5)?.map(Timestamp::from_seconds),
    }))
}
