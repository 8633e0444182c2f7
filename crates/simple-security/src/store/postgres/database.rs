//! The connections to one database, and what is done on them in time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{OptionFuture, join, join3};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Row};

use super::connect::Connector;
use super::errors::Translator;
use super::open::{self, Settings};
use super::pool::{Lent, Pool};
use super::query::{LastRow, Query, ask_all};
use super::reader::{LOOKUP_TIMEOUT, Reader};
use crate::store::location::Server;
use crate::store::network::{Bounds, within};
use crate::store::{LogPosition, OpenError, StoreError};
use crate::sync::{Mutex, lock};

/// How many lookups may be under way. A poll that comes after them waits no longer than they take.
const LOOKUPS: usize = 64;
/// How long one more lookup waits for its turn: the time that it has then is enough for an answer.
const TURN: Duration = Duration::from_millis(250);
/// How long a change may take, with all that it waits for.
const CHANGING: Duration = Duration::from_secs(10);
/// How long a list may take, and each part of what adds many keys.
pub(super) const LISTING: Duration = Duration::from_secs(60);

/// How often a change is tried that another one was in the way of.
const ATTEMPTS: u32 = 3;

/// The server ends what takes longer by itself, in milliseconds: a process that has vanished in
/// the middle of a change must not hold up all others. All attempts fit into [`CHANGING`].
const CHANGE_LIMITS: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL jit = off;
    SET LOCAL lock_timeout = 3000; SET LOCAL statement_timeout = 5000;
    SET LOCAL idle_in_transaction_session_timeout = 3000;";
/// The same where many keys are added.
const BULK_LIMITS: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL jit = off;
    SET LOCAL lock_timeout = 9000; SET LOCAL statement_timeout = 60000;
    SET LOCAL idle_in_transaction_session_timeout = 60000;";

/// How many queries are sent without a round trip in between. `join_all` polls so many in their order.
const PIPELINED: usize = 30;

/// The first lock of all that changes keys: whoever holds it is the only one, and gets positions
/// in the order of commits. The store's id is read with it, and the end of the change log.
const LOCK_HEAD: &str = "SELECT s.store_id, h.position
    FROM simple_security.settings AS s, simple_security.change_head AS h FOR UPDATE OF h";
/// The end of the change log, for the holder of that lock.
const LOG_END: &str = "SELECT position FROM simple_security.change_head";
/// Without that lock, for what is in no log.
const NO_LOCK: &str = "SELECT store_id FROM simple_security.settings";

/// What the caller checks before the commit: the rows that each query answered, and by how many
/// rows the log grew.
type AnswerCheck<'a, T> = dyn Fn(&[Vec<Row>], u64) -> Result<T, StoreError> + Sync + 'a;

/// At most three connections.
pub(super) struct Database {
    errors: Arc<Translator>,
    settings: Settings,
    /// The newest row of the log that a poll has found.
    newest: Mutex<Option<LogPosition>>,
    lookups: Semaphore,
    others: Pool,
    /// Lists and many keys at once take turns, so that one of the others is free for changes.
    long: Semaphore,
    reader: Reader,
}

impl Database {
    /// Connects, and makes the tables where there are none.
    pub(super) async fn open(server: Server) -> Result<Self, OpenError> {
        let errors = Arc::new(Translator::new(server.to_string()));
        let connector = Connector::new(&server, &errors)?;
        let others = Pool::new(connector.clone())?;
        let lent = within(CHANGING, errors.place(), others.lend(&errors)).await?;
        let found = within(CHANGING, errors.place(), open::look(&lent, &errors)).await?;
        let settings = match found {
            Some(settings) => settings,
            None => within(LISTING, errors.place(), open::migrate(&lent, &server, &errors)).await?,
        };
        lent.give_back();
        settings.bounds.agree(&server)?;
        let reader = Reader::new(connector, Arc::clone(&errors), others.clone());
        let (lookups, long) = (Semaphore::new(LOOKUPS), Semaphore::new(1));
        Ok(Self { errors, settings, newest: Mutex::new(None), lookups, others, long, reader })
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.settings.bounds
    }

    pub(super) fn errors(&self) -> &Translator {
        &self.errors
    }

    /// Wakes when something has changed.
    pub(super) fn changed(&self) -> &Notify {
        self.reader.changed()
    }

    /// A question to the store as [`about_the_store`] begins it, with its first parameter.
    pub(super) fn question(&self, text: String) -> Query {
        Query::new(text).with(self.settings.store_id.clone(), Type::TEXT)
    }

    /// The newest row of the log that a poll has found. Whoever answers a lookup must have it: a
    /// server that lacks it is behind, or has another history.
    pub(super) fn newest(&self) -> Option<LogPosition> {
        *lock(&self.newest)
    }

    pub(super) fn set_newest(&self, mark: LogPosition) {
        // Of a log that is empty no row is known.
        *lock(&self.newest) = Some(mark).filter(|mark| mark.mark != 0);
    }

    /// Makes a poll.
    pub(super) async fn changes_since(&self, query: &Query) -> Result<Vec<Row>, StoreError> {
        self.ask("reading the change log", query).await
    }

    /// Looks a key up, when few enough others do.
    pub(super) async fn lookup(&self, query: &Query) -> Result<Vec<Row>, StoreError> {
        let Ok(Ok(_permit)) = timeout(TURN, self.lookups.acquire()).await else {
            return Err(self.errors.unreachable("too many lookups wait for its answer"));
        };
        self.ask("looking up a key", query).await
    }

    /// Leaves the server that answers lookups: it is not the one that polls came from.
    pub(super) fn behind(&self) -> StoreError {
        self.reader.disconnect();
        self.errors
            .unreachable("it lacks a change that was read before; there may be two primaries")
    }

    /// Asks on the connection for polls and lookups.
    async fn ask(&self, doing: &str, query: &Query) -> Result<Vec<Row>, StoreError> {
        let asked = within(LOOKUP_TIMEOUT, self.errors.place(), async {
            self.check(self.reader.ask(doing, query, LOOKUP_TIMEOUT).await?)
        });
        let asked = asked.await;
        if asked.is_err() {
            // The next one connects anew, to the primary and to the store that was opened.
            self.reader.disconnect();
        }
        asked
    }

    /// Asks for a little.
    pub(super) async fn show(&self, query: &Query) -> Result<Vec<Row>, StoreError> {
        self.read("reading usage", query, CHANGING).await
    }

    /// Asks for what may be long.
    pub(super) async fn list(&self, query: &Query) -> Result<Vec<Row>, StoreError> {
        let _permit = within(LISTING, self.errors.place(), self.permit()).await?;
        self.read("listing keys", query, LISTING).await
    }

    /// Changes keys, alone. `check` gets the answers of all queries and how many rows the log has more;
    /// where it fails, everything is taken back.
    pub(super) async fn change<T>(
        &self,
        doing: &str,
        queries: &[Query],
        check: &AnswerCheck<'_, T>,
    ) -> Result<T, StoreError> {
        within(CHANGING, self.errors.place(), async {
            let mut attempt = 1;
            loop {
                match self.change_once(doing, queries, check).await {
                    // Another one was in the way.
                    Err(StoreError::Busy { .. }) if attempt < ATTEMPTS => attempt += 1,
                    done => return done,
                }
            }
        })
        .await
    }

    /// Writes by one statement what is no change of a key.
    pub(super) async fn add(&self, doing: &str, query: &Query) -> Result<(), StoreError> {
        within(CHANGING, self.errors.place(), async {
            let mut attempt = 1;
            loop {
                match self.add_once(doing, query).await {
                    Err(StoreError::Busy { .. }) if attempt < ATTEMPTS => attempt += 1,
                    done => return done,
                }
            }
        })
        .await
    }

    /// The turn of one that takes long.
    pub(super) async fn permit(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.long.acquire().await.map_err(|error| StoreError::Failed {
            reason: "the store is closed".to_owned(),
            source: Some(error.into()),
        })
    }

    /// Begins a transaction that adds many keys, as the only one that changes any.
    pub(super) async fn begin_bulk(&self) -> Result<Bulk, StoreError> {
        within(CHANGING, self.errors.place(), async {
            let lent = self.others.lend(&self.errors).await?;
            let begun = lent.simple_query(&format!("{BULK_LIMITS} {LOCK_HEAD}")).await;
            let begun = begun.map_err(|error| self.errors.translate("adding keys", error))?;
            let begun = LastRow::of(begun);
            self.check_id(begun.column(0))?;
            Ok(Bulk { lent, before: position(&begun, 1) })
        })
        .await
    }

    /// Commits it, if the log has a row for each of the keys that were added.
    pub(super) async fn commit_bulk(&self, bulk: Bulk, added: u64) -> Result<(), StoreError> {
        within(LISTING, self.errors.place(), async {
            let failed = |error| self.errors.translate("adding keys", error);
            let Bulk { lent, before } = bulk;
            let end = LastRow::of(lent.simple_query(LOG_END).await.map_err(failed)?);
            // An error closes the connection, which takes everything back.
            self.require_logged(before, position(&end, 0), added)?;
            lent.batch_execute("COMMIT").await.map_err(failed)?;
            lent.give_back();
            Ok(())
        })
        .await
    }

    async fn read(
        &self,
        doing: &str,
        query: &Query,
        limit: Duration,
    ) -> Result<Vec<Row>, StoreError> {
        within(limit, self.errors.place(), async {
            let lent = self.others.lend(&self.errors).await?;
            let rows = query.ask_alone(&lent, limit).await;
            let rows = rows.map_err(|error| self.errors.translate(doing, error));
            let checked = rows.and_then(|rows| self.check(rows));
            if checked.is_ok() {
                lent.give_back();
            }
            checked
        })
        .await
    }

    async fn add_once(&self, doing: &str, query: &Query) -> Result<(), StoreError> {
        let failed = |error| self.errors.translate(doing, error);
        let lent = self.others.lend(&self.errors).await?;
        let begin = format!("{CHANGE_LIMITS} {NO_LOCK}");
        let (begun, added) = join(lent.simple_query(&begin), query.ask(&lent)).await;
        let begun = begun.map_err(failed).map(LastRow::of);
        let added = begun
            .and_then(|begun| self.check_id(begun.column(0)))
            .and_then(|()| added.map_err(failed).map(drop));
        self.end(lent, doing, added).await
    }

    async fn change_once<T>(
        &self,
        doing: &str,
        queries: &[Query],
        check: &AnswerCheck<'_, T>,
    ) -> Result<T, StoreError> {
        let lent = self.others.lend(&self.errors).await?;
        let changed = self.try_to_change(&lent, doing, queries, check).await;
        self.end(lent, doing, changed).await
    }

    /// A few queries need one round trip with the begin of the transaction and the end of the log.
    async fn try_to_change<T>(
        &self,
        lent: &Lent,
        doing: &str,
        queries: &[Query],
        check: &AnswerCheck<'_, T>,
    ) -> Result<T, StoreError> {
        let failed = |error| self.errors.translate(doing, error);
        let failed_at = |first: usize| {
            move |(number, error): (usize, Error)| match self.errors.translate(doing, error) {
                // Two queries for each operation.
                StoreError::Duplicate { .. } => {
                    StoreError::Duplicate { position: ((first + number) / 2) as u64 }
                }
                other => other,
            }
        };
        let (first, rest) = queries.split_at(queries.len().min(PIPELINED));
        let begin = format!("{CHANGE_LIMITS} {LOCK_HEAD}");
        let (begun, answers, end) = join3(
            lent.simple_query(&begin),
            ask_all(lent, first),
            OptionFuture::from(rest.is_empty().then(|| lent.simple_query(LOG_END))),
        )
        .await;
        let begun = LastRow::of(begun.map_err(failed)?);
        self.check_id(begun.column(0))?;
        let mut answers = answers.map_err(failed_at(0))?;
        for (number, queries) in rest.chunks(PIPELINED).enumerate() {
            let more = ask_all(lent, queries).await;
            answers.extend(more.map_err(failed_at((number + 1) * PIPELINED))?);
        }
        let end = match end {
            Some(end) => end,
            None => lent.simple_query(LOG_END).await,
        };
        let end = LastRow::of(end.map_err(failed)?);
        let logged = position(&begun, 1).zip(position(&end, 0));
        let logged = logged.map_or(0, |(before, after)| after.saturating_sub(before));
        check(&answers, logged)
    }

    /// Commits what was done, or takes it back. An error of the commit is one, whatever has become of it.
    async fn end<T>(
        &self,
        lent: Lent,
        doing: &str,
        done: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match done {
            Ok(done) => {
                let committed = lent.batch_execute("COMMIT").await;
                committed.map_err(|error| self.errors.translate(doing, error))?;
                lent.give_back();
                Ok(done)
            }
            Err(error) => {
                // Else it is closed, which takes everything back too.
                if !error.is_outage() && lent.batch_execute("ROLLBACK").await.is_ok() {
                    lent.give_back();
                }
                Err(error)
            }
        }
    }

    /// Lets through what comes from the primary, and from the store that was opened.
    fn check(&self, rows: Vec<Row>) -> Result<Vec<Row>, StoreError> {
        let said =
            rows.first().map(|row| Ok((row.try_get("is_same_store")?, row.try_get("is_standby")?)));
        let failed = |error| self.errors.translate("reading an answer", error);
        match said.transpose().map_err(failed)? {
            Some((true, false)) => Ok(rows),
            Some((_, true)) => Err(self.errors.standby()),
            Some((false, _)) | None => Err(self.errors.another_store()),
        }
    }

    /// Requires that the triggers have written a row of the log for each key that was changed.
    fn require_logged(
        &self,
        before: Option<u64>,
        after: Option<u64>,
        changed: u64,
    ) -> Result<(), StoreError> {
        let logged = before.zip(after).map(|(before, after)| after.saturating_sub(before));
        if logged.is_none_or(|logged| logged < changed) {
            return Err(StoreError::NotLogged { place: self.errors.place().to_owned() });
        }
        Ok(())
    }

    fn check_id(&self, store_id: Option<&str>) -> Result<(), StoreError> {
        if store_id == Some(&*self.settings.store_id) {
            Ok(())
        } else {
            Err(self.errors.another_store())
        }
    }
}

/// A transaction that adds many keys.
pub(super) struct Bulk {
    pub(super) lent: Lent,
    /// The end of the change log when it began.
    before: Option<u64>,
}

/// A position of the log in a row.
fn position(row: &LastRow, column: usize) -> Option<u64> {
    row.column(column)?.parse().ok()
}

/// A question that begins with whose store it is and whether the server is a standby, read in the
/// same snapshot as `columns`, of what `joined` joins to it. There is always a row, unless the
/// store is gone.
pub(super) fn about_the_store(columns: &str, joined: &str) -> String {
    format!(
        "SELECT s.store_id = $1::uuid AS is_same_store, pg_is_in_recovery() AS is_standby, {columns}
         FROM (SELECT store_id FROM simple_security.settings LIMIT 1) AS s {joined}"
    )
}
