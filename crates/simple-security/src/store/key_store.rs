//! What the engine asks of a store, by concern.

use std::pin::Pin;
use std::time::Duration;

use super::bulk::{Existing, Inserted, KeySource};
use super::change_log::{ChangeBatch, LogPosition, Poll};
use super::error::StoreError;
use super::operation::{Operation, Outcome};
use super::usage_batch::UsageBatch;
use crate::admin::Actor;
use crate::key::{KeyDigest, KeyId};
use crate::page::PageRequest;
use crate::record::{KeyRecord, KeyReference, StoredKey, Timestamp, Usage};

/// What a store gives back: an embedded one has done the work when it is first polled.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store: records, usage, the log of changes, the shared admin secret, and its life.
///
/// Every change of a key takes the next position of the change log, in the same transaction, and
/// positions are handed out in the order of commits. A change that leaves its key as it was takes one
/// too: what other processes have cached may be older than the store. Usage is no such change.
/// `simple_security::testing::CHECKS` checks all of this, except behaviour during an outage.
pub trait KeyStore:
    KeyRecords + UsageTotals + ChangeLog + SharedSecret + Lifecycle + Send + Sync + 'static
{
}

impl<T> KeyStore for T where
    T: KeyRecords + UsageTotals + ChangeLog + SharedSecret + Lifecycle + Send + Sync + 'static
{
}

/// The records of keys.
///
/// Every change names its [`Actor`].
pub trait KeyRecords {
    /// Makes all of these operations in one transaction, or none of them. Each is about another key: an
    /// insertion cannot rely on a digest that a deletion of the same commit frees.
    /// Returns the keys before and after, as the store has them, in the order of the operations.
    ///
    /// # Errors
    /// Nothing is changed then, unless said otherwise; a position is that of one of the operations that
    /// cannot be made. [`StoreError::Duplicate`] when the id or the
    /// digest of a new key is taken; [`StoreError::NotFound`] when there is no such key;
    /// [`StoreError::NotLogged`] when the change log did not record a change;
    /// [`StoreError::NotApplied`] when another trigger has undone one.
    fn commit<'a>(
        &'a self,
        operations: Vec<Operation>,
        actor: &'a Actor,
    ) -> StoreFuture<'a, Vec<Outcome>>;

    /// Adds many keys with their usage in one transaction: all of them, or none. A key that exists
    /// stays as it is.
    ///
    /// Other writers wait until it is done, so `keys` should yield without waiting.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the id or the digest of one is taken, also by one before
    /// it, unless `existing` says that it is left out; or the first error that `keys` gives.
    fn insert_all<'a>(
        &'a self,
        keys: KeySource,
        existing: Existing,
        actor: &'a Actor,
    ) -> StoreFuture<'a, Inserted>;

    /// The record of a key, as the last commit before the call left it, or a later one.
    fn find(&self, key: KeyReference) -> StoreFuture<'_, Option<KeyRecord>>;

    /// The keys that a request asks for, by the order of a [`Cursor`](crate::Cursor): at most
    /// `request.limit` of them. `now` tells which have expired.
    fn page<'a>(
        &'a self,
        request: &'a PageRequest,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<StoredKey>>;

    /// All records with their usage, last used first, never used last, then by age and id.
    fn list(&self) -> StoreFuture<'_, Vec<(KeyRecord, Usage)>>;
}

/// How often keys were accepted.
pub trait UsageTotals {
    /// The usage of one key; `None` when there is no such key.
    fn usage(&self, id: KeyId) -> StoreFuture<'_, Option<Usage>>;

    /// Adds a batch of counts to the totals and raises the dates of last use, once: a batch whose
    /// number was already added by its writer changes nothing. Counts of keys that are gone are
    /// dropped.
    fn add_usage<'a>(&'a self, batch: &'a UsageBatch) -> StoreFuture<'a, ()>;
}

/// The log of changes, and for how long an answer may be used.
pub trait ChangeLog {
    /// How long an answer may be used after a poll was begun. It is kept in the store, so that
    /// all processes have the same.
    fn lease(&self) -> Duration;

    /// For how long more an answer may be used while polls fail because the store is down. It
    /// is kept in the store too.
    fn stale_if_error(&self) -> Duration {
        Duration::ZERO
    }

    /// How long after a commit an answer from before it may be used, for display.
    fn bound(&self) -> Duration {
        self.lease() + self.stale_if_error()
    }

    /// What has changed since the row of the log that an earlier poll named.
    ///
    /// All changes that were committed before the call are in it. Without `after`, or when the
    /// log lacks that row, anything may have changed.
    fn changes_since(&self, after: Option<LogPosition>) -> StoreFuture<'_, ChangeBatch>;

    /// Calls `refresh` from now on: soon after a change that the store hears of, and often enough
    /// that the lease does not end. An embedded store need not: a poll
    /// costs nothing there.
    ///
    /// Nothing relies on it but speed.
    fn poll_changes(&self, _refresh: Poll) {}
}

/// The generated admin secret, which processes share.
pub trait SharedSecret {
    /// Agrees with all processes that have the store open on one generated admin secret: the
    /// offered one when no process has one, else theirs. It holds while one of them lives.
    ///
    /// `None` from a store that many machines share: they have no way to know who lives.
    fn agree_on_admin_secret(&self, offered: KeyDigest) -> StoreFuture<'_, Option<KeyDigest>>;
}

/// Where a store works, and what it does around a fork.
pub trait Lifecycle {
    /// Whether a lookup and a poll take some microseconds, and are done when they are first
    /// polled. One that is not embedded is asked over a network.
    fn is_embedded(&self) -> bool {
        true
    }

    /// Makes ready for a fork. An embedded store finishes what is being done and lets go of all that
    /// a child must not inherit; calls wait until [`Lifecycle::resume`]. One on the network need do
    /// nothing: what a child has of it is dead, and harmless while the child does not touch it.
    fn suspend(&self) {}

    /// Ends one [`Lifecycle::suspend`].
    fn resume(&self) {}
}
