//! Reads and writes one database file, and closes it for a fork.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use super::connections::{BEGIN_TIMEOUT, Connections, Writer};
use super::errors::translate;
use super::file_identity::{FileIdentity, OpenFiles};
use super::{change_log, path, statements};
use crate::clock::{Clock, SystemClock};
use crate::store::{ChangeBatch, Changed, LogPosition, OpenError, StoreError};
use crate::sync::{Mutex, lock};

/// How often a change is tried if another program deletes the write-ahead log each time.
const ATTEMPTS: usize = 3;

/// A database that is open, except while the process forks.
///
/// A child must not inherit an SQLite that has files open. Not only may it not use the
/// connections of its parent (<https://sqlite.org/howtocorrupt.html>, section 2.6): new ones to
/// the same file would share what SQLite remembers of the file's locks, which the child does not
/// have. So all are closed before a fork, and opened again at the next use.
///
/// A file that was replaced or removed is an outage: every use fails, and the new file is neither read nor
/// written, until the one that was opened is at the path again.
pub(super) struct Database {
    path: PathBuf,
    identity: FileIdentity,
    /// The outage was logged.
    is_reported: AtomicBool,
    /// How long a writer waits for the others.
    timeout: Duration,
    /// How long an answer may be used after a poll, as the file says to all processes.
    lease: Duration,
    state: Mutex<State>,
    changed: Condvar,
    /// A fork waits: whoever waits for another process gives up.
    forking: AtomicBool,
}

struct State {
    connections: Option<Arc<Connections>>,
    users: usize,
    suspended: usize,
}

/// The connections are in use until this is dropped.
struct InUse<'a> {
    database: &'a Database,
    /// There until the drop.
    connections: Option<Arc<Connections>>,
}

impl Database {
    /// Opens the file, and creates it if it is missing.
    pub(super) fn open(path: &Path, timeout: Duration) -> Result<Self, OpenError> {
        let path = path::resolve(path)?;
        let connections = Connections::open(&path, timeout)?;
        let lease = statements::lease(&lock(&connections.lister))
            .map_err(|error| translate(&path, "reading the lease", error))?;
        let replaced = || StoreError::Replaced { path: path.clone() };
        let identity = connections.files.database.ok_or_else(replaced)?;
        let state = State { connections: Some(Arc::new(connections)), users: 0, suspended: 0 };
        let database = Self {
            path,
            identity,
            is_reported: AtomicBool::new(false),
            timeout,
            lease,
            state: Mutex::new(state),
            changed: Condvar::new(),
            forking: AtomicBool::new(false),
        };
        // A file that is the same afterwards is the one that was opened.
        database.files()?;
        Ok(database)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn lease(&self) -> Duration {
        self.lease
    }

    /// Closes all connections, after what is being done, and keeps them closed until
    /// [`Database::resume`].
    pub(super) fn suspend(&self) {
        let mut state = lock(&self.state);
        state.suspended += 1;
        self.forking.store(true, Ordering::Release);
        while state.users > 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.connections = None;
    }

    /// Lets the connections be opened again.
    pub(super) fn resume(&self) {
        let mut state = lock(&self.state);
        state.suspended -= 1;
        self.forking.store(state.suspended > 0, Ordering::Release);
        self.changed.notify_all();
    }

    /// Does some work in one transaction, as the only writer of all processes.
    pub(super) fn write<T>(
        &self,
        doing: &str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let failed = |error| translate(&self.path, doing, error);
        for _ in 0..ATTEMPTS {
            let used = self.use_patiently()?;
            let mut writer = lock(&used.writer);
            if writer.is_none() {
                let opened = Writer::open(&self.path, false, self.timeout, &self.forking)?;
                *writer = (opened.1 == used.files).then_some(opened.0);
            }
            let Some(Writer { connection, side }) = &mut *writer else { continue };
            let connection = &*connection;
            let _held = side.lock(self.timeout, &self.forking)?;
            // Checked again under the lock: what is written to a file that is not at its path is lost.
            if self.files()? != used.files {
                continue;
            }
            let transaction = self.begin(connection).map_err(failed)?;
            self.require_same_lease(&transaction)?;
            let done = work(&transaction).map_err(failed)?;
            transaction.commit().map_err(failed)?;
            // And after the commit: a program that replaces or deletes a file does not take the lock.
            if self.files()? != used.files {
                let reason =
                    "the write-ahead log was deleted during a change, which may be lost".to_owned();
                return Err(StoreError::Failed { reason, source: None });
            }
            return Ok(done);
        }
        Err(StoreError::Busy { source: None })
    }

    /// Begins to write. Of our own programs this one is the only writer; others, such as a shell of
    /// SQLite, are waited for.
    fn begin<'a>(&self, connection: &'a Connection) -> rusqlite::Result<Transaction<'a>> {
        let mut attempts = self.timeout.as_millis() / BEGIN_TIMEOUT.as_millis();
        loop {
            attempts = attempts.saturating_sub(1);
            match Transaction::new_unchecked(connection, TransactionBehavior::Immediate) {
                Err(error)
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                        && attempts > 0
                        && !self.forking.load(Ordering::Acquire) => {}
                begun => return begun,
            }
        }
    }

    /// Reads for a request. The file is not compared with the one at its path: that is done by
    /// the poll which comes before.
    pub(super) fn lookup<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let used = self.use_connections(|_| Ok(true))?;
        let reader = lock(&used.reader);
        read(&reader).map_err(|error| translate(&self.path, "looking up a key", error))
    }

    /// Reads what may take long.
    pub(super) fn list<T>(
        &self,
        doing: &str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let used = self.use_patiently()?;
        let lister = lock(&used.lister);
        read(&lister).map_err(|error| translate(&self.path, doing, error))
    }

    /// What was committed after the row that an earlier poll named.
    pub(super) fn changes_since(
        &self,
        after: Option<LogPosition>,
    ) -> Result<ChangeBatch, StoreError> {
        let failed = |error| translate(&self.path, "reading the change log", error);
        let used = self.use_checked()?;
        let mut watch = lock(&used.watch);
        // The version is taken before the rows. A commit between the two is read twice; the
        // other way round it would be missed for ever.
        let version = watch
            .connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(failed)?;
        if let (Some(after), Some(last)) = (after, watch.last)
            && last == (version, after)
        {
            return Ok(ChangeBatch { changed: Changed::Keys(Vec::new()), end: after });
        }
        let mut reader = lock(&used.reader);
        let reading = change_log::read(&mut reader, after).map_err(failed)?;
        if matches!(reading.changed, Changed::Anything) {
            self.require_same_lease(&reader)?;
        }
        watch.last = Some((version, reading.end));
        Ok(reading)
    }

    /// Rejects a backup with another lease that was restored into the file: some process would use
    /// answers for longer than another waits after a change.
    fn require_same_lease(&self, connection: &Connection) -> Result<(), StoreError> {
        let lease = statements::lease(connection)
            .map_err(|error| translate(&self.path, "reading the lease", error))?;
        if lease != self.lease {
            return Err(StoreError::AnotherStore { place: self.path.display().to_string() });
        }
        Ok(())
    }

    /// The files at the paths now. Fails if the database is not the one that was opened. The log may be
    /// another: a second SQLite library in this process, such as Python's, drops the locks of this one, and
    /// then deletes the log when it closes the file.
    fn files(&self) -> Result<OpenFiles, StoreError> {
        let there = OpenFiles::at(&self.path);
        if there.database == Some(self.identity) {
            self.is_reported.store(false, Ordering::Relaxed);
            return Ok(there);
        }
        let error = StoreError::Replaced { path: self.path.clone() };
        if !self.is_reported.swap(true, Ordering::Relaxed) {
            tracing::error!("{error}");
        }
        Err(error)
    }

    /// The connections, once their files are known to be at their paths.
    fn use_checked(&self) -> Result<InUse<'_>, StoreError> {
        self.use_connections(|connections| Ok(connections.files == self.files()?))
    }

    /// The same for who may wait as long as for a lock. In between others get their turn.
    fn use_patiently(&self) -> Result<InUse<'_>, StoreError> {
        let begun = SystemClock.uptime().nanoseconds();
        loop {
            match self.use_checked() {
                Err(StoreError::Busy { .. })
                    if u128::from(SystemClock.uptime().nanoseconds() - begun)
                        < self.timeout.as_nanos()
                        && !self.forking.load(Ordering::Acquire) => {}
                used => return used,
            }
        }
    }

    fn use_connections(
        &self,
        is_current: impl FnOnce(&Connections) -> Result<bool, StoreError>,
    ) -> Result<InUse<'_>, StoreError> {
        let mut state = lock(&self.state);
        while state.suspended > 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(connections) = &state.connections
            && !is_current(connections)?
        {
            state.connections = None;
        }
        let connections = match &state.connections {
            Some(connections) => Arc::clone(connections),
            None => {
                let opened = Connections::reopen(&self.path, self.files()?.database)?;
                // Files that are the same afterwards are those that were opened.
                if self.files()? != opened.files {
                    return Err(StoreError::Busy { source: None });
                }
                Arc::clone(state.connections.insert(Arc::new(opened)))
            }
        };
        state.users += 1;
        Ok(InUse { database: self, connections: Some(connections) })
    }
}

impl std::ops::Deref for InUse<'_> {
    type Target = Connections;

    #[expect(clippy::expect_used, reason = "only the drop takes them")]
    fn deref(&self) -> &Connections {
        self.connections.as_ref().expect("connections in use")
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        // Before the count is lowered: a thread that waits for that forks next, and connections whose
        // log was deleted meanwhile are closed here.
        drop(self.connections.take());
        let mut state = lock(&self.database.state);
        state.users -= 1;
        if state.suspended > 0 {
            self.database.changed.notify_all();
        }
    }
}
