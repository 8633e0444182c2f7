//! Where keys are kept: what the engine asks of a store, and how a store says no.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Location;
use crate::key::KeyDigest;
use crate::page::PageRequest;
use crate::random;
use crate::record::{KeyEdit, KeyId, KeyRecord, KeyReference, StoredKey, Timestamp, Usage};

mod memory;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod network;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "redis")]
pub use redis::RedisStore;
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteStore, read_old_keys};

/// What a store gives back: an embedded one has done the work when it is first polled.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A place for records, usage, and the log of changes.
///
/// Every change of the state of a key takes the next position of the change log, in the same
/// transaction, and positions are handed out in the order of commits. Usage is no such change.
/// `simple_security::testing::CHECKS` checks all that is said here.
pub trait KeyStore: Send + Sync + 'static {
    /// How long an answer may be used after a reading was begun. It is kept in the store, so that
    /// all processes have the same.
    fn lease(&self) -> Duration;

    /// For how long more an answer may be used while readings fail because the store is down. It
    /// is kept in the store too.
    fn stale_if_error(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether a look-up and a reading take some microseconds, and are done when they are first
    /// polled. One that is not embedded is asked over a network.
    fn is_embedded(&self) -> bool {
        true
    }

    /// Calls `refresh` from now on: soon after something has changed, as far as the store learns of
    /// it, and often enough that the lease does not end. An embedded store need not: a reading
    /// costs nothing there.
    ///
    /// Nothing relies on it but speed.
    fn keep_fresh(&self, _refresh: Refresh) {}

    /// Adds a record, and never touches another.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the id or the digest is taken.
    fn insert<'a>(&'a self, digest: KeyDigest, record: &'a KeyRecord) -> StoreFuture<'a, ()>;

    /// Adds many keys with their usage in one transaction: all of them, or none. A key that exists
    /// stays as it is.
    ///
    /// Other writers wait meanwhile, so the keys should be there when they are asked for.
    ///
    /// # Errors
    /// [`StoreError::DuplicateAt`] when the id or the digest of one is taken, also by one before
    /// it, unless `existing` says that it is left out; or the first error that `keys` gives.
    fn insert_all(&self, keys: KeySource, existing: Existing) -> StoreFuture<'_, Inserted>;

    /// The record of a key, as the last commit before the call left it, or a later one.
    fn find(&self, key: KeyReference) -> StoreFuture<'_, Option<KeyRecord>>;

    /// Changes the fields that `change` names, and no other.
    ///
    /// Gives back the record as it was before; `None` when there is no such key.
    fn change(&self, id: KeyId, change: KeyChange) -> StoreFuture<'_, Option<KeyRecord>>;

    /// Removes a key and its usage, for ever. `false` when there is no such key.
    fn delete(&self, id: KeyId) -> StoreFuture<'_, bool>;

    /// The keys that a request asks for, by the order of a [`Cursor`](crate::Cursor): at most
    /// `request.limit` of them. `now` tells which have expired.
    fn page<'a>(
        &'a self,
        request: &'a PageRequest,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<StoredKey>>;

    /// All records with their usage, last used first, never used last, then by age and id.
    fn list(&self) -> StoreFuture<'_, Vec<(KeyRecord, Usage)>>;

    /// The usage of one key; `None` when there is no such key.
    fn usage(&self, id: KeyId) -> StoreFuture<'_, Option<Usage>>;

    /// Adds a batch of counts to the totals and raises the dates of last use, once: a batch whose
    /// number was already added by its writer changes nothing. Counts of keys that are gone are
    /// dropped.
    fn add_usage<'a>(&'a self, batch: &'a UsageBatch) -> StoreFuture<'a, ()>;

    /// What has changed since the row of the log that an earlier reading named.
    ///
    /// All changes that were committed before the call are in it. Without `after`, or when the
    /// log lacks that row, anything may have changed.
    fn reading(&self, after: Option<ChangeMark>) -> StoreFuture<'_, Reading>;

    /// Agrees with all processes that have the store open on one generated admin secret: the
    /// offered one when no process has one, else theirs. It holds while one of them lives.
    ///
    /// `None` from a store that many machines share: they have no way to know who lives.
    fn agree_on_admin_secret(&self, offered: KeyDigest) -> StoreFuture<'_, Option<KeyDigest>>;

    /// Finishes what is being done and lets go of all that a forked child must not inherit. Calls
    /// wait until [`KeyStore::resume`].
    fn suspend(&self) {}

    /// Ends one [`KeyStore::suspend`].
    fn resume(&self) {}
}

/// Opens the store at a location, and makes it where that is how its kind begins.
///
/// # Errors
/// [`StoreError`] says what is wrong with the place. What is there is as it was then.
pub fn open(location: &Location) -> Result<Arc<dyn KeyStore>, StoreError> {
    match location {
        #[cfg(feature = "sqlite")]
        Location::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path)?)),
        #[cfg(feature = "postgres")]
        Location::Postgres(server) => Ok(Arc::new(PostgresStore::open(server)?)),
        #[cfg(feature = "redis")]
        Location::Redis(server) => Ok(Arc::new(RedisStore::open(server)?)),
        #[allow(unreachable_patterns, reason = "where all stores are built in")]
        _ => Err(StoreError::NotBuiltIn { place: location.to_string() }),
    }
}

/// Makes a store where there is none, and opens it. One that is there is left as it is.
///
/// # Errors
/// [`StoreError`] says what is wrong with the place. What is there is as it was then.
pub fn make(location: &Location) -> Result<Arc<dyn KeyStore>, StoreError> {
    match location {
        #[cfg(feature = "redis")]
        Location::Redis(server) => Ok(Arc::new(RedisStore::make(server)?)),
        _ => open(location),
    }
}

/// Makes a reading, and says how it went.
pub type Refresh =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Refreshed> + Send>> + Send + Sync + 'static>;

/// How a reading that the store has asked for went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// The lease is renewed.
    Fresh,
    /// The store could not be read. It is worth trying again soon.
    Failed,
    /// Nobody needs it any more.
    Gone,
}

/// Where a store gets many keys from, one by one. After an error nothing more is asked for.
pub type KeySource = Box<dyn Iterator<Item = Result<StoredKey, StoreError>> + Send>;

/// What becomes of a key that is to be added, where its id or its digest is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Nothing is added.
    Refuse,
    /// It is left out.
    Skip,
}

/// How many keys were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inserted {
    /// Those that are new.
    pub added: u64,
    /// Those that were left out.
    pub skipped: u64,
}

/// One change of the state of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyChange {
    /// From now on it is refused. The date of an earlier revocation stays.
    Revoke {
        /// The time of day.
        at: Timestamp,
    },
    /// It has a new date of expiry, and is not revoked any more.
    Renew {
        /// From when on it is refused, unless it never expires.
        expires_at: Timestamp,
        /// Whether it is never refused for its age; `None`: as before.
        never_expires: Option<bool>,
    },
    /// Some of its fields have other values.
    Edit(KeyEdit),
}

impl KeyChange {
    /// Makes the change to a record.
    pub fn apply(self, record: &mut KeyRecord) {
        match self {
            Self::Revoke { at } => record.revoked_at = record.revoked_at.or(Some(at)),
            Self::Renew { expires_at, never_expires } => {
                record.expires_at = expires_at;
                record.never_expires = never_expires.unwrap_or(record.never_expires);
                record.revoked_at = None;
            }
            Self::Edit(KeyEdit { name, expires_at, never_expires }) => {
                record.expires_at = expires_at.unwrap_or(record.expires_at);
                record.never_expires = never_expires.unwrap_or(record.never_expires);
                if let Some(name) = name {
                    record.name = name;
                }
            }
        }
    }
}

/// Counts that one engine adds to the totals in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageBatch {
    /// The engine, by a random name that no other has.
    pub writer: [u8; 16],
    /// The number of the batch: each is greater than the one before.
    pub number: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// The keys, how often each was accepted, and when last.
    pub counts: Vec<(KeyId, u64, Timestamp)>,
}

impl UsageBatch {
    /// The first batch of a writer that is new: for one who adds some counts once.
    ///
    /// # Errors
    /// When the operating system cannot give random bytes.
    pub fn single(
        made_at: Timestamp,
        counts: Vec<(KeyId, u64, Timestamp)>,
    ) -> Result<Self, getrandom::Error> {
        Ok(Self { writer: random::bytes()?, number: 1, made_at, counts })
    }
}

/// One row of the change log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeMark {
    /// The position.
    pub position: u64,
    /// Random, so that a log that was restored or written anew is told from this one.
    pub mark: u64,
}

/// What a reading of the change log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The keys that changed.
    pub changed: Changed,
    /// The last row that was read.
    pub mark: ChangeMark,
}

/// Which keys changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// These, and no others.
    Keys(Vec<KeyDigest>),
    /// It cannot be told.
    Anything,
}

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file is no SQLite database, or a damaged one.
    #[error("{} is not an SQLite database, or it is damaged; it was left as it is. Name another file, or restore this one from a backup: stop all processes, and remove the -wal and -shm beside it", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: Option<BoxedError>,
    },
    /// The file is the database of something else.
    #[error("{} is the database of another application (it has {tables}); it was left as it is. Name a file of its own for the keys", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found in it.
        tables: String,
    },
    /// The old package's table shares its file with other tables.
    #[error("{path} holds the old keys beside other tables ({tables}); it was left as it is. Move the keys to a file of their own, and then name it: \
             sqlite3 {path} \".dump fastapi_simple_security\" | sqlite3 keys.db, and then sqlite3 {path} \"PRAGMA secure_delete=ON; DROP TABLE fastapi_simple_security; VACUUM;\"", path = path.display())]
    Shared {
        /// The file.
        path: PathBuf,
        /// The other tables.
        tables: String,
    },
    /// There is no file, and none was to be made.
    #[error("{} does not exist; name the file that the application uses", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is one of the old package, and was not to be taken over.
    #[error("{} is a database of fastapi_simple_security 1.x; it was left as it is. Start the new version of the application on it, or import it into a new database", path.display())]
    OldFile {
        /// The file.
        path: PathBuf,
    },
    /// The file has no table of the old package.
    #[error("{} has no keys of fastapi_simple_security 1.x", path.display())]
    NoOldTable {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of this software has written the file.
    #[error("{} was written by a newer version (schema {found}, this one knows up to {known}); it was left as it is. Install the newer version", path.display())]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// The file or its folder cannot be written.
    #[error("{} cannot be opened for writing: {reason}. The database needs a folder that this user may write to, because SQLite keeps files beside it", path.display())]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What is in the way.
        reason: String,
        /// What the operating system or SQLite said.
        source: Option<BoxedError>,
    },
    /// The path is a folder.
    #[error("{} is a folder; name a file in it, such as {}", path.display(), path.join("keys.db").display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// The file lies on a network file system, whose locks SQLite cannot trust.
    #[error("{} is on a network file system ({kind}), where SQLite loses data and changes are seen too late; use a local disk", path.display())]
    NetworkFileSystem {
        /// The file.
        path: PathBuf,
        /// Its name.
        kind: String,
    },
    /// The file was there when it was opened and is not any more.
    #[error("{} is gone; put it back, or stop this process and start it anew", path.display())]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// Another process holds the lock for longer than we wait.
    #[error(
        "the database is locked by another process; close the program that holds it, or ask again"
    )]
    Busy {
        /// What SQLite said.
        source: Option<BoxedError>,
    },
    /// No space is left.
    #[error("the disk that holds the database is full; free some space")]
    DiskFull {
        /// What SQLite said.
        source: Option<BoxedError>,
    },
    /// Another file was put at the path at this moment. Whether a change was made is not known.
    #[error("{} is being replaced by another file; ask again", path.display())]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// The id or the digest of a new record is taken.
    #[error("a key with this id or this text exists already")]
    Duplicate,
    /// The id or the digest of one of many new keys is taken. None of them was added.
    #[error("the key at position {position} exists already")]
    DuplicateAt {
        /// Which of them, counted from 0.
        position: u64,
    },
    /// Machines that share a store have no way to share a generated secret.
    #[error("machines that share a store cannot share a generated admin secret; set {setting}")]
    NoSharedSecret {
        /// The setting.
        setting: String,
    },
    /// The store on the network cannot be reached, or does not answer.
    #[error("{place} cannot be reached: {reason}")]
    Unreachable {
        /// Where it should be.
        place: String,
        /// What happened.
        reason: String,
        /// What the library said.
        source: Option<BoxedError>,
    },
    /// There is no store at the place, and none is made by opening it.
    #[error(
        "{place} has no keys of ours. If it is new, make a store there: `simple-security init`. If it had keys, it has lost them: restore it from a backup"
    )]
    NotMade {
        /// The place.
        place: String,
    },
    /// The place has another store than when it was opened.
    #[error("{place} is another store than the one that was opened; start this process anew")]
    AnotherStore {
        /// The place.
        place: String,
    },
    /// What this process is set to is not what the store has kept for all.
    #[error(
        "{place} was made with {setting}={kept}, and this process is set to {wanted}; leave the parameter away, or set all processes to that of the store"
    )]
    OtherBound {
        /// The place.
        place: String,
        /// The parameter.
        setting: &'static str,
        /// Its value in the store, in seconds.
        kept: f64,
        /// Its value here, in seconds.
        wanted: f64,
    },
    /// The server is set up so that it can lose what it has acknowledged.
    #[error(
        "{place} can lose keys and revocations: {reason}. Set it up as the documentation says (Scaling out), or add may_lose=true to the URL to take it as it is"
    )]
    NotDurable {
        /// The place.
        place: String,
        /// Which settings are wrong.
        reason: String,
    },
    /// The server is none that this software works with.
    #[error("{place} cannot be used: {reason}")]
    Unsuitable {
        /// The place.
        place: String,
        /// What is wrong with it, and what to do.
        reason: String,
        /// What the library said.
        source: Option<BoxedError>,
    },
    /// More keys that are not cached were presented than the store is asked for.
    #[error("more than {per_second} keys in a second were not cached; ask again later")]
    TooManyLookUps {
        /// How many the store is asked for.
        per_second: u32,
    },
    /// This program was built without the store of the location.
    #[error("{place}: this program was built without that store")]
    NotBuiltIn {
        /// The location.
        place: String,
    },
    /// The SQLite that was built in has known faults.
    #[error("SQLite {version} loses data under load; 3.51.3 or later is needed, and not 3.52.0")]
    UnsafeSqlite {
        /// Its version.
        version: String,
    },
    /// Anything else.
    #[error("the store failed: {reason}")]
    Failed {
        /// What was tried.
        reason: String,
        /// What went wrong.
        source: Option<BoxedError>,
    },
}

impl StoreError {
    /// Whether the store is down, as far as can be told: it may come back as it was.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// The cause of an error, from a library below.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;
