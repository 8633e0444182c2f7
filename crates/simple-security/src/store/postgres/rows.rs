//! Keys as rows: the one place that knows the columns of `api_keys` and `key_usage`.
//!
//! A new field of a key is a name in [`KEY`], a line in [`encode`] and one in [`record`]; where it can be
//! edited, a name in [`EDITABLE`] and a line in [`encode_edit`].

use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row};

use super::query::Query;
use crate::key::KeyDigest;
use crate::record::{KeyEdit, KeyName, KeyRecord, Owner, StoredKey, Timestamp, Usage};

/// The columns of a key, in the order in which statements name them.
pub(super) const KEY: [&str; 8] =
    ["id", "digest", "name", "created_at", "expires_at", "never_expires", "revoked_at", "owner"];

/// The columns that an edit can change.
pub(super) const EDITABLE: [&str; 4] = ["name", "expires_at", "never_expires", "owner"];

/// Adds a parameter for each column of [`KEY`], in their order: an array with the values of all keys.
pub(super) fn encode(query: Query, keys: &[StoredKey]) -> Query {
    let all = Values(keys);
    query
        .with(all.texts(|key| key.record.id.as_str()), Type::TEXT_ARRAY)
        .with(all.of(|key| key.digest.as_bytes().to_vec()), Type::BYTEA_ARRAY)
        .with(all.texts(|key| key.record.name.as_str()), Type::TEXT_ARRAY)
        .with(all.of(|key| key.record.created_at.seconds()), Type::INT8_ARRAY)
        .with(all.of(|key| key.record.expires_at.seconds()), Type::INT8_ARRAY)
        .with(all.of(|key| key.record.never_expires), Type::BOOL_ARRAY)
        .with(all.of(|key| key.record.revoked_at.map(Timestamp::seconds)), Type::INT8_ARRAY)
        .with(all.texts(|key| key.record.owner.as_str()), Type::TEXT_ARRAY)
}

/// The same for `total` and `last_used_at`; null for a key that was never used.
pub(super) fn encode_usage(query: Query, keys: &[StoredKey]) -> Query {
    let all = Values(keys);
    let total = |key: &StoredKey| (key.usage != Usage::default()).then(|| integer(key.usage.total));
    query
        .with(all.of(total), Type::INT8_ARRAY)
        .with(all.of(|key| key.usage.last_used_at.map(Timestamp::seconds)), Type::INT8_ARRAY)
}

/// Adds a parameter for each column of [`EDITABLE`], in their order; null where the edit leaves the
/// column as it is.
pub(super) fn encode_edit(query: Query, edit: &KeyEdit) -> Query {
    query
        .with(edit.name.as_ref().map(|name| name.as_str().to_owned()), Type::TEXT)
        .with(edit.expires_at.map(Timestamp::seconds), Type::INT8)
        .with(edit.never_expires, Type::BOOL)
        .with(edit.owner.as_ref().map(|owner| owner.as_str().to_owned()), Type::TEXT)
}

/// The columns of [`KEY`] of the table `k`, to be selected.
pub(super) fn key_columns() -> String {
    KEY.map(|name| format!("k.{name}")).join(", ")
}

/// The parameters of [`encode`], the first of them with this number.
pub(super) fn parameters(first: usize) -> String {
    let numbers = first..first + KEY.len();
    numbers.map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// The record of a row with the columns of [`KEY`]; `None` where they are null.
pub(super) fn record(row: &Row) -> Result<Option<KeyRecord>, Error> {
    let Some(id) = row.try_get::<_, Option<&str>>("id")?.and_then(|id| id.parse().ok()) else {
        return Ok(None);
    };
    let time = |column| row.try_get(column).map(Timestamp::from_seconds);
    Ok(Some(KeyRecord {
        revoked_at: row.try_get::<_, Option<i64>>("revoked_at")?.map(Timestamp::from_seconds),
        expires_at: time("expires_at")?,
        never_expires: row.try_get("never_expires")?,
        id,
        created_at: time("created_at")?,
        name: KeyName::repaired(row.try_get("name")?),
        owner: Owner::repaired(row.try_get("owner")?),
    }))
}

/// The digest of such a row. The table refuses any of another length.
pub(super) fn digest(row: &Row) -> Result<Option<KeyDigest>, Error> {
    let bytes: Option<&[u8]> = row.try_get("digest")?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map(KeyDigest::from_bytes))
}

/// The usage of a row with the columns `total` and `last_used_at`.
pub(super) fn usage(row: &Row) -> Result<Usage, Error> {
    Ok(Usage {
        total: row.try_get::<_, i64>("total")?.try_into().unwrap_or(0),
        last_used_at: row.try_get::<_, Option<i64>>("last_used_at")?.map(Timestamp::from_seconds),
    })
}

/// The key of a row with all of these columns.
pub(super) fn stored(row: &Row) -> Result<Option<StoredKey>, Error> {
    let (digest, record) = (digest(row)?, record(row)?);
    let Some((digest, record)) = digest.zip(record) else { return Ok(None) };
    Ok(Some(StoredKey { digest, record, usage: usage(row)? }))
}

/// As far as an integer of the database goes.
pub(super) fn integer(number: u64) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// The values of one column of many keys.
struct Values<'a>(&'a [StoredKey]);

impl Values<'_> {
    fn of<T>(&self, value: impl Fn(&StoredKey) -> T) -> Vec<T> {
        self.0.iter().map(value).collect()
    }

    fn texts(&self, value: impl Fn(&StoredKey) -> &str) -> Vec<String> {
        self.of(|key| value(key).to_owned())
    }
}
