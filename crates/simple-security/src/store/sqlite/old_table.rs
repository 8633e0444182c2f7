//! The move from the package that this one replaces: its table, with keys in plain text, becomes
//! ours, with digests.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior};

use super::super::StoreError;
use super::errors::translate;
use super::open::{OLD_TABLE, migrate, write_ahead};
use super::statements;
use crate::clock::{Clock, SystemClock};
use crate::key::{KeyDigest, MAX_KEY_LENGTH, generate_id};
use crate::random;
use crate::record::{KeyName, KeyRecord, Timestamp};

/// Set while plain text may still be in free pages, so that an interrupted cleaning goes on.
const CLEANING: &str = "plaintext_cleaning";

/// What was found in a row.
struct OldKey {
    digest: KeyDigest,
    name: KeyName,
    expires_at: Option<Timestamp>,
    never_expires: bool,
    active: bool,
    total: i64,
    last_used_at: Option<Timestamp>,
    /// Why it cannot be read, if so.
    fault: Option<Fault>,
}

enum Fault {
    /// Nobody can send it: it stays revoked for ever.
    Key(&'static str),
    /// A new one brings the key back.
    Date,
}

/// How many keys were moved.
#[derive(Default)]
pub(super) struct Moved {
    active: usize,
    revoked: usize,
    unreadable: usize,
}

impl Moved {
    /// Says so in the log: as a warning, because there is no way back and nobody should miss it.
    pub(super) fn report(&self, path: &Path) {
        let Self { active, revoked, unreadable } = self;
        tracing::warn!(
            "moved {} keys of the old version to digests: {active} active, {revoked} revoked, \
             {unreadable} unreadable and kept revoked; the keys in plain text were removed from {}",
            active + revoked + unreadable,
            path.display()
        );
    }
}

/// Moves all keys in one transaction. If anything fails, the file is as it was.
pub(super) fn take_over(writer: &mut Connection, path: &Path) -> Result<Moved, StoreError> {
    let failed = |error| translate(path, "moving the old keys", error);
    // Not yet in write-ahead mode: switching would write to a file that may have to stay as it
    // is. The connection overwrites with zeros what it deletes (`secure_delete`).
    let transaction =
        writer.transaction_with_behavior(TransactionBehavior::Exclusive).map_err(failed)?;
    migrate(&transaction, 0).map_err(failed)?;
    let moved = move_keys(&transaction, path)?;
    transaction
        .execute_batch(&format!(
            "DROP TABLE {OLD_TABLE};
             INSERT INTO settings (name, value) VALUES ('{CLEANING}', 1);"
        ))
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    write_ahead(writer).map_err(failed)?;
    Ok(moved)
}

/// Removes what is left of the plain text in free pages and in the write-ahead log. When it
/// fails, for want of space perhaps, it is tried again at the next open.
pub(super) fn finish_cleaning(writer: &Connection, path: &Path) {
    let clean = || -> rusqlite::Result<()> {
        let due: bool = writer.query_row(
            "SELECT EXISTS (SELECT 1 FROM settings WHERE name = ?1)",
            [CLEANING],
            |row| row.get(0),
        )?;
        if due {
            make_private(path);
            writer.execute_batch("VACUUM")?;
            let busy: i64 =
                writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            if busy == 0 {
                writer.execute("DELETE FROM settings WHERE name = ?1", [CLEANING])?;
            } else {
                tracing::warn!(
                    "another process reads {}; it is cleaned of old keys at the next start",
                    path.display()
                );
            }
        }
        Ok(())
    };
    if let Err(error) = clean() {
        tracing::warn!(
            %error,
            "the free pages of {} could not be cleaned of old keys yet; it is tried again at the next start",
            path.display()
        );
    }
}

/// Sets the mode to 0600: whoever may read the file could read the old keys in it until now.
pub(super) fn make_private(path: &Path) {
    if let Err(error) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
        tracing::warn!(%error, "the mode of {} could not be set to 0600", path.display());
    }
}

fn move_keys(transaction: &Transaction<'_>, path: &Path) -> Result<Moved, StoreError> {
    let failed = |error| translate(path, "moving the old keys", error);
    let random = |error: getrandom::Error| StoreError::Failed {
        reason: "no random bytes".to_owned(),
        source: Some(error.into()),
    };
    let named = transaction
        .prepare(&format!("SELECT 1 FROM pragma_table_info('{OLD_TABLE}') WHERE name = 'name'"))
        .and_then(|mut statement| statement.exists([]))
        .map_err(failed)?;
    let mut rows = transaction
        .prepare(&format!(
            "SELECT api_key, is_active, never_expire, expiration_date, latest_query_date, \
             total_queries, {} FROM {OLD_TABLE} ORDER BY rowid",
            if named { "name" } else { "NULL" }
        ))
        .map_err(failed)?;
    let mut rows = rows.query([]).map_err(failed)?;
    let now = SystemClock.now();
    let mut moved = Moved::default();
    while let Some(row) = rows.next().map_err(failed)? {
        let mut key = read(row).map_err(failed)?;
        let taken = transaction
            .prepare_cached("SELECT 1 FROM api_keys WHERE digest = ?1")
            .and_then(|mut statement| statement.exists([key.digest.as_bytes()]))
            .map_err(failed)?;
        if taken {
            key.fault = Some(Fault::Key("its key is there twice"));
        }
        if let Some(Fault::Key(_)) = key.fault {
            // No key has this digest: nobody knows what it is the digest of.
            key.digest = KeyDigest::from_bytes(random::bytes().map_err(random)?);
        }
        let active = key.active && key.fault.is_none();
        let id = generate_id().map_err(random)?;
        let record = KeyRecord {
            id,
            name: key.name,
            created_at: now,
            expires_at: key.expires_at.unwrap_or(now),
            never_expires: key.never_expires,
            revoked_at: (!active).then_some(now),
        };
        statements::insert(transaction, key.digest, &record).map_err(failed)?;
        transaction
            .prepare_cached("INSERT INTO key_usage (id, total, last_used_at) VALUES (?1, ?2, ?3)")
            .and_then(|mut statement| {
                statement.execute((
                    id.as_str(),
                    key.total,
                    key.last_used_at.map(Timestamp::seconds),
                ))
            })
            .map_err(failed)?;
        match key.fault {
            Some(fault) => {
                moved.unreadable += 1;
                let fault = match fault {
                    Fault::Key(fault) => fault,
                    Fault::Date => "its date is broken",
                };
                tracing::warn!("an old key could not be read, {fault}; it is kept revoked as {id}");
            }
            None if active => moved.active += 1,
            None => moved.revoked += 1,
        }
    }
    Ok(moved)
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
        total: match row.get_ref(5)? {
            ValueRef::Integer(total) => total.max(0),
            _ => 0,
        },
        last_used_at: date(row.get_ref(4)?),
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
