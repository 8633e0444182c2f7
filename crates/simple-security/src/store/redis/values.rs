//! How keys are written: as text, except digests and marks, which are bytes.

use redis::{FromRedisValue, ParsingError, Value, from_redis_value};

use crate::key::KeyDigest;
use crate::page::Cursor;
use crate::record::{KeyId, KeyName, KeyRecord, StoredKey, Timestamp, Usage};
use crate::store::StoreError;

/// A date in the order of text: seconds since the first that there is, in twelve digits.
pub(super) fn created(at: Timestamp) -> String {
    format!("{:012}", at.seconds() - Timestamp::MIN.seconds())
}

/// The place of a key among all keys.
pub(super) fn place(cursor: Cursor) -> String {
    format!("{}{}", created(cursor.created_at), cursor.id)
}

/// A flag.
pub(super) fn flag(flag: bool) -> &'static str {
    if flag { "1" } else { "0" }
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

/// A record as the scripts give it back.
pub(super) struct Record {
    pub(super) digest: KeyDigest,
    pub(super) record: KeyRecord,
}

/// A key as the script of pages gives it back.
pub(super) struct Key(pub(super) StoredKey);

impl FromRedisValue for Record {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let (digest, record) = record(&mut fields(value)?)?;
        Ok(Self { digest, record })
    }
}

impl FromRedisValue for Key {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let mut fields = fields(value)?;
        let (digest, record) = record(&mut fields)?;
        let total: Option<i64> = next(&mut fields)?;
        let last: Option<i64> = next(&mut fields)?;
        Ok(Self(StoredKey { digest, record, usage: usage(total, last) }))
    }
}

/// Usage by its fields.
pub(super) fn usage(total: Option<i64>, last: Option<i64>) -> Usage {
    Usage {
        total: total.unwrap_or(0).try_into().unwrap_or(0),
        last_used_at: last.map(Timestamp::from_seconds),
    }
}

type Fields = std::vec::IntoIter<Value>;

fn fields(value: Value) -> Result<Fields, ParsingError> {
    match value {
        Value::Array(fields) => Ok(fields.into_iter()),
        _ => Err("a key is a list of fields".into()),
    }
}

fn next<T: FromRedisValue>(fields: &mut Fields) -> Result<T, ParsingError> {
    from_redis_value(fields.next().ok_or("a field of a key is missing")?)
}

fn record(fields: &mut Fields) -> Result<(KeyDigest, KeyRecord), ParsingError> {
    let id: String = next(fields)?;
    let id: KeyId = id.parse().map_err(|_| "what should be an id is none")?;
    let digest: Vec<u8> = next(fields)?;
    let digest: [u8; 32] = digest.try_into().map_err(|_| "a digest is 32 bytes")?;
    let name: String = next(fields)?;
    let created: i64 = next(fields)?;
    let expires: i64 = next(fields)?;
    let never: i64 = next(fields)?;
    let revoked: Option<i64> = next(fields)?;
    let record = KeyRecord {
        id,
        name: KeyName::repaired(&name),
        created_at: Timestamp::from_seconds(created + Timestamp::MIN.seconds()),
        expires_at: Timestamp::from_seconds(expires),
        never_expires: never != 0,
        revoked_at: revoked.map(Timestamp::from_seconds),
    };
    Ok((KeyDigest::from_bytes(digest), record))
}

#[cfg(test)]
mod tests {
    use super::*;

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
