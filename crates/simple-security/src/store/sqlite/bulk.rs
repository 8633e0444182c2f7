//! Adding many keys in one transaction.

use rusqlite::Transaction;

use super::super::{Existing, Inserted, KeySource, StoreError};
use super::change_log::{self, KEPT};
use super::statements;
use crate::record::{StoredKey, Timestamp, Usage};

/// How much of the file is kept in memory while many keys are added, in KiB.
const BULK_CACHE: i64 = 262_144;
/// And else: what SQLite keeps when nothing is said.
const USUAL_CACHE: i64 = 2_000;

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
    // Not by `ON CONFLICT`: before SQLite finds the conflict, a trigger logs the key that is in the
    // way as replaced.
    let mut insert = transaction.prepare_cached(
        "INSERT INTO api_keys (id, digest, name, created_at, expires_at, never_expires, revoked_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
         WHERE NOT EXISTS (SELECT 1 FROM api_keys WHERE id = ?1)
             AND NOT EXISTS (SELECT 1 FROM api_keys WHERE digest = ?2)",
    )?;
    let before = change_log::end(transaction)?;
    let mut done = Inserted::default();
    for (position, key) in (0..).zip(keys) {
        let StoredKey { digest, record, usage } = key?;
        let added = insert.execute((
            record.id.as_str(),
            digest.as_bytes(),
            record.name.as_str(),
            record.created_at.seconds(),
            record.expires_at.seconds(),
            record.never_expires,
            record.revoked_at.map(Timestamp::seconds),
        ))?;
        if added == 0 {
            match existing {
                Existing::Refuse => return Err(StoreError::DuplicateAt { position }.into()),
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
