//! The table of the package that this one replaces: what its rows say.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::super::StoreError;
use super::errors::translate;
use super::open::{self, OLD_TABLE};
use crate::key::{KeyDigest, MAX_KEY_LENGTH, generate_id};
use crate::record::{KeyName, KeyRecord, StoredKey, Timestamp, Usage};

/// How long who reads the file of another program waits for it.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Reads the keys of the old package's file at `path`, in the order in which they were made, and
/// hands each on with an id of its own: or what is wrong with it. The file may have other tables
/// too, and stays as it is.
///
/// The old package did not keep when a key was made or revoked: it is `now`.
///
/// # Errors
/// [`StoreError`] says why the file cannot be read.
pub fn read_old_keys(
    path: &Path,
    now: Timestamp,
    each: &mut dyn FnMut(Result<StoredKey, &'static str>),
) -> Result<(), StoreError> {
    let failed = |error| translate(path, "reading the old keys", error);
    let connection = open::look(path, TIMEOUT).map_err(failed)?;
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    if !connection.table_exists(None, OLD_TABLE).map_err(failed)? {
        return Err(StoreError::NoOldTable { path: path.to_owned() });
    }
    read_all(&connection, path, |key| {
        let stored = key.stored(now)?;
        each(stored);
        Ok(())
    })
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
    /// The key under an id of its own, or what is wrong with it.
    fn stored(self, now: Timestamp) -> Result<Result<StoredKey, &'static str>, StoreError> {
        if let Some(fault) = self.fault {
            return Ok(Err(fault.as_str()));
        }
        let record = KeyRecord {
            id: generate_id().map_err(no_random_bytes)?,
            name: self.name,
            created_at: now,
            expires_at: self.expires_at.unwrap_or(now),
            never_expires: self.never_expires,
            revoked_at: (!self.active).then_some(now),
        };
        Ok(Ok(StoredKey { digest: self.digest, record, usage: self.usage }))
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
        .prepare(&format!("SELECT 1 FROM pragma_table_info('{OLD_TABLE}') WHERE name = 'name'"))
        .and_then(|mut statement| statement.exists([]))
        .map_err(failed)?;
    let mut rows = connection
        .prepare(&format!(
            "SELECT api_key, is_active, never_expire, expiration_date, latest_query_date, \
             total_queries, {} FROM {OLD_TABLE} ORDER BY rowid",
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

/// A date as the old version wrote it: `2030-01-31T12:00:00`, in UTC, and with a zone at its end
/// where an administrator had given one.
fn date(value: ValueRef<'_>) -> Option<Timestamp> {
    let ValueRef::Text(text) = value else { return None };
    let text = std::str::from_utf8(text).ok()?;
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let is = |position: usize, wanted: u8| text.as_bytes().get(position) == Some(&wanted);
    if !(is(4, b'-') && is(7, b'-') && is(10, b'T') && is(13, b':') && is(16, b':')) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1 || !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let zone = match text.get(19..)? {
        "" => 0,
        zone => {
            let sign = match zone.as_bytes()[0] {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let seconds = match zone.len() {
                6 => 0,
                9 if is(25, b':') => number(26..28)?,
                _ => return None,
            };
            if !is(22, b':') {
                return None;
            }
            sign * (number(20..22)? * 3600 + number(23..25)? * 60 + seconds)
        }
    };
    let time = hour * 3600 + minute * 60 + second - zone;
    Some(Timestamp::from_seconds(days_since_1970(year, month, day) * 86_400 + time))
}

/// The number of a day in the proleptic Gregorian calendar, counted from 1970-01-01.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March, so that the leap day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

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
