//! Rows as what the engine asks for.

use tokio_postgres::{Error, Row};

use super::super::{ChangeMark, Changed, Reading, StoreError};
use super::errors::Translator;
use super::statements::{AFTER_RECORD, FIRST, record};
use crate::key::KeyDigest;
use crate::record::{KeyRecord, StoredKey, Timestamp, Usage};

/// Reads answers; what cannot be read is an error in our words.
pub(super) struct Answers<'a>(pub(super) &'a Translator);

impl Answers<'_> {
    /// The record of a look-up.
    pub(super) fn found(&self, rows: &[Row]) -> Result<Option<KeyRecord>, StoreError> {
        self.first(rows, |row| record(row, FIRST))
    }

    /// Whether a look-up was answered by a server that is as new as the last reading.
    pub(super) fn is_new_enough(&self, rows: &[Row]) -> Result<bool, StoreError> {
        let is_new = self.first(rows, |row| row.try_get::<_, Option<bool>>(AFTER_RECORD))?;
        Ok(is_new == Some(true))
    }

    /// The digest and the record from before a change.
    pub(super) fn before(
        &self,
        rows: &[Row],
    ) -> Result<Option<(KeyDigest, KeyRecord)>, StoreError> {
        self.first(rows, |row| Ok(digest(row, AFTER_RECORD - FIRST)?.zip(record(row, 0)?)))
    }

    /// The digest of a key that was deleted.
    pub(super) fn deleted(&self, rows: &[Row]) -> Result<Option<KeyDigest>, StoreError> {
        self.first(rows, |row| digest(row, 0))
    }

    pub(super) fn usage(&self, rows: &[Row]) -> Result<Option<Usage>, StoreError> {
        self.first(rows, |row| {
            let there = row.try_get::<_, Option<&str>>(FIRST)?.is_some();
            Ok(if there { Some(usage(row, FIRST + 1)?) } else { None })
        })
    }

    pub(super) fn list(&self, rows: &[Row]) -> Result<Vec<(KeyRecord, Usage)>, StoreError> {
        self.each(rows, |row| {
            let Some(record) = record(row, FIRST)? else { return Ok(None) };
            Ok(Some((record, usage(row, AFTER_RECORD)?)))
        })
    }

    pub(super) fn page(&self, rows: &[Row]) -> Result<Vec<StoredKey>, StoreError> {
        self.each(rows, |row| {
            let Some(record) = record(row, FIRST)? else { return Ok(None) };
            let usage = usage(row, AFTER_RECORD)?;
            Ok(digest(row, AFTER_RECORD + 2)?.map(|digest| StoredKey { digest, record, usage }))
        })
    }

    pub(super) fn reading(
        &self,
        rows: &[Row],
        after: Option<ChangeMark>,
    ) -> Result<Reading, StoreError> {
        let newest = self.first(rows.last().map_or(&[], std::slice::from_ref), row_of_the_log)?;
        if self.first(rows, |row| row.try_get::<_, bool>(FIRST).map(Some))? == Some(true) {
            let digests = self.each(rows, |row| digest(row, FIRST + 4))?;
            let mark = newest.or(after).ok_or_else(headless)?;
            return Ok(Reading { changed: Changed::Keys(digests), mark });
        }
        // The log is empty where somebody has emptied it by hand. No row will be known then.
        let head = self.first(rows, |row| row.try_get::<_, Option<i64>>(FIRST + 1))?;
        let head = head.map(|head| ChangeMark { position: head as u64, mark: 0 });
        let mark = newest.or(head).ok_or_else(headless)?;
        Ok(Reading { changed: Changed::Anything, mark })
    }

    fn first<T>(
        &self,
        rows: &[Row],
        read: impl Fn(&Row) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, StoreError> {
        let read = rows.first().map_or(Ok(None), read);
        read.map_err(|error| self.0.translate("reading an answer", error))
    }

    fn each<T>(
        &self,
        rows: &[Row],
        read: impl Fn(&Row) -> Result<Option<T>, Error>,
    ) -> Result<Vec<T>, StoreError> {
        let read: Result<_, _> = rows.iter().filter_map(|row| read(row).transpose()).collect();
        read.map_err(|error| self.0.translate("reading an answer", error))
    }
}

/// The row of the log that a row of an answer holds.
fn row_of_the_log(row: &Row) -> Result<Option<ChangeMark>, Error> {
    let position: Option<i64> = row.try_get(FIRST + 2)?;
    let mark: Option<i64> = row.try_get(FIRST + 3)?;
    Ok(position
        .zip(mark)
        .map(|(position, mark)| ChangeMark { position: position as u64, mark: mark as u64 }))
}

fn headless() -> StoreError {
    StoreError::Failed {
        reason: "the change log has lost its head; restore it from a backup".to_owned(),
        source: None,
    }
}

/// A digest. The table refuses any of another length.
fn digest(row: &Row, column: usize) -> Result<Option<KeyDigest>, Error> {
    let bytes: Option<&[u8]> = row.try_get(column)?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map(KeyDigest::from_bytes))
}

/// Usage of the columns `total` at `first` and `last_used_at` after it.
fn usage(row: &Row, first: usize) -> Result<Usage, Error> {
    Ok(Usage {
        total: row.try_get::<_, i64>(first)?.try_into().unwrap_or(0),
        last_used_at: row.try_get::<_, Option<i64>>(first + 1)?.map(Timestamp::from_seconds),
    })
}
