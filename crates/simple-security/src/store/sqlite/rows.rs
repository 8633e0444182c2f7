//! Keys as rows: the one place that knows the columns of `api_keys` and `key_usage`.
//!
//! A new field of a key is a name in [`KEY`], a line in [`encode`] and one in [`record`]; where it can be
//! edited, a name in [`EDITABLE`] and a line in [`encode_edit`].

use rusqlite::Row;
use rusqlite::types::{FromSqlError, ToSqlOutput, Type, Value};

use crate::key::{InvalidKeyId, KeyDigest};
use crate::record::{KeyEdit, KeyName, KeyRecord, Owner, StoredKey, Timestamp, Usage};

/// The columns of a key, in the order in which statements name them.
pub(super) const KEY: [&str; 8] =
    ["id", "digest", "name", "created_at", "expires_at", "never_expires", "revoked_at", "owner"];

/// The columns of its usage, which follow those of the key.
const USAGE: [&str; 2] = ["total", "last_used_at"];

/// The columns that an edit can change.
pub(super) const EDITABLE: [&str; 4] = ["name", "expires_at", "never_expires", "owner"];

/// The position of a column, found by its name when this is compiled: to search for it in each row would
/// take longer than to read the row.
const fn position(columns: &[&str], name: &str) -> usize {
    let mut index = 0;
    while index < columns.len() {
        if is_same(columns[index].as_bytes(), name.as_bytes()) {
            return index;
        }
        index += 1;
    }
    panic!("there is no such column")
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

/// Values for all columns of [`KEY`], in their order.
pub(super) fn encode<'a>(
    digest: &'a KeyDigest,
    record: &'a KeyRecord,
) -> [ToSqlOutput<'a>; KEY.len()] {
    let mut values = [const { ToSqlOutput::Owned(Value::Null) }; KEY.len()];
    macro_rules! set {
        ($name:literal, $value:expr) => {
            values[const { position(&KEY, $name) }] = ToSqlOutput::from($value)
        };
    }
    set!("id", record.id.as_str());
    set!("digest", &digest.as_bytes()[..]);
    set!("name", record.name.as_str());
    set!("created_at", record.created_at.seconds());
    set!("expires_at", record.expires_at.seconds());
    set!("never_expires", record.never_expires);
    if let Some(at) = record.revoked_at {
        set!("revoked_at", at.seconds());
    }
    set!("owner", record.owner.as_str());
    values
}

/// Values for all columns of [`EDITABLE`], in their order; null where the edit leaves the column as it is.
pub(super) fn encode_edit(edit: &KeyEdit) -> [ToSqlOutput<'_>; EDITABLE.len()] {
    let mut values = [const { ToSqlOutput::Owned(Value::Null) }; EDITABLE.len()];
    macro_rules! set {
        ($name:literal, $value:expr) => {
            if let Some(value) = $value {
                values[const { position(&EDITABLE, $name) }] = ToSqlOutput::from(value);
            }
        };
    }
    set!("name", edit.name.as_ref().map(KeyName::as_str));
    set!("expires_at", edit.expires_at.map(Timestamp::seconds));
    set!("never_expires", edit.never_expires);
    set!("owner", edit.owner.as_ref().map(Owner::as_str));
    values
}

/// The record in a row of the columns [`KEY`].
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    macro_rules! column {
        ($name:literal) => {
            row.get_ref(const { position(&KEY, $name) })?
        };
    }
    Ok(KeyRecord {
        revoked_at: column!("revoked_at").as_i64_or_null()?.map(Timestamp::from_seconds),
        expires_at: Timestamp::from_seconds(column!("expires_at").as_i64()?),
        never_expires: column!("never_expires").as_i64()? != 0,
        id: column!("id").as_str()?.parse().map_err(|error: InvalidKeyId| {
            let column = const { position(&KEY, "id") };
            rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
        })?,
        created_at: Timestamp::from_seconds(column!("created_at").as_i64()?),
        name: KeyName::repaired(column!("name").as_str()?),
        owner: Owner::repaired(column!("owner").as_str()?),
    })
}

/// The digest in such a row.
pub(super) fn digest(row: &Row<'_>) -> rusqlite::Result<KeyDigest> {
    let bytes = row.get_ref(const { position(&KEY, "digest") })?.as_blob()?;
    let bytes = bytes
        .try_into()
        .map_err(|_| FromSqlError::InvalidBlobSize { expected_size: 32, blob_size: bytes.len() })?;
    Ok(KeyDigest::from_bytes(bytes))
}

/// The usage in a row of the columns [`KEY`] and after them those of [`joined_usage`].
pub(super) fn usage(row: &Row<'_>) -> rusqlite::Result<Usage> {
    macro_rules! column {
        ($name:literal) => {
            row.get_ref(const { KEY.len() + position(&USAGE, $name) })?
        };
    }
    Ok(Usage {
        total: column!("total").as_i64()?.try_into().unwrap_or(0),
        last_used_at: column!("last_used_at").as_i64_or_null()?.map(Timestamp::from_seconds),
    })
}

/// The key in such a row.
pub(super) fn stored(row: &Row<'_>) -> rusqlite::Result<StoredKey> {
    Ok(StoredKey { digest: digest(row)?, record: record(row)?, usage: usage(row)? })
}

/// The columns [`KEY`] of the table `k`, to be selected.
pub(super) fn key_columns() -> String {
    KEY.map(|name| format!("k.{name}")).join(", ")
}

/// The columns of [`KEY`] and of the usage of the same key, to be selected of [`KEYS_WITH_USAGE`].
pub(super) fn key_and_usage_columns() -> String {
    let [total, last_used_at] = USAGE;
    format!("{}, coalesce(u.{total}, 0), u.{last_used_at}", key_columns())
}

/// All keys, each with its usage: a key that was never used may have none.
pub(super) const KEYS_WITH_USAGE: &str = "api_keys AS k LEFT JOIN key_usage AS u USING (id)";

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn the_tables_have_these_columns() {
        let connection = Connection::open_in_memory().expect("a database");
        super::super::schema::migrate(&connection, 0).expect("the schema");
        let columns = |table: &str| -> Vec<String> {
            let mut statement = connection
                .prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")
                .expect("a statement");
            let names = statement.query_map([table], |row| row.get(0)).expect("a query");
            names.collect::<Result<_, _>>().expect("the columns")
        };
        assert_eq!(columns("api_keys"), KEY);
        assert_eq!(columns("key_usage")[1..], USAGE);
        assert!(EDITABLE.iter().all(|name| KEY.contains(name)));
    }
}
