//! The Redis store: one primary, many hosts.
//!
//! Every operation is one script, or some in a row, so that it is done whole and in an order that
//! all see. The position of a change is handed out in its script. Each script first looks whether
//! the store is still the one that was opened: a server that came back empty knows no key, and that
//! must not be taken for "there is no such key".

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;
use tokio::sync::Notify;

use self::connect::Connector;
use self::line::Line;
use super::network::{self, Bounds, Worker};
use super::{
    ChangeMark, Existing, Inserted, KeySource, KeyStore, Reading, Refresh, StoreError, StoreFuture,
    UsageBatch,
};
use crate::config::Server;
use crate::key::{KeyDigest, KeyId};
use crate::page::PageRequest;
use crate::record::{KeyChange, KeyRecord, KeyReference, StoredKey, Timestamp, Usage};

mod bulk;
mod changes;
mod connect;
mod errors;
mod line;
mod listen;
mod open;
mod pages;
mod readings;
mod rows;
mod scripts;
mod suitable;
mod tls;
mod usage;

/// How long a look-up or a reading may take, with connecting.
const LOOK_UP: Duration = Duration::from_secs(1);
/// How long a change, or a batch of counts, may take.
const CHANGE: Duration = Duration::from_secs(10);
/// How long some hundred keys of a list, or of an import, may take.
const CHUNK: Duration = Duration::from_secs(60);

/// Keys on a Redis server, 6.2 or later, or a Valkey.
pub struct RedisStore {
    worker: Worker,
    inner: Arc<Inner>,
}

struct Inner {
    connector: Arc<Connector>,
    /// For what must be quick.
    look_ups: Line,
    /// For all else.
    others: Line,
    /// The store that was opened, 16 bytes in hexadecimal.
    id: String,
    bounds: Bounds,
}

impl RedisStore {
    /// Opens the store on a server. None is made: a server that has lost its keys would be taken
    /// for a new one.
    ///
    /// # Errors
    /// [`StoreError::NotMade`] where there is none; else what is wrong with the server.
    pub fn open(server: &Server) -> Result<Self, StoreError> {
        Self::start(server, false)
    }

    /// Makes a store on a server that has none, and opens it. One that is there is left as it is.
    ///
    /// # Errors
    /// Those of [`RedisStore::open`], apart from [`StoreError::NotMade`].
    pub fn make(server: &Server) -> Result<Self, StoreError> {
        Self::start(server, true)
    }

    fn start(server: &Server, make: bool) -> Result<Self, StoreError> {
        let worker = Worker::start()?;
        let connector = Arc::new(Connector::new(server)?);
        let server = server.clone();
        let opening = open::open(Arc::clone(&connector), server, make);
        let (id, bounds) = worker.wait_for(opening)?;
        let line = || Line::new(Arc::clone(&connector));
        let (look_ups, others) = (line(), line());
        Ok(Self { worker, inner: Arc::new(Inner { connector, look_ups, others, id, bounds }) })
    }

    /// Does some work on the threads of the store.
    fn work<T: Send + 'static, F: Future<Output = Result<T, StoreError>> + Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Inner>) -> F,
    ) -> StoreFuture<'_, T> {
        let work = work(Arc::clone(&self.inner));
        Box::pin(self.worker.run(work))
    }
}

impl KeyStore for RedisStore {
    fn lease(&self) -> Duration {
        self.inner.bounds.lease()
    }

    fn stale_if_error(&self) -> Duration {
        self.inner.bounds.stale_if_error
    }

    fn bound(&self) -> Duration {
        self.inner.bounds.bound()
    }

    fn is_embedded(&self) -> bool {
        false
    }

    fn keep_fresh(&self, refresh: Refresh) {
        let (connector, id) = (Arc::clone(&self.inner.connector), self.inner.id.clone());
        let lease = self.lease();
        self.worker.spawn(async move {
            let hint = Notify::new();
            let refreshing = pin!(network::keep_fresh(refresh, &hint, lease));
            let listening = pin!(listen::listen(&connector, &id, &hint));
            // Nobody needs to listen when nobody reads any more.
            select(refreshing, listening).await;
        });
    }

    fn insert<'a>(&'a self, digest: KeyDigest, record: &'a KeyRecord) -> StoreFuture<'a, ()> {
        let key = StoredKey { digest, record: record.clone(), usage: Usage::default() };
        self.work(|inner| async move { changes::insert(&inner, key).await })
    }

    fn insert_all(&self, keys: KeySource, existing: Existing) -> StoreFuture<'_, Inserted> {
        self.work(|inner| async move { bulk::insert_all(&inner, keys, existing).await })
    }

    fn find(&self, key: KeyReference) -> StoreFuture<'_, Option<KeyRecord>> {
        self.work(move |inner| async move { readings::find(&inner, key).await })
    }

    fn change(
        &self,
        id: KeyId,
        change: KeyChange,
    ) -> StoreFuture<'_, Option<(KeyDigest, KeyRecord)>> {
        self.work(move |inner| async move { changes::change(&inner, id, &change).await })
    }

    fn delete(&self, id: KeyId) -> StoreFuture<'_, Option<KeyDigest>> {
        self.work(move |inner| async move { changes::delete(&inner, id).await })
    }

    fn page<'a>(
        &'a self,
        request: &'a PageRequest,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<StoredKey>> {
        let request = request.clone();
        self.work(move |inner| async move { pages::page(&inner, &request, now).await })
    }

    fn list(&self) -> StoreFuture<'_, Vec<(KeyRecord, Usage)>> {
        self.work(|inner| async move { pages::list(&inner).await })
    }

    fn usage(&self, id: KeyId) -> StoreFuture<'_, Option<Usage>> {
        self.work(move |inner| async move { pages::usage(&inner, id).await })
    }

    fn add_usage<'a>(&'a self, batch: &'a UsageBatch) -> StoreFuture<'a, ()> {
        let batch = batch.clone();
        self.work(|inner| async move { usage::add(&inner, batch).await })
    }

    fn reading(&self, after: Option<ChangeMark>) -> StoreFuture<'_, Reading> {
        self.work(move |inner| async move { readings::reading(&inner, after).await })
    }

    fn agree_on_admin_secret(&self, _offered: KeyDigest) -> StoreFuture<'_, Option<KeyDigest>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    // There is nothing to let go of before a fork: the child never touches the engine of its
    // parent, and opens one of its own; what is sent on a connection is sent by the threads of the
    // store, and those are not in the child.
}
