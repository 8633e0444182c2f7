//! Adding many keys in one transaction.

use std::sync::LazyLock;

use rusqlite::{Transaction, params_from_iter};

use super::change_log::{self, KEPT};
use super::{rows, statements};
use crate::record::{StoredKey, Usage};
use crate::store::{Existing, Inserted, KeySource, StoreError};

/// How much of the file is kept in memory while many keys are added, in KiB.
const BULK_CACHE: i64 = 262_144;
/// And else: what SQLite keeps when nothing is said.
const USUAL_CACHE: i64 = 2_000;

/// Adds a key unless its id or its digest is taken. Not by `ON CONFLICT`: before SQLite finds the conflict,
/// a trigger logs the key that is in the way as replaced.
static INSERT_NEW: LazyLock<String> = LazyLock::new(|| {
    let number = |name| rows::KEY.iter().position(|column| *column == name).map_or(0, |at| at + 1);
    let values: Vec<_> = (1..=rows::KEY.len()).map(|number| format!("?{number}")).collect();
    format!(
        "INSERT INTO api_keys ({}) SELECT {}
         WHERE NOT EXISTS (SELECT 1 FROM api_keys WHERE id = ?{})
             AND NOT EXISTS (SELECT 1 FROM api_keys WHERE digest = ?{})",
        rows::KEY.join(", "),
        values.join(", "),
        number("id"),
        number("digest")
    )
});

/// Adds many keys: all, or none when the caller rolls back after an error.
pub(super) fn insert_all(
    transaction: &Transaction<'_>,
    keys: KeySource,
    existing: Existing,
) -> rusqlite::Result<Inserted> {
    // Digests come in no order, so that each goes to another page of the index. With the usual
    // 2 MB of cache a million keys take many times as long, and others wait for all of it.
    transaction.pragma_update(None, "cache_size", -BULK_CACHE)?;
    let inserted = insert_each(transaction, keys, existing);
    transaction.pragma_update(None, "cache_size", -USUAL_CACHE)?;
    inserted
}

fn insert_each(
    transaction: &Transaction<'_>,
    keys: KeySource,
    existing: Existing,
) -> rusqlite::Result<Inserted> {
    let mut insert = transaction.prepare_cached(&INSERT_NEW)?;
    let before = change_log::end(transaction)?;
    let mut done = Inserted::default();
    for (position, key) in (0..).zip(keys) {
        let StoredKey { digest, record, usage } = key?;
        let added = insert.execute(params_from_iter(rows::encode(&digest, &record)))?;
        if added == 0 {
            match existing {
                Existing::Refuse => return Err(StoreError::Duplicate { position }.into()),
                Existing::Skip => done.skipped += 1,
            }
            continue;
        }
        done.added += 1;
        if usage != Usage::default() {
            statements::insert_usage(transaction, record.id, usage)?;
        }
        // The log never becomes longer than twice what is kept of it, in the file neither.
        if done.added.is_multiple_of(KEPT as u64) {
            change_log::prune(transaction)?;
        }
    }
    change_log::require(transaction, before, done.added)?;
    change_log::prune(transaction)?;
    Ok(done)
}
