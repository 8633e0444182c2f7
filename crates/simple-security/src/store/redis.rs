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
use self::connection::SharedConnection;
use self::server::Server;
use crate::admin::Actor;
use crate::key::{KeyDigest, KeyId};
use crate::page::PageRequest;
use crate::record::{KeyRecord, KeyReference, StoredKey, Timestamp, Usage};
use crate::store::location;
use crate::store::network::{self, Worker};
use crate::store::{
    ChangeBatch, ChangeLog, Existing, Inserted, KeyRecords, KeySource, Lifecycle, LogPosition,
    OpenError, Operation, Outcome, Poll, SharedSecret, StoreError, StoreFuture, UsageBatch,
    UsageTotals,
};

mod bulk;
mod commit;
mod connect;
mod connection;
mod errors;
mod open;
mod pages;
mod query;
mod requirements;
mod rows;
mod scripts;
mod server;
mod subscribe;
mod tls;
mod usage;

/// Keys on a Redis server, 6.2 or later, or a Valkey.
pub struct RedisStore {
    worker: Worker,
    server: Arc<Server>,
}

impl RedisStore {
    /// Opens the store on a server. None is made: a server that has lost its keys would be taken
    /// for a new one.
    ///
    /// # Errors
    /// [`OpenError::NotMade`] where there is none; else what is wrong with the server.
    pub fn open(location: &location::Server) -> Result<Self, OpenError> {
        Self::start(location, false)
    }

    /// Makes a store on a server that has none, and opens it. One that is there is left as it is.
    ///
    /// # Errors
    /// Those of [`RedisStore::open`], apart from [`OpenError::NotMade`].
    pub fn make(location: &location::Server) -> Result<Self, OpenError> {
        Self::start(location, true)
    }

    fn start(location: &location::Server, make: bool) -> Result<Self, OpenError> {
        let worker = Worker::start()?;
        let connector = Arc::new(Connector::new(location)?);
        let opening = open::open(Arc::clone(&connector), location.clone(), make);
        let (id, bounds) = worker.wait_for(opening)?;
        let line = || SharedConnection::new(Arc::clone(&connector));
        let (lookups, others) = (line(), line());
        Ok(Self { worker, server: Arc::new(Server { connector, lookups, others, id, bounds }) })
    }

    /// Does some work on the threads of the store.
    fn work<T: Send + 'static, F: Future<Output = Result<T, StoreError>> + Send + 'static>(
        &self,
        work: impl FnOnce(Arc<Server>) -> F,
    ) -> StoreFuture<'_, T> {
        let work = work(Arc::clone(&self.server));
        Box::pin(self.worker.run(work))
    }
}

impl KeyRecords for RedisStore {
    fn commit<'a>(
        &'a self,
        operations: Vec<Operation>,
        _actor: &'a Actor,
    ) -> StoreFuture<'a, Vec<Outcome>> {
        self.work(|server| async move { commit::commit(&server, operations).await })
    }

    fn insert_all<'a>(
        &'a self,
        keys: KeySource,
        existing: Existing,
        _actor: &'a Actor,
    ) -> StoreFuture<'a, Inserted> {
        self.work(|server| async move { bulk::insert_all(&server, keys, existing).await })
    }

    fn find(&self, key: KeyReference) -> StoreFuture<'_, Option<KeyRecord>> {
        self.work(move |server| async move { query::find(&server, key).await })
    }

    fn page<'a>(
        &'a self,
        request: &'a PageRequest,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<StoredKey>> {
        let request = request.clone();
        self.work(move |server| async move { pages::page(&server, &request, now).await })
    }

    fn list(&self) -> StoreFuture<'_, Vec<(KeyRecord, Usage)>> {
        self.work(|server| async move { pages::list(&server).await })
    }
}

impl UsageTotals for RedisStore {
    fn usage(&self, id: KeyId) -> StoreFuture<'_, Option<Usage>> {
        self.work(move |server| async move { pages::usage(&server, id).await })
    }

    fn add_usage<'a>(&'a self, batch: &'a UsageBatch) -> StoreFuture<'a, ()> {
        let batch = batch.clone();
        self.work(|server| async move { usage::add(&server, batch).await })
    }
}

impl ChangeLog for RedisStore {
    fn lease(&self) -> Duration {
        self.server.bounds.lease()
    }

    fn stale_if_error(&self) -> Duration {
        self.server.bounds.stale_if_error
    }

    fn bound(&self) -> Duration {
        self.server.bounds.bound()
    }

    fn poll_changes(&self, refresh: Poll) {
        let (connector, id) = (Arc::clone(&self.server.connector), self.server.id.clone());
        let lease = self.lease();
        self.worker.spawn(async move {
            let hint = Notify::new();
            let refreshing = pin!(network::poll_changes(refresh, &hint, lease));
            let listening = pin!(subscribe::subscribe(&connector, &id, &hint));
            // Nobody needs to listen when nobody reads any more.
            select(refreshing, listening).await;
        });
    }

    fn changes_since(&self, after: Option<LogPosition>) -> StoreFuture<'_, ChangeBatch> {
        self.work(move |server| async move { query::changes_since(&server, after).await })
    }
}

impl SharedSecret for RedisStore {
    fn agree_on_admin_secret(&self, _offered: KeyDigest) -> StoreFuture<'_, Option<KeyDigest>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

// There is nothing to let go of before a fork: the child never touches the engine of its
// parent, and opens one of its own; what is sent on a connection is sent by the threads of the
// store, and those are not in the child.
impl Lifecycle for RedisStore {
    fn is_embedded(&self) -> bool {
        false
    }
}
