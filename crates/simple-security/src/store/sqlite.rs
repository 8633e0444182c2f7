//! The SQLite store: one file, one host, many processes.
//!
//! One writer at a time, over all processes: a lock on a file beside the database, then `BEGIN
//! IMMEDIATE`. Readers never wait for it (write-ahead log). A commit is on the disk when it
//! returns (`synchronous = FULL`).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior};
use rustix::fs::FlockOperation;

use self::errors::translate;
use self::open::{Identity, identity};
use self::side_lock::SideFile;
use super::{
    ChangeMark, Changed, KeyChange, KeyStore, Reading, StoreError, StoreFuture, UsageBatch,
};
use crate::key::KeyDigest;
use crate::record::{KeyId, KeyName, KeyRecord, KeyReference, Timestamp, Usage};

mod errors;
mod old_table;
mod open;
mod side_lock;

/// How many rows of the change log are kept. A process that has slept through more forgets all
/// that it has cached.
const KEPT_CHANGES: i64 = 10_000;
/// How long the number of a batch is remembered, in seconds: far longer than any retry.
const KEPT_BATCHES: i64 = 86_400;

const COLUMNS: &str = "k.id, k.name, k.created_at, k.expires_at, k.never_expires, k.revoked_at";

/// Keys in an SQLite database of their own.
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    path: PathBuf,
    lease: Duration,
    database: RwLock<Arc<Database>>,
    /// Held shared while this process relies on the generated admin secret.
    admin_secret: Mutex<Option<SideFile>>,
}

/// The connections to one file. Each has one use, so that none waits for another's.
struct Database {
    identity: Identity,
    writer: Mutex<Writer>,
    /// Looks keys up for requests, on the event loop of a web server: nothing long runs here.
    reader: Mutex<Connection>,
    /// Reads lists, which may take long.
    lister: Mutex<Connection>,
    watch: Mutex<Watch>,
}

struct Writer {
    connection: Connection,
    side: SideFile,
}

/// Notices commits of others. `PRAGMA data_version` tells of them only on a connection that does
/// nothing else (<https://sqlite.org/pragma.html#pragma_data_version>).
struct Watch {
    connection: Connection,
    /// The version at the last reading, and the row of the log that it named.
    last: Option<(i64, ChangeMark)>,
}

impl SqliteStore {
    /// Opens the database at `path`, and makes it where there is none. A file of the old package
    /// is taken over.
    ///
    /// # Errors
    /// [`StoreError`] says what is wrong with the place or the file. The file is as it was then.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        require_safe_sqlite(rusqlite::version_number(), rusqlite::version())?;
        let path = open::resolve(path)?;
        let (database, lease) = Database::open(&path)?;
        Ok(Self(Arc::new(Inner {
            path,
            lease,
            database: RwLock::new(Arc::new(database)),
            admin_secret: Mutex::new(None),
        })))
    }

    /// Writes on a thread that may wait: tokio's where there is a runtime, else the caller's.
    fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        self.blocking(move |inner| inner.write(doing, work))
    }

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
}

impl KeyStore for SqliteStore {
    fn lease(&self) -> Duration {
        self.0.lease
    }

    fn insert<'a>(&'a self, digest: KeyDigest, record: &'a KeyRecord) -> StoreFuture<'a, ()> {
        let record = record.clone();
        self.write("adding a key", move |transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO api_keys (id, digest, name, created_at, expires_at, never_expires, revoked_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute((
                    record.id.as_str(),
                    digest.as_bytes(),
                    record.name.as_str(),
                    record.created_at.seconds(),
                    record.expires_at.seconds(),
                    record.never_expires,
                    record.revoked_at.map(Timestamp::seconds),
                ))?;
            prune_changes(transaction)
        })
    }

    /// Read in place: a look-up by primary key takes some microseconds.
    fn find(&self, key: KeyReference) -> StoreFuture<'_, Option<KeyRecord>> {
        Box::pin(std::future::ready(self.0.find(key)))
    }

    fn change(&self, id: KeyId, change: KeyChange) -> StoreFuture<'_, Option<KeyRecord>> {
        self.write("changing a key", move |transaction| {
            let Some(before) = record_by_id(transaction, id)? else { return Ok(None) };
            match change {
                KeyChange::Revoke { at } => transaction
                    .prepare_cached(
                        "UPDATE api_keys SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL",
                    )?
                    .execute((id.as_str(), at.seconds()))?,
                KeyChange::Renew { expires_at } => transaction
                    .prepare_cached(
                        "UPDATE api_keys SET expires_at = ?2, revoked_at = NULL WHERE id = ?1",
                    )?
                    .execute((id.as_str(), expires_at.seconds()))?,
            };
            prune_changes(transaction)?;
            Ok(Some(before))
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<(KeyRecord, Usage)>> {
        self.blocking(|inner| {
            let database = inner.database()?;
            let lister = lock(&database.lister);
            let read = || {
                lister
                    .prepare_cached(&format!(
                        "SELECT {COLUMNS}, coalesce(u.total, 0), u.last_used_at
                         FROM api_keys AS k LEFT JOIN key_usage AS u USING (id)
                         ORDER BY u.last_used_at DESC NULLS LAST, k.created_at, k.id"
                    ))?
                    .query_map([], |row| Ok((record(row)?, usage(row, 6)?)))?
                    .collect::<rusqlite::Result<_>>()
            };
            read().map_err(|error| translate(&inner.path, "listing keys", error))
        })
    }

    fn usage(&self, id: KeyId) -> StoreFuture<'_, Option<Usage>> {
        self.blocking(move |inner| {
            let database = inner.database()?;
            let lister = lock(&database.lister);
            lister
                .prepare_cached(
                    "SELECT coalesce(u.total, 0), u.last_used_at
                     FROM api_keys AS k LEFT JOIN key_usage AS u USING (id) WHERE k.id = ?1",
                )
                .and_then(|mut statement| {
                    statement.query_row([id.as_str()], |row| usage(row, 0)).optional()
                })
                .map_err(|error| translate(&inner.path, "reading usage", error))
        })
    }

    fn add_usage<'a>(&'a self, batch: &'a UsageBatch) -> StoreFuture<'a, ()> {
        let batch = batch.clone();
        self.write("writing usage", move |transaction| add_usage(transaction, &batch))
    }

    fn reading(&self, after: Option<ChangeMark>) -> StoreFuture<'_, Reading> {
        Box::pin(std::future::ready(self.0.reading(after)))
    }

    fn agree_on_admin_secret(&self, offered: KeyDigest) -> StoreFuture<'_, KeyDigest> {
        Box::pin(std::future::ready(self.0.agree_on_admin_secret(offered)))
    }
}

impl Inner {
    /// The database as it is now: opened anew when another file was put in its place.
    fn database(&self) -> Result<Arc<Database>, StoreError> {
        let found = identity(&self.path)?;
        let current = self.current();
        if current.identity == found {
            return Ok(current);
        }
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if database.identity != identity(&self.path)? {
            tracing::warn!(
                "{} was replaced by another file; it is opened anew",
                self.path.display()
            );
            *database = Arc::new(Database::open(&self.path)?.0);
        }
        Ok(Arc::clone(&database))
    }

    fn current(&self) -> Arc<Database> {
        Arc::clone(&self.database.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(
        &self,
        doing: &str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let failed = |error| translate(&self.path, doing, error);
        let database = self.database()?;
        let Writer { connection, side } = &mut *lock(&database.writer);
        let _held = side.lock()?;
        // Asked again under the lock: what is written to a file that was replaced is lost.
        if identity(&self.path)? != database.identity {
            return Err(StoreError::Busy { source: None });
        }
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let done = work(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(done)
    }

    fn find(&self, key: KeyReference) -> Result<Option<KeyRecord>, StoreError> {
        let database = self.current();
        let reader = lock(&database.reader);
        match key {
            KeyReference::Id(id) => record_by_id(&reader, id),
            KeyReference::Digest(digest) => reader
                .prepare_cached(&format!("SELECT {COLUMNS} FROM api_keys AS k WHERE digest = ?1"))
                .and_then(|mut statement| {
                    statement.query_row([digest.as_bytes()], record).optional()
                }),
        }
        .map_err(|error| translate(&self.path, "looking up a key", error))
    }

    fn reading(&self, after: Option<ChangeMark>) -> Result<Reading, StoreError> {
        let failed = |error| translate(&self.path, "reading the change log", error);
        let database = self.database()?;
        let mut watch = lock(&database.watch);
        // The version is taken before the rows. A commit between the two is read twice; the
        // other way round it would be missed for ever.
        let version = watch
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(failed)?;
        if let (Some(after), Some((last, mark))) = (after, watch.last)
            && (last, mark) == (version, after)
        {
            return Ok(Reading { changed: Changed::Keys(Vec::new()), mark });
        }
        let reading = read_changes(&mut lock(&database.reader), after).map_err(failed)?;
        watch.last = Some((version, reading.mark));
        Ok(reading)
    }

    fn agree_on_admin_secret(&self, offered: KeyDigest) -> Result<KeyDigest, StoreError> {
        let mut ours = lock(&self.admin_secret);
        let side = SideFile::open(&self.path, "secret-lock")?;
        let agreed = self.write("agreeing on an admin secret", |transaction| {
            // All that agree hold the write lock now. Who can have this one alone is the first.
            let alone = side.try_lock(FlockOperation::NonBlockingLockExclusive).map_err(other)?;
            side.try_lock(FlockOperation::NonBlockingLockShared).map_err(other)?;
            if alone {
                transaction.execute(
                    "INSERT INTO settings (name, value) VALUES ('admin_secret_digest', ?1)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    [offered.as_bytes()],
                )?;
                return Ok(offered);
            }
            transaction.query_row(
                "SELECT value FROM settings WHERE name = 'admin_secret_digest'",
                [],
                |row| row.get(0).map(KeyDigest::from_bytes),
            )
        })?;
        *ours = Some(side);
        Ok(agreed)
    }
}

impl Database {
    fn open(path: &Path) -> Result<(Self, Duration), StoreError> {
        open::inspect(path)?;
        let mut side = SideFile::open(path, "write-lock")?;
        let writer = open::open_writer(path, &mut side)?;
        let found = identity(path)?;
        let lease: i64 = writer
            .query_row("SELECT value FROM settings WHERE name = 'lease_microseconds'", [], |row| {
                row.get(0)
            })
            .map_err(|error| translate(path, "reading the lease", error))?;
        let database = Self {
            identity: found,
            writer: Mutex::new(Writer { connection: writer, side }),
            reader: Mutex::new(open::open_reader(path)?),
            lister: Mutex::new(open::open_reader(path)?),
            watch: Mutex::new(Watch { connection: open::open_reader(path)?, last: None }),
        };
        Ok((database, Duration::from_micros(lease.try_into().unwrap_or(0))))
    }
}

/// Versions before 3.51.3 can corrupt a write-ahead log when two connections write and
/// checkpoint at once (<https://sqlite.org/wal.html>, "The WAL-Reset Bug"); 3.52.0 was withdrawn.
fn require_safe_sqlite(number: i32, version: &str) -> Result<(), StoreError> {
    if number < 3_051_003 || number == 3_052_000 {
        return Err(StoreError::UnsafeSqlite { version: version.to_owned() });
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Carries an error of ours through a transaction.
fn other(error: StoreError) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

fn record_by_id(connection: &Connection, id: KeyId) -> rusqlite::Result<Option<KeyRecord>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM api_keys AS k WHERE id = ?1"))?
        .query_row([id.as_str()], record)
        .optional()
}

/// A record of the columns [`COLUMNS`].
fn record(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    let id: String = row.get(0)?;
    let time = |index| row.get(index).map(Timestamp::from_seconds);
    Ok(KeyRecord {
        id: id.parse().map_err(|error: crate::InvalidKeyId| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
        })?,
        name: KeyName::repaired(&row.get::<_, String>(1)?),
        created_at: time(2)?,
        expires_at: time(3)?,
        never_expires: row.get(4)?,
        revoked_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_seconds),
    })
}

/// Usage of the columns `total` at `first` and `last_used_at` after it.
fn usage(row: &Row<'_>, first: usize) -> rusqlite::Result<Usage> {
    Ok(Usage {
        total: row.get::<_, i64>(first)?.try_into().unwrap_or(0),
        last_used_at: row.get::<_, Option<i64>>(first + 1)?.map(Timestamp::from_seconds),
    })
}

fn read_changes(reader: &mut Connection, after: Option<ChangeMark>) -> rusqlite::Result<Reading> {
    // One transaction, so that the row that was read last and those after it are of one state.
    let transaction = reader.transaction()?;
    let row = |row: &Row<'_>| {
        let mark = ChangeMark {
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
        let (mark, _) = transaction
            .prepare_cached(
                "SELECT position, mark, digest FROM key_changes ORDER BY position DESC LIMIT 1",
            )?
            .query_row([], row)?;
        return Ok(Reading { changed: Changed::Anything, mark });
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
    Ok(Reading { changed: Changed::Keys(digests), mark })
}

fn add_usage(transaction: &Transaction<'_>, batch: &UsageBatch) -> rusqlite::Result<()> {
    let written: Option<i64> = transaction
        .prepare_cached("SELECT number FROM usage_batches WHERE writer = ?1")?
        .query_row([&batch.writer], |row| row.get(0))
        .optional()?;
    if written.is_some_and(|written| written >= batch.number as i64) {
        return Ok(());
    }
    transaction
        .prepare_cached(
            "INSERT INTO usage_batches (writer, number, made_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (writer) DO UPDATE SET number = excluded.number, made_at = excluded.made_at",
        )?
        .execute((&batch.writer, batch.number as i64, batch.made_at.seconds()))?;
    transaction
        .prepare_cached("DELETE FROM usage_batches WHERE made_at < ?1")?
        .execute([batch.made_at.seconds() - KEPT_BATCHES])?;
    let mut add = transaction.prepare_cached(
        "INSERT INTO key_usage (id, total, last_used_at)
         SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM api_keys WHERE id = ?1)
         ON CONFLICT (id) DO UPDATE SET
             total = total + excluded.total,
             last_used_at = max(coalesce(last_used_at, excluded.last_used_at), excluded.last_used_at)",
    )?;
    for (id, count, last_used_at) in &batch.counts {
        add.execute((id.as_str(), *count as i64, last_used_at.seconds()))?;
    }
    Ok(())
}

fn prune_changes(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "DELETE FROM key_changes WHERE position <= (SELECT max(position) FROM key_changes) - ?1",
        )?
        .execute([KEPT_CHANGES])?;
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
