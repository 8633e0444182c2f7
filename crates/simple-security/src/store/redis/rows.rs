//! Keys as hashes: as text, except digests and marks, which are bytes.

use std::collections::HashMap;

use redis::{FromRedisValue, ParsingError, Value, from_redis_value};

use crate::key::KeyDigest;
use crate::page::Cursor;
use crate::record::{KeyEdit, KeyName, KeyRecord, Owner, StoredKey, Timestamp, Usage};
use crate::store::StoreError;

/// A date in the order of text: seconds since the first that there is, in twelve digits.
pub(super) fn created(at: Timestamp) -> String {
    format!("{:012}", at.seconds() - Timestamp::MIN.seconds())
}

/// The place of a key among all keys.
pub(super) fn place(cursor: Cursor) -> String {
    format!("{}{}", created(cursor.created_at), cursor.id)
}

/// A date, or nothing.
pub(super) fn date(at: Option<Timestamp>) -> String {
    at.map(|at| at.seconds().to_string()).unwrap_or_default()
}

/// A count as the server can add it up.
pub(super) fn count(count: u64) -> u64 {
    count.min(i64::MAX as u64)
}

/// A random mark for a row of the log.
pub(super) fn mark() -> Result<[u8; 8], StoreError> {
    random()
}

/// Bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    crate::random::bytes().map_err(|error| StoreError::Failed {
        reason: "no random bytes".to_owned(),
        source: Some(error.into()),
    })
}

/// Bytes in hexadecimal.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The fields of the hash of a key, with the values that they get. A new field of a key is a line here and
/// one in [`decode`]; where it can be edited, a line in [`encode_edit`].
pub(super) fn encode(key: &StoredKey) -> Vec<Field> {
    let StoredKey { digest, record, .. } = key;
    let mut fields: Vec<Field> = vec![
        ("digest", digest.as_bytes().to_vec()),
        ("name", record.name.as_str().into()),
        ("created_at", created(record.created_at).into()),
        ("expires_at", seconds(record.expires_at)),
        ("never_expires", flag(record.never_expires)),
    ];
    // What is not there is null.
    fields.extend(record.revoked_at.map(|at| ("revoked_at", seconds(at))));
    fields.extend((!record.owner.is_empty()).then(|| ("owner", record.owner.as_str().into())));
    fields
}

/// The fields that an edit changes, with their new values.
pub(super) fn encode_edit(edit: &KeyEdit) -> Vec<Field> {
    let fields = [
        edit.name.as_ref().map(|name| ("name", name.as_str().into())),
        edit.expires_at.map(|at| ("expires_at", seconds(at))),
        edit.never_expires.map(|never| ("never_expires", flag(never))),
        edit.owner.as_ref().map(|owner| ("owner", owner.as_str().into())),
    ];
    fields.into_iter().flatten().collect()
}

/// A field of a hash, and its value.
pub(super) type Field = (&'static str, Vec<u8>);

/// A key as the scripts return it: its id, the fields of its hash, and those of its usage.
#[derive(Debug)]
pub(super) struct Row(pub(super) StoredKey);

impl FromRedisValue for Row {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let (id, key, usage): (String, Hash, Hash) = from_redis_value(value)?;
        decode(&id, &key, &usage).map(Self)
    }
}

type Hash = HashMap<String, Vec<u8>>;

fn decode(id: &str, key: &Hash, usage: &Hash) -> Result<StoredKey, ParsingError> {
    let field = |name| key.get(name).ok_or_else(|| missing(name));
    let digest = <[u8; 32]>::try_from(&field("digest")?[..]).map_err(|_| "a digest is 32 bytes")?;
    let record = KeyRecord {
        revoked_at: number(key, "revoked_at")?.map(Timestamp::from_seconds),
        expires_at: Timestamp::from_seconds(required(key, "expires_at")?),
        never_expires: required(key, "never_expires")? != 0,
        id: id.parse().map_err(|_| "an id has another form")?,
        created_at: Timestamp::from_seconds(
            required(key, "created_at")? + Timestamp::MIN.seconds(),
        ),
        name: KeyName::repaired(&String::from_utf8_lossy(field("name")?)),
        owner: Owner::repaired(&String::from_utf8_lossy(key.get("owner").map_or(b"", |it| it))),
    };
    let usage = self::usage(number(usage, "total")?, number(usage, "last_used_at")?);
    Ok(StoredKey { digest: KeyDigest::from_bytes(digest), record, usage })
}

fn required(hash: &Hash, name: &str) -> Result<i64, ParsingError> {
    number(hash, name)?.ok_or_else(|| missing(name))
}

fn number(hash: &Hash, name: &str) -> Result<Option<i64>, ParsingError> {
    let read = |value: &Vec<u8>| std::str::from_utf8(value).ok()?.parse().ok();
    match hash.get(name) {
        None => Ok(None),
        Some(value) => match read(value) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("the field {name} of a key is not a number").into()),
        },
    }
}

fn missing(name: &str) -> ParsingError {
    format!("the field {name} of a key is missing").into()
}

/// Usage by its fields.
pub(super) fn usage(total: Option<i64>, last_used_at: Option<i64>) -> Usage {
    Usage {
        total: total.unwrap_or(0).try_into().unwrap_or(0),
        last_used_at: last_used_at.map(Timestamp::from_seconds),
    }
}

fn seconds(at: Timestamp) -> Vec<u8> {
    at.seconds().to_string().into()
}

fn flag(flag: bool) -> Vec<u8> {
    if flag { b"1".to_vec() } else { b"0".to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyId;

    #[test]
    fn places_are_in_the_order_of_cursors() {
        let ids: [KeyId; 3] =
            ["0000000000a", "Zzzzzzzzzzz", "a0000000000"].map(|id| id.parse().expect("an id"));
        let dates = [
            Timestamp::MIN,
            Timestamp::from_seconds(-1),
            Timestamp::from_seconds(0),
            Timestamp::MAX,
        ];
        let cursors: Vec<_> = dates
            .into_iter()
            .flat_map(|created_at| ids.map(|id| Cursor { created_at, id }))
            .collect();
        let places: Vec<_> = cursors.iter().map(|cursor| place(*cursor)).collect();
        assert!(cursors.is_sorted() && places.is_sorted(), "{places:?}");
        assert!(places.iter().all(|place| place.len() == 23), "{places:?}");
    }
}
