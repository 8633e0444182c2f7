//! Reads the table of 1.x.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{PrimitiveDateTime, UtcOffset};

use crate::key::{KeyDigest, KeyId, MAX_KEY_LENGTH, generate_id};
use crate::record::{KeyName, KeyRecord, StoredKey, Timestamp, Usage};
use crate::store::sqlite::connect;
use crate::store::sqlite::errors::translate;
use crate::store::sqlite::schema::LEGACY_TABLE;
use crate::store::{OpenError, StoreError};

/// How long who reads the file of another program waits for it.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Reads the keys of the old package's file at `path`, in the order in which they were made, and
/// hands each on with an id of its own: or what is wrong with it. The file may have other tables
/// too, and stays as it is.
///
/// The old package did not keep when a key was made or revoked: it is `now`.
///
/// # Errors
/// [`OpenError`] says why the file cannot be read.
pub fn read_old_keys(
    path: &Path,
    now: Timestamp,
    each: &mut dyn FnMut(Result<StoredKey, &'static str>),
) -> Result<(), OpenError> {
    let failed = |error| translate(path, "reading the old keys", error);
    let connection = connect::look(path, TIMEOUT).map_err(failed)?;
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    if !connection.table_exists(None, LEGACY_TABLE).map_err(failed)? {
        return Err(OpenError::NoOldTable { path: path.to_owned() });
    }
    read_all(&connection, path, |key| {
        let stored = key.stored(now)?;
        each(stored);
        Ok(())
    })?;
    Ok(())
}

/// What was found in a row.
pub(super) struct OldKey {
    pub(super) digest: KeyDigest,
    pub(super) name: KeyName,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) never_expires: bool,
    pub(super) active: bool,
    pub(super) usage: Usage,
    /// Why it cannot be read, if so.
    pub(super) fault: Option<Fault>,
}

pub(super) enum Fault {
    /// Nobody can send it: it stays revoked for ever.
    Key(&'static str),
    /// A new one brings the key back.
    Date,
}

impl Fault {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Key(fault) => fault,
            Self::Date => "its date is broken",
        }
    }
}

impl OldKey {
    /// What is kept of the key. 1.x did not keep when it was made or revoked: `now`.
    pub(super) fn record(self, id: KeyId, now: Timestamp) -> KeyRecord {
        KeyRecord {
            name: self.name,
            never_expires: self.never_expires,
            revoked_at: (!self.active).then_some(now),
            ..KeyRecord::new(id, now, self.expires_at.unwrap_or(now))
        }
    }

    /// The key under an id of its own, or what is wrong with it.
    fn stored(self, now: Timestamp) -> Result<Result<StoredKey, &'static str>, StoreError> {
        if let Some(fault) = self.fault {
            return Ok(Err(fault.as_str()));
        }
        let digest = self.digest;
        let usage = self.usage;
        let record = self.record(generate_id().map_err(no_random_bytes)?, now);
        Ok(Ok(StoredKey { digest, record, usage }))
    }
}

/// Reads all rows in the order in which they were written.
pub(super) fn read_all(
    connection: &Connection,
    path: &Path,
    mut each: impl FnMut(OldKey) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = |error| translate(path, "reading the old keys", error);
    let named = connection
        .prepare(&format!("SELECT 1 FROM pragma_table_info('{LEGACY_TABLE}') WHERE name = 'name'"))
        .and_then(|mut statement| statement.exists([]))
        .map_err(failed)?;
    let mut rows = connection
        .prepare(&format!(
            "SELECT api_key, is_active, never_expire, expiration_date, latest_query_date, \
             total_queries, {} FROM {LEGACY_TABLE} ORDER BY rowid",
            if named { "name" } else { "NULL" }
        ))
        .map_err(failed)?;
    let mut rows = rows.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        each(read(row).map_err(failed)?)?;
    }
    Ok(())
}

/// The operating system gave none.
pub(super) fn no_random_bytes(error: getrandom::Error) -> StoreError {
    StoreError::Failed { reason: "no random bytes".to_owned(), source: Some(error.into()) }
}

fn read(row: &Row<'_>) -> rusqlite::Result<OldKey> {
    let never_expires = truth(row.get_ref(2)?);
    let expires_at = date(row.get_ref(3)?);
    let (digest, fault) = match row.get_ref(0)? {
        ValueRef::Text(key) | ValueRef::Blob(key) => (KeyDigest::of(key), fault_of(key)),
        _ => (KeyDigest::of(b""), Some("it has no key")),
    };
    let fault = fault.map(Fault::Key);
    // The old version did not look at the date of a key that never expires.
    let broken_date = (expires_at.is_none() && !never_expires).then_some(Fault::Date);
    Ok(OldKey {
        digest,
        name: match row.get_ref(6)? {
            ValueRef::Text(name) => KeyName::repaired(&String::from_utf8_lossy(name)),
            _ => KeyName::default(),
        },
        expires_at,
        never_expires,
        active: matches!(row.get_ref(1)?, ValueRef::Integer(1)),
        usage: Usage {
            total: match row.get_ref(5)? {
                ValueRef::Integer(total) => total.try_into().unwrap_or(0),
                _ => 0,
            },
            last_used_at: date(row.get_ref(4)?),
        },
        fault: fault.or(broken_date),
    })
}

fn fault_of(key: &[u8]) -> Option<&'static str> {
    if key.is_empty() {
        Some("its key is empty")
    } else if key.len() > MAX_KEY_LENGTH {
        Some("its key is longer than 255 bytes")
    } else {
        None
    }
}

fn truth(value: ValueRef<'_>) -> bool {
    match value {
        ValueRef::Integer(number) => number != 0,
        _ => false,
    }
}

/// A date as 1.x wrote it, with Python's `isoformat()`: `2030-01-31T12:00:00`, in UTC, and with an offset
/// at its end where an administrator had given one.
fn date(value: ValueRef<'_>) -> Option<Timestamp> {
    let ValueRef::Text(text) = value else { return None };
    let text = std::str::from_utf8(text).ok()?;
    // The crate reads a sign before the year, too.
    if !text.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let (date, offset) = text.split_at_checked("2030-01-31T12:00:00".len())?;
    let date = PrimitiveDateTime::parse(date, DATE).ok().filter(|date| date.year() > 0)?;
    let offset = match offset {
        "" => UtcOffset::UTC,
        offset => UtcOffset::parse(offset, OFFSET).ok()?,
    };
    // Up to a day before the year 1, where the crate has no date any more but the timestamp is the nearest.
    let seconds = date.assume_utc().unix_timestamp() - i64::from(offset.whole_seconds());
    Some(Timestamp::from_seconds(seconds))
}

const DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
const OFFSET: &[BorrowedFormatItem<'_>] = format_description!(
    version = 2,
    "[offset_hour sign:mandatory]:[offset_minute][optional [:[offset_second]]]"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<i64> {
        date(ValueRef::Text(text.as_bytes())).map(Timestamp::seconds)
    }

    #[test]
    fn dates_are_read_as_python_wrote_them() {
        // Computed with Python: datetime(...).replace(tzinfo=timezone.utc).timestamp().
        assert_eq!(seconds("1970-01-01T00:00:00"), Some(0));
        assert_eq!(seconds("2024-02-29T23:59:59"), Some(1_709_251_199));
        assert_eq!(seconds("9999-12-31T23:59:59"), Some(253_402_300_799));
        assert_eq!(seconds("0001-01-01T00:00:00"), Some(-62_135_596_800));
        assert_eq!(seconds("2030-01-01T00:00:00+02:00"), Some(1_893_448_800));
        assert_eq!(seconds("2030-01-01T00:00:00-00:30:15"), Some(1_893_457_815));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "soon",
            "2030-01-01",
            "2030-13-01T00:00:00",
            "2023-02-29T00:00:00",
            "2030-01-01T24:00:00",
            "2030-01-01T00:00:00+2",
            "2030-01-01T00:00:00Z",
            "2030-01-01 00:00:00",
            "+030-01-01T00:00:00",
            "2030-01-01T00:00:00+02:00:0é",
        ] {
            assert_eq!(seconds(text), None, "{text:?}");
        }
    }
}
