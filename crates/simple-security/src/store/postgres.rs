//! The PostgreSQL store: one database, many machines.
//!
//! All is in a schema of its own, `simple_security`. Who changes a key locks one row first, which
//! holds the last position of the change log, so that positions are in the order of commits;
//! triggers write the log. Only the primary is asked, also for lookups and polls.

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Row;

use self::database::Database;
use crate::admin::Actor;
use crate::key::{KeyDigest, KeyId};
use crate::page::PageRequest;
use crate::record::{KeyRecord, KeyReference, StoredKey, Timestamp, Usage};
use crate::store::location::Server;
use crate::store::network::{Worker, poll_changes};
use crate::store::{
    ChangeBatch, ChangeLog, Existing, Inserted, KeyRecords, KeySource, Lifecycle, LogPosition,
    OpenError, Operation, Outcome, Poll, SharedSecret, StoreError, StoreFuture, UsageBatch,
    UsageTotals,
};

mod bulk;
mod change_log;
mod commit;
mod connect;
mod database;
mod errors;
mod open;
mod pool;
mod query;
mod reader;
mod rows;
mod statements;
mod usage;

/// Keys in a PostgreSQL database, 14 or later.
pub struct PostgresStore {
    worker: Worker,
    database: Arc<Database>,
}

impl PostgresStore {
    /// Connects to the server, and makes the tables where there are none. It may take some
    /// seconds, and this thread waits.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] when the server does not answer, [`OpenError::Unsuitable`]
    /// when it does and cannot be used, [`OpenError::NewerSchema`] when a newer version has
    /// changed the tables, [`OpenError::OtherBound`] when the store has other bounds than the URL.
    pub fn open(server: &Server) -> Result<Self, OpenError> {
        let worker = Worker::start()?;
        let database = Arc::new(worker.wait_for(Database::open(server.clone()))?);
        Ok(Self { worker, database })
    }

    /// Does some work on the threads of the store, whoever waits for it.
    fn run<T: Send + 'static, F>(&self, work: impl FnOnce(Arc<Database>) -> F) -> StoreFuture<'_, T>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        Box::pin(self.worker.run(work(Arc::clone(&self.database))))
    }
}

impl KeyRecords for PostgresStore {
    fn commit<'a>(
        &'a self,
        operations: Vec<Operation>,
        _actor: &'a Actor,
    ) -> StoreFuture<'a, Vec<Outcome>> {
        self.run(|database| async move { commit::commit(&database, operations).await })
    }

    fn insert_all<'a>(
        &'a self,
        keys: KeySource,
        existing: Existing,
        _actor: &'a Actor,
    ) -> StoreFuture<'a, Inserted> {
        self.run(move |database| async move { bulk::insert_all(&database, keys, existing).await })
    }

    fn find(&self, key: KeyReference) -> StoreFuture<'_, Option<KeyRecord>> {
        self.run(move |database| async move {
            let rows = database.lookup(&statements::find(&database, key)).await?;
            let errors = database.errors();
            let is_new = |row: &Row| row.try_get::<_, Option<bool>>("is_new_enough");
            if errors.first(&rows, is_new)? == Some(true) {
                errors.first(&rows, rows::record)
            } else {
                Err(database.behind())
            }
        })
    }

    fn page<'a>(
        &'a self,
        request: &'a PageRequest,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<StoredKey>> {
        let request = request.clone();
        self.run(move |database| async move {
            // The server has no such text, and would not read it. No name has it either.
            if request.filter.name.as_ref().is_some_and(|name| name.contains('\0')) {
                return Ok(Vec::new());
            }
            let rows = database.list(&statements::page(&database, &request, now)).await?;
            database.errors().each(&rows, rows::stored)
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<(KeyRecord, Usage)>> {
        self.run(|database| async move {
            let rows = database.list(&statements::list(&database)).await?;
            let key = |row: &Row| match rows::record(row)? {
                Some(record) => Ok(Some((record, rows::usage(row)?))),
                None => Ok(None),
            };
            database.errors().each(&rows, key)
        })
    }
}

impl UsageTotals for PostgresStore {
    fn usage(&self, id: KeyId) -> StoreFuture<'_, Option<Usage>> {
        self.run(move |database| async move {
            let rows = database.show(&statements::usage(&database, id)).await?;
            let usage = |row: &Row| match row.try_get::<_, Option<&str>>("id")? {
                Some(_) => rows::usage(row).map(Some),
                None => Ok(None),
            };
            database.errors().first(&rows, usage)
        })
    }

    fn add_usage<'a>(&'a self, batch: &'a UsageBatch) -> StoreFuture<'a, ()> {
        let query = usage::add(batch);
        self.run(|database| async move { database.add("writing usage", &query).await })
    }
}

impl ChangeLog for PostgresStore {
    fn lease(&self) -> Duration {
        self.database.bounds().lease()
    }

    fn stale_if_error(&self) -> Duration {
        self.database.bounds().stale_if_error
    }

    fn bound(&self) -> Duration {
        self.database.bounds().bound()
    }

    fn poll_changes(&self, refresh: Poll) {
        let (database, lease) = (Arc::clone(&self.database), self.lease());
        self.worker.spawn(async move { poll_changes(refresh, database.changed(), lease).await });
    }

    fn changes_since(&self, after: Option<LogPosition>) -> StoreFuture<'_, ChangeBatch> {
        self.run(move |database| async move {
            let rows = database.changes_since(&change_log::query(&database, after)).await?;
            let reading = change_log::read(database.errors(), &rows, after)?;
            database.set_newest(reading.end);
            Ok(reading)
        })
    }
}

impl SharedSecret for PostgresStore {
    /// Machines that share a database have no way to know who lives.
    fn agree_on_admin_secret(&self, _: KeyDigest) -> StoreFuture<'_, Option<KeyDigest>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

// Nothing is done for a fork: the child never touches the store of its parent and opens one of
// its own. Its copies of the connections are not driven there, so it says nothing on them, also
// not when it closes them; those of the parent go on.
impl Lifecycle for PostgresStore {
    fn is_embedded(&self) -> bool {
        false
    }
}
