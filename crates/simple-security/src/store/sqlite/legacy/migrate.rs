//! Migrates a database of 1.x: its table has keys in plain text, which become digests.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::read::{self, Fault, no_random_bytes};
use crate::clock::{Clock, SystemClock};
use crate::key::{KeyDigest, generate_id};
use crate::random;
use crate::store::StoreError;
use crate::store::sqlite::connect::write_ahead;
use crate::store::sqlite::errors::translate;
use crate::store::sqlite::schema::{LEGACY_TABLE, migrate};
use crate::store::sqlite::{change_log, statements};

/// Set while plain text may still be in free pages, so that an interrupted cleaning goes on.
const CLEANING: &str = "plaintext_cleaning";

/// How many keys were moved.
#[derive(Default)]
pub(in crate::store::sqlite) struct Moved {
    active: usize,
    revoked: usize,
    unreadable: usize,
}

impl Moved {
    /// Says so in the log: as a warning, because there is no way back and nobody should miss it.
    pub(in crate::store::sqlite) fn report(&self, path: &Path) {
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
pub(in crate::store::sqlite) fn take_over(
    writer: &mut Connection,
    path: &Path,
) -> Result<Moved, StoreError> {
    let failed = |error| translate(path, "moving the old keys", error);
    // Not yet in write-ahead mode: switching would write to a file that may have to stay as it
    // is. The connection overwrites with zeros what it deletes (`secure_delete`).
    let transaction =
        writer.transaction_with_behavior(TransactionBehavior::Exclusive).map_err(failed)?;
    migrate(&transaction, 0).map_err(failed)?;
    let moved = move_keys(&transaction, path)?;
    transaction
        .execute_batch(&format!(
            "DROP TABLE {LEGACY_TABLE};
             INSERT INTO settings (name, value) VALUES ('{CLEANING}', 1);"
        ))
        .map_err(failed)?;
    transaction.commit().map_err(failed)?;
    write_ahead(writer).map_err(failed)?;
    Ok(moved)
}

/// Removes what is left of the plain text in free pages and in the write-ahead log. When it
/// fails, for want of space perhaps, it is tried again at the next open.
pub(in crate::store::sqlite) fn finish_cleaning(writer: &Connection, path: &Path) {
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
pub(in crate::store::sqlite) fn make_private(path: &Path) {
    if let Err(error) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
        tracing::warn!(%error, "the mode of {} could not be set to 0600", path.display());
    }
}

fn move_keys(transaction: &Transaction<'_>, path: &Path) -> Result<Moved, StoreError> {
    let failed = |error| translate(path, "moving the old keys", error);
    let now = SystemClock.now();
    let mut moved = Moved::default();
    read::read_all(transaction, path, |mut key| {
        let taken = transaction
            .prepare_cached("SELECT 1 FROM api_keys WHERE digest = ?1")
            .and_then(|mut statement| statement.exists([key.digest.as_bytes()]))
            .map_err(failed)?;
        if taken {
            key.fault = Some(Fault::Key("its key is there twice"));
        }
        if let Some(Fault::Key(_)) = key.fault {
            // No key has this digest: nobody knows what it is the digest of.
            key.digest = KeyDigest::from_bytes(random::bytes().map_err(no_random_bytes)?);
        }
        key.active &= key.fault.is_none();
        let (active, digest, usage, fault) = (key.active, key.digest, key.usage, key.fault.take());
        let id = generate_id().map_err(no_random_bytes)?;
        statements::insert(transaction, digest, &key.record(id, now)).map_err(failed)?;
        statements::insert_usage(transaction, id, usage).map_err(failed)?;
        match fault {
            Some(fault) => {
                moved.unreadable += 1;
                let fault = fault.as_str();
                tracing::warn!("an old key could not be read, {fault}; it is kept revoked as {id}");
            }
            None if active => moved.active += 1,
            None => moved.revoked += 1,
        }
        Ok(())
    })?;
    change_log::prune(transaction).map_err(failed)?;
    Ok(moved)
}
