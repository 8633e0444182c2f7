//! The SQLite store: one file, one host, many processes.
//!
//! One writer at a time, over all processes: a lock on a file beside the database, then `BEGIN
//! IMMEDIATE`. Readers never wait for it (write-ahead log). A commit is on the disk when it
//! returns (`synchronous = FULL`).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Transaction;
use rustix::fs::FlockOperation;

use self::database::Database;
pub use self::legacy::read_old_keys;
use self::lock_file::LockFile;
use crate::admin::Actor;
use crate::key::{KeyDigest, KeyId};
use crate::page::PageRequest;
use crate::record::{KeyRecord, KeyReference, StoredKey, Timestamp, Usage};
use crate::store::{
    ChangeBatch, ChangeLog, Existing, Inserted, KeyRecords, KeySource, Lifecycle, LogPosition,
    OpenError, Operation, Outcome, SharedSecret, StoreError, StoreFuture, UsageBatch, UsageTotals,
};
use crate::sync::{Mutex, lock};

mod bulk;
mod change_log;
mod connect;
mod connections;
mod database;
mod errors;
mod file_identity;
mod legacy;
mod lock_file;
mod open;
mod ownership;
mod path;
mod rows;
mod schema;
mod statements;
mod triggers;

/// How long a writer waits for the others.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Keys in an SQLite database of their own.
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    file: Database,
    /// Held shared while this process relies on the generated admin secret.
    admin_secret: Mutex<Option<LockFile>>,
}

impl SqliteStore {
    /// Opens the database at `path`, and makes it where there is none. A file of the old package
    /// is taken over.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong with the place or the file. The file is as it was then.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with_timeout(path, WRITE_TIMEOUT)
    }

    /// Opens the database that is there, for one who wants to use it and not to begin one: none is
    /// made, and no file of the old package taken over.
    ///
    /// # Errors
    /// [`OpenError::Missing`] and [`OpenError::OldFile`], or those of [`SqliteStore::open`].
    pub fn open_existing(path: &Path) -> Result<Self, OpenError> {
        let resolved = path::resolve(path)?;
        if !resolved.exists() {
            return Err(OpenError::Missing { path: resolved });
        }
        // Before anything is opened: as root SQLite would make a log that lies there the owner's.
        ownership::check_files_beside(&resolved)?;
        if open::is_old(&resolved, WRITE_TIMEOUT) {
            return Err(OpenError::OldFile { path: resolved });
        }
        Self::open(&resolved)
    }

    /// [`SqliteStore::open`] with the time that a change waits for those of others before it fails
    /// with [`StoreError::Busy`]: 10 seconds unless said otherwise.
    ///
    /// # Errors
    /// Those of [`SqliteStore::open`].
    pub fn open_with_timeout(path: &Path, write_timeout: Duration) -> Result<Self, OpenError> {
        require_safe_sqlite(rusqlite::version_number(), rusqlite::version())?;
        let file = Database::open(path, write_timeout)?;
        Ok(Self(Arc::new(Inner { file, admin_secret: Mutex::new(None) })))
    }

    /// Works on a thread that may wait: tokio's where there is a runtime, else the caller's.
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        Box::pin(async move {
            let Ok(runtime) = tokio::runtime::Handle::try_current() else { return work(&self.0) };
            let inner = Arc::clone(&self.0);
            runtime.spawn_blocking(move || work(&inner)).await.unwrap_or_else(|error| {
                Err(StoreError::Failed {
                    reason: "the thread that works for the store has stopped".to_owned(),
                    source: Some(error.into()),
                })
            })
        })
    }

    fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.blocking(move |inner| inner.file.write(doing, work))
    }
}

impl KeyRecords for SqliteStore {
    fn commit<'a>(
        &'a self,
        operations: Vec<Operation>,
        _actor: &'a Actor,
    ) -> StoreFuture<'a, Vec<Outcome>> {
        self.write("changing keys", move |transaction| statements::commit(transaction, &operations))
    }

    fn insert_all<'a>(
        &'a self,
        keys: KeySource,
        existing: Existing,
        _actor: &'a Actor,
    ) -> StoreFuture<'a, Inserted> {
        self.write("adding keys", move |transaction| bulk::insert_all(transaction, keys, existing))
    }

    /// Read in place: a lookup by primary key takes some microseconds.
    fn find(&self, key: KeyReference) -> StoreFuture<'_, Option<KeyRecord>> {
        Box::pin(std::future::ready(self.0.file.lookup(|reader| match key {
            KeyReference::Id(id) => statements::record_by_id(reader, id),
            KeyReference::Digest(digest) => statements::record_by_digest(reader, digest),
        })))
    }

    fn page<'a>(
        &'a self,
        request: &'a PageRequest,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<StoredKey>> {
        let request = request.clone();
        self.blocking(move |inner| {
            inner.file.list("listing keys", |reader| statements::page(reader, &request, now))
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<(KeyRecord, Usage)>> {
        self.blocking(|inner| inner.file.list("listing keys", statements::list))
    }
}

impl UsageTotals for SqliteStore {
    fn usage(&self, id: KeyId) -> StoreFuture<'_, Option<Usage>> {
        self.blocking(move |inner| {
            inner.file.list("reading usage", |reader| statements::usage(reader, id))
        })
    }

    fn add_usage<'a>(&'a self, batch: &'a UsageBatch) -> StoreFuture<'a, ()> {
        let batch = batch.clone();
        self.write("writing usage", move |transaction| statements::add_usage(transaction, &batch))
    }
}

impl ChangeLog for SqliteStore {
    fn lease(&self) -> Duration {
        self.0.file.lease()
    }

    /// Read in place, as [`KeyRecords::find`] is.
    fn changes_since(&self, after: Option<LogPosition>) -> StoreFuture<'_, ChangeBatch> {
        Box::pin(std::future::ready(self.0.file.changes_since(after)))
    }
}

impl SharedSecret for SqliteStore {
    fn agree_on_admin_secret(&self, offered: KeyDigest) -> StoreFuture<'_, Option<KeyDigest>> {
        Box::pin(std::future::ready(self.0.agree_on_admin_secret(offered).map(Some)))
    }
}

impl Lifecycle for SqliteStore {
    fn suspend(&self) {
        self.0.file.suspend();
    }

    fn resume(&self) {
        self.0.file.resume();
    }
}

impl Inner {
    fn agree_on_admin_secret(&self, offered: KeyDigest) -> Result<KeyDigest, StoreError> {
        let mut ours = lock(&self.admin_secret);
        let side = LockFile::open(self.file.path(), "secret-lock")?;
        let agreed = self.file.write("agreeing on an admin secret", |transaction| {
            // All that agree hold the write lock now. Who can have this one alone is the first.
            let alone = side.try_lock(FlockOperation::NonBlockingLockExclusive)?;
            side.try_lock(FlockOperation::NonBlockingLockShared)?;
            if alone {
                statements::set_admin_secret(transaction, offered)?;
                return Ok(offered);
            }
            statements::admin_secret(transaction)
        })?;
        *ours = Some(side);
        Ok(agreed)
    }
}

/// Versions before 3.51.3 can corrupt a write-ahead log when two connections write and
/// checkpoint at once (<https://sqlite.org/wal.html>, "The WAL-Reset Bug"); 3.52.0 was withdrawn.
fn require_safe_sqlite(number: i32, version: &str) -> Result<(), OpenError> {
    if number < 3_051_003 || number == 3_052_000 {
        return Err(OpenError::UnsafeSqlite { version: version.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sqlite_inside_is_safe_and_the_unsafe_ones_are_refused() {
        assert!(require_safe_sqlite(rusqlite::version_number(), rusqlite::version()).is_ok());
        assert!(require_safe_sqlite(3_051_002, "3.51.2").is_err());
        assert!(require_safe_sqlite(3_052_000, "3.52.0").is_err());
        assert!(require_safe_sqlite(3_053_000, "3.53.0").is_ok());
    }
}
