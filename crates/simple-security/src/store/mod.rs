//! Where keys are kept: what the engine asks of a store.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Location;
use crate::key::{KeyDigest, KeyId};
use crate::page::PageRequest;
use crate::random;
use crate::record::{KeyChange, KeyRecord, KeyReference, StoredKey, Timestamp, Usage};

mod error;
mod memory;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod network;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
mod sqlite;

pub use error::{BoxedError, StoreError};
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
/// Every change of a key takes the next position of the change log, in the same transaction, and
/// positions are handed out in the order of commits. A change that leaves its key as it was takes one
/// too: what other processes have cached may be older than the store. Usage is no such change.
/// `simple_security::testing::CHECKS` checks what is said here, but for how long an outage lasts:
/// no check takes a store away.
pub trait KeyStore: Send + Sync + 'static {
    /// How long an answer may be used after a reading was begun. It is kept in the store, so that
    /// all processes have the same.
    fn lease(&self) -> Duration;

    /// For how long more an answer may be used while readings fail because the store is down. It
    /// is kept in the store too.
    fn stale_if_error(&self) -> Duration {
        Duration::ZERO
    }

    /// How long after a commit an answer from before it may be used, as people are told.
    fn bound(&self) -> Duration {
        self.lease() + self.stale_if_error()
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
    /// [`StoreError::Duplicate`] when the id or the digest is taken, or those of
    /// [`KeyStore::change`].
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
    /// Returns the digest and the record from before the change; `None` when there is no such key.
    ///
    /// # Errors
    /// [`StoreError::NotLogged`] when the change log did not record it. Nothing is changed then.
    fn change(
        &self,
        id: KeyId,
        change: KeyChange,
    ) -> StoreFuture<'_, Option<(KeyDigest, KeyRecord)>>;

    /// Permanently removes a key and its usage. Returns its digest; `None` when there is no such
    /// key.
    ///
    /// # Errors
    /// Those of [`KeyStore::change`].
    fn delete(&self, id: KeyId) -> StoreFuture<'_, Option<KeyDigest>>;

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

    /// Makes ready for a fork. An embedded store finishes what is being done and lets go of all that
    /// a child must not inherit; calls wait until [`KeyStore::resume`]. One on the network need do
    /// nothing: what a child has of it is dead, and harmless while nobody there touches it.
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
