//! The change log: its end, what came after a row, and how much of it is kept.

use rusqlite::{Connection, OptionalExtension, Row, Transaction};

use crate::key::KeyDigest;
use crate::store::{ChangeBatch, Changed, LogPosition, StoreError};

/// How many rows of the change log are kept. A process that has slept through more forgets all
/// that it has cached.
pub(super) const KEPT: i64 = 10_000;

/// The end of the change log; 0 of an empty one.
pub(super) fn end(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached("SELECT coalesce(max(position), 0) FROM key_changes")?
        .query_row([], |row| row.get(0))
}

/// Requires that the triggers have written a row of the log for each key that was changed since its
/// end was `before`. How many rows SQLite says to have changed is no measure: another
/// trigger may suppress a write (`RAISE(IGNORE)`).
pub(super) fn require(
    transaction: &Transaction<'_>,
    before: i64,
    changed: u64,
) -> rusqlite::Result<()> {
    let logged = u64::try_from(end(transaction)? - before).unwrap_or(0);
    if logged < changed {
        let place = transaction.path().unwrap_or_default().to_owned();
        return Err(StoreError::NotLogged { place }.into());
    }
    Ok(())
}

/// What the log has after a row, where it has that row.
pub(super) fn read(
    reader: &mut Connection,
    after: Option<LogPosition>,
) -> rusqlite::Result<ChangeBatch> {
    // One transaction, so that the row that was read last and those after it are of one state.
    let transaction = reader.transaction()?;
    let row = |row: &Row<'_>| {
        let mark = LogPosition {
            position: row.get::<_, i64>(0)?.try_into().unwrap_or(0),
            mark: u64::from_ne_bytes(row.get(1)?),
        };
        Ok((mark, KeyDigest::from_bytes(row.get(2)?)))
    };
    let after = match after {
        Some(after) => transaction
            .prepare_cached("SELECT position, mark, digest FROM key_changes WHERE position = ?1")?
            .query_row([after.position as i64], row)
            .optional()?
            .filter(|(there, _)| *there == after)
            .map(|(there, _)| there),
        None => None,
    };
    let Some(mut mark) = after else {
        let newest = transaction
            .prepare_cached(
                "SELECT position, mark, digest FROM key_changes ORDER BY position DESC LIMIT 1",
            )?
            .query_row([], row)
            .optional()?;
        // A log that was emptied has no row until the next change.
        let mark = newest.map_or(LogPosition { position: 0, mark: 0 }, |(mark, _)| mark);
        return Ok(ChangeBatch { changed: Changed::Anything, end: mark });
    };
    let mut digests = Vec::new();
    let mut statement = transaction.prepare_cached(
        "SELECT position, mark, digest FROM key_changes WHERE position > ?1 ORDER BY position",
    )?;
    for found in statement.query_map([mark.position as i64], row)? {
        let (there, digest) = found?;
        mark = there;
        digests.push(digest);
    }
    Ok(ChangeBatch { changed: Changed::Keys(digests), end: mark })
}

/// Removes rows beyond those that are kept.
pub(super) fn prune(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "DELETE FROM key_changes WHERE position <= (SELECT max(position) FROM key_changes) - ?1",
        )?
        .execute([KEPT])?;
    Ok(())
}
