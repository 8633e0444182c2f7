//! The SQL of the store, each statement once.

use std::sync::LazyLock;

use tokio_postgres::types::Type;

use super::database::{Database, about_the_store};
use super::query::Query;
use super::rows;
use crate::key::KeyId;
use crate::page::PageRequest;
use crate::record::{KeyChange, KeyReference, KeyState, Revocation, StoredKey, Timestamp};
use crate::store::{KeyImage, Operation};

// Put together once.
static INSERT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH added AS (
             INSERT INTO simple_security.api_keys ({}) SELECT * FROM unnest({})
         )
         SELECT true",
        rows::KEY.join(", "),
        rows::parameters(1)
    )
});
static CHANGE: LazyLock<String> = LazyLock::new(|| {
    // After the id, a parameter for each column and two for the revocation.
    let edited: String = (2..)
        .zip(rows::EDITABLE)
        .map(|(number, name)| format!("{name} = coalesce(${number}, k.{name}), "))
        .collect();
    let [clear, revoked_at] = [2, 3].map(|after| rows::EDITABLE.len() + after);
    let columns = rows::key_columns();
    format!(
        "WITH before AS MATERIALIZED (
             SELECT {columns} FROM simple_security.api_keys AS k WHERE k.id = $1 FOR UPDATE
         ), changed AS (
             UPDATE simple_security.api_keys AS k SET {edited}
                 revoked_at = CASE WHEN ${clear} THEN NULL ELSE coalesce(k.revoked_at, ${revoked_at}) END
             FROM before WHERE k.id = before.id
         )
         SELECT {columns} FROM before AS k"
    )
});

static DELETE: LazyLock<String> = LazyLock::new(|| {
    let columns = rows::key_columns();
    format!(
        "WITH before AS MATERIALIZED (
             SELECT {columns} FROM simple_security.api_keys AS k WHERE k.id = $1 FOR UPDATE
         ), deleted AS (
             DELETE FROM simple_security.api_keys AS k USING before WHERE k.id = before.id
         )
         SELECT {columns} FROM before AS k"
    )
});
static IMAGE: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {} FROM simple_security.api_keys AS k WHERE k.id = $1", rows::key_columns())
});

/// Makes an operation. Returns the key from before, where there was one.
pub(super) fn operation(operation: &Operation) -> Query {
    match operation {
        Operation::Insert(KeyImage { digest, record }) => {
            let key = StoredKey::new(*digest, record.clone());
            rows::encode(Query::new(INSERT.as_str()), &[key])
        }
        Operation::Change { id, change } => self::change(*id, change),
        Operation::Delete { id } => delete(*id),
    }
}

/// Changes single fields.
///
/// Every change updates its row, even where no value becomes another: the trigger logs it then, and
/// other processes drop what they have cached of the key.
fn change(id: KeyId, change: &KeyChange) -> Query {
    let (clear, revoked_at) = match change.revocation {
        Revocation::Keep => (false, None),
        Revocation::Set(at) => (false, Some(at.seconds())),
        Revocation::Clear => (true, None),
    };
    let query = Query::new(CHANGE.as_str()).with(id.as_str().to_owned(), Type::TEXT);
    rows::encode_edit(query, &change.edit).with(clear, Type::BOOL).with(revoked_at, Type::INT8)
}

/// Removes a key. Its usage goes with it, by the foreign key.
fn delete(id: KeyId) -> Query {
    Query::new(DELETE.as_str()).with(id.as_str().to_owned(), Type::TEXT)
}

/// A key as it is in the transaction.
pub(super) fn image(id: KeyId) -> Query {
    Query::new(IMAGE.as_str()).with(id.as_str().to_owned(), Type::TEXT)
}

/// A key, and whether the server has the row of the log that a poll has found last, or has
/// dropped it as too old.
pub(super) fn find(database: &Database, key: KeyReference) -> Query {
    let columns = format!(
        "{}, $3::bigint IS NULL
             OR EXISTS (SELECT FROM simple_security.key_changes WHERE position = $3 AND mark = $4)
             OR (SELECT min(position) FROM simple_security.key_changes) > $3 AS is_new_enough",
        rows::key_columns()
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

/// One page, by the index on `created_at` and `id`, or by that of the owners.
pub(super) fn page(database: &Database, request: &PageRequest, now: Timestamp) -> Query {
    let (created_at, id) = match &request.after {
        Some(cursor) => (cursor.created_at.seconds(), cursor.id.as_str()),
        // Before all keys.
        None => (i64::MAX, ""),
    };
    let owner = request.filter.owner.as_ref().map(|owner| owner.as_str().to_owned());
    // Says that the owner is not empty: only then is the partial index used.
    let of_owner = match owner.as_deref() {
        None | Some("") => "($8 IS NULL OR k.owner = $8)",
        Some(_) => "k.owner = $8 AND k.owner <> ''",
    };
    database
        .question(page_query(of_owner))
        .with(created_at, Type::INT8)
        .with(id.to_owned(), Type::TEXT)
        .with(request.filter.name.clone(), Type::TEXT)
        .with(request.filter.state.map(KeyState::as_str), Type::TEXT)
        .with(now.seconds(), Type::INT8)
        .with(i64::from(request.limit), Type::INT8)
        .with(owner, Type::TEXT)
}

fn page_query(of_owner: &str) -> String {
    let columns = rows::key_columns();
    let joined = format!(
        "LEFT JOIN LATERAL (
             SELECT {columns}, coalesce(u.total, 0) AS total, u.last_used_at
             FROM simple_security.api_keys AS k
                 LEFT JOIN simple_security.key_usage AS u ON u.id = k.id
             WHERE {of_owner} AND (k.created_at, k.id) < ($2, $3)
                 AND ($4 IS NULL OR strpos(k.name, $4) > 0)
                 AND ($5 IS NULL OR $5 = CASE
                     WHEN k.revoked_at IS NOT NULL THEN 'revoked'
                     WHEN NOT k.never_expires AND k.expires_at <= $6 THEN 'expired'
                     ELSE 'active' END)
             ORDER BY k.created_at DESC, k.id DESC LIMIT $7
         ) AS k ON true
         ORDER BY k.created_at DESC, k.id DESC"
    );
    about_the_store(&format!("{columns}, k.total, k.last_used_at"), &joined)
}

pub(super) fn list(database: &Database) -> Query {
    database.question(about_the_store(
        &format!("{}, coalesce(u.total, 0) AS total, u.last_used_at", rows::key_columns()),
        "LEFT JOIN simple_security.api_keys AS k ON true
         LEFT JOIN simple_security.key_usage AS u ON u.id = k.id
         ORDER BY u.last_used_at DESC NULLS LAST, k.created_at, k.id",
    ))
}

pub(super) fn usage(database: &Database, id: KeyId) -> Query {
    database
        .question(about_the_store(
            "k.id, coalesce(u.total, 0) AS total, u.last_used_at",
            "LEFT JOIN simple_security.api_keys AS k ON k.id = $2
             LEFT JOIN simple_security.key_usage AS u ON u.id = k.id",
        ))
        .with(id.as_str().to_owned(), Type::TEXT)
}
