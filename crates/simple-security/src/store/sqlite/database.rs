//! The connections to one file, and when they must be let go.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use super::super::{ChangeMark, Changed, Reading, StoreError};
use super::connections::{ATTEMPTS, BEGIN_TIMEOUT, Database, Files, Writer};
use super::errors::translate;
use super::{change_log, place, statements};
use crate::clock::{Clock, SystemClock};
use crate::sync::{Mutex, lock};

/// A file that is open, except while the process forks.
///
/// A child must not inherit an SQLite that has files open. Not only may it not use the
/// connections of its parent (<https://sqlite.org/howtocorrupt.html>, section 2.6): new ones to
/// the same file would share what SQLite remembers of the file's locks, which the child does not
/// have. So all are closed before a fork, and opened again at the next use.
pub(super) struct File {
    path: PathBuf,
    /// How long a writer waits for the others.
    timeout: Duration,
    /// How long an answer may be used after a reading, as the file says to all processes.
    lease: Duration,
    state: Mutex<State>,
    changed: Condvar,
    /// A fork waits: whoever waits for another process gives up.
    forking: AtomicBool,
}

struct State {
    database: Option<Arc<Database>>,
    users: usize,
    suspended: usize,
}

/// The connections are in use until this is dropped.
struct InUse<'a> {
    file: &'a File,
    /// There until the drop.
    database: Option<Arc<Database>>,
}

impl File {
    /// Opens the file, and makes it where there is none.
    pub(super) fn open(path: &Path, timeout: Duration) -> Result<Self, StoreError> {
        let path = place::resolve(path)?;
        let database = Database::open(&path, timeout)?;
        let lease = statements::lease(&lock(&database.lister))
            .map_err(|error| translate(&path, "reading the lease", error))?;
        let state = State { database: Some(Arc::new(database)), users: 0, suspended: 0 };
        Ok(Self {
            path,
            timeout,
            lease,
            state: Mutex::new(state),
            changed: Condvar::new(),
            forking: AtomicBool::new(false),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn lease(&self) -> Duration {
        self.lease
    }

    /// Closes all connections, after what is being done, and keeps them closed until
    /// [`File::resume`].
    pub(super) fn suspend(&self) {
        let mut state = lock(&self.state);
        state.suspended += 1;
        self.forking.store(true, Ordering::Release);
        while state.users > 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.database = None;
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
            // Asked again under the lock: what is written to files that were replaced is lost.
            if Files::at(&self.path)? != used.files {
                continue;
            }
            let transaction = self.begin(connection).map_err(failed)?;
            self.require_same_lease(&transaction)?;
            let done = work(&transaction).map_err(failed)?;
            transaction.commit().map_err(failed)?;
            // And once more: who replaces them takes no lock of ours.
            if Files::at(&self.path)? != used.files {
                return Err(StoreError::Replaced { path: self.path.clone() });
            }
            return Ok(done);
        }
        Err(StoreError::Replaced { path: self.path.clone() })
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
    /// the reading which comes before.
    pub(super) fn look_up<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let used = self.use_any(|_| Ok(true))?;
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

    /// What was committed after the row that an earlier reading named.
    pub(super) fn reading(&self, after: Option<ChangeMark>) -> Result<Reading, StoreError> {
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
            return Ok(Reading { changed: Changed::Keys(Vec::new()), mark: after });
        }
        let mut reader = lock(&used.reader);
        let reading = change_log::read(&mut reader, after).map_err(failed)?;
        if matches!(reading.changed, Changed::Anything) {
            self.require_same_lease(&reader)?;
        }
        watch.last = Some((version, reading.mark));
        Ok(reading)
    }

    /// Refuses a file with another lease that was put at the path, or restored into it: some process
    /// would use answers for longer than another waits after a change.
    fn require_same_lease(&self, connection: &Connection) -> Result<(), StoreError> {
        let lease = statements::lease(connection)
            .map_err(|error| translate(&self.path, "reading the lease", error))?;
        if lease != self.lease {
            return Err(StoreError::AnotherStore { place: self.path.display().to_string() });
        }
        Ok(())
    }

    /// The connections to the file that is at the path now: another than before, when it was
    /// replaced.
    fn use_checked(&self) -> Result<InUse<'_>, StoreError> {
        self.use_any(|database| Ok(database.files == Files::at(&self.path)?))
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

    fn use_any(
        &self,
        good: impl FnOnce(&Database) -> Result<bool, StoreError>,
    ) -> Result<InUse<'_>, StoreError> {
        let mut state = lock(&self.state);
        while state.suspended > 0 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(database) = &state.database
            && !good(database)?
        {
            tracing::warn!("{} was replaced; it is opened anew", self.path.display());
            database.leave()?;
            state.database = None;
        }
        let database = match &state.database {
            Some(database) => Arc::clone(database),
            None => {
                let opened = Database::reopen(&self.path)?;
                Arc::clone(state.database.insert(Arc::new(opened)))
            }
        };
        state.users += 1;
        Ok(InUse { file: self, database: Some(database) })
    }
}

impl std::ops::Deref for InUse<'_> {
    type Target = Database;

    #[expect(clippy::expect_used, reason = "only the drop takes it away")]
    fn deref(&self) -> &Database {
        self.database.as_ref().expect("a database that is in use is there")
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        // First, and only then is it said that nobody uses it: whoever waits for that forks next,
        // and what was replaced meanwhile is closed here.
        drop(self.database.take());
        let mut state = lock(&self.file.state);
        state.users -= 1;
        if state.suspended > 0 {
            self.file.changed.notify_all();
        }
    }
}
