//! The change log: what came after a row of it.

use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row};

use super::database::{Database, about_the_store};
use super::errors::Translator;
use super::query::Query;
use super::rows;
use crate::store::{ChangeBatch, Changed, LogPosition, StoreError};

/// What the log has after a row, where it has that row; else its newest row. One statement, so
/// that both are of one state.
pub(super) fn query(database: &Database, after: Option<LogPosition>) -> Query {
    database
        .question(about_the_store(
            "known.is_there, h.position AS head, c.position, c.mark, c.digest",
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

/// What its rows say.
pub(super) fn read(
    errors: &Translator,
    rows: &[Row],
    after: Option<LogPosition>,
) -> Result<ChangeBatch, StoreError> {
    let newest = errors.first(rows.last().map_or(&[], std::slice::from_ref), log_row)?;
    if errors.first(rows, |row| row.try_get::<_, bool>("is_there").map(Some))? == Some(true) {
        let digests = errors.each(rows, rows::digest)?;
        let mark = newest.or(after).ok_or_else(headless)?;
        return Ok(ChangeBatch { changed: Changed::Keys(digests), end: mark });
    }
    // The log is empty where it was emptied directly in the database. No row will be known then.
    let head = errors.first(rows, |row| row.try_get::<_, Option<i64>>("head"))?;
    let head = head.map(|head| LogPosition { position: head as u64, mark: 0 });
    let mark = newest.or(head).ok_or_else(headless)?;
    Ok(ChangeBatch { changed: Changed::Anything, end: mark })
}

/// The row of the log that a row of an answer holds.
fn log_row(row: &Row) -> Result<Option<LogPosition>, Error> {
    let position: Option<i64> = row.try_get("position")?;
    let mark: Option<i64> = row.try_get("mark")?;
    Ok(position
        .zip(mark)
        .map(|(position, mark)| LogPosition { position: position as u64, mark: mark as u64 }))
}

fn headless() -> StoreError {
    StoreError::Failed {
        reason: "the change log has lost its head; restore it from a backup".to_owned(),
        source: None,
    }
}
