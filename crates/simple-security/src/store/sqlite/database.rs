//! The connections to one file, and when they must be let go.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use super::super::{ChangeMark, Changed, Reading, StoreError};
use super::errors::translate;
use super::open::{self, Identity, identity};
use super::side_lock::{SideFile, beside};
use super::statements;
use crate::sync::{Mutex, lock};

/// How long one attempt to begin a transaction waits: a fork waits for no more than that.
const BEGIN_TIMEOUT: Duration = Duration::from_millis(100);

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

/// The connections. Each has one use, so that none waits for another's.
pub(super) struct Database {
    path: PathBuf,
    timeout: Duration,
    files: Files,
    writer: Mutex<Writer>,
    /// Looks keys up for requests, on the event loop of a web server: nothing long runs here.
    reader: Mutex<Connection>,
    /// Reads lists, which may take long.
    lister: Mutex<Connection>,
    watch: Mutex<Watch>,
}

/// Which files are open: the database, and its write-ahead log, which stays the same file while
/// anybody has the database open.
#[derive(PartialEq, Eq)]
struct Files {
    database: Identity,
    log: Option<Identity>,
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

/// The connections are in use until this is dropped.
struct InUse<'a> {
    file: &'a File,
    database: Arc<Database>,
}

impl File {
    /// Opens the file, and makes it where there is none.
    pub(super) fn open(path: &Path, timeout: Duration) -> Result<Self, StoreError> {
        let path = open::resolve(path)?;
        let database = Database::open(&path, true, timeout)?;
        let state = State { database: Some(Arc::new(database)), users: 0, suspended: 0 };
        Ok(Self {
            path,
            timeout,
            state: Mutex::new(state),
            changed: Condvar::new(),
            forking: AtomicBool::new(false),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
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
        let used = self.use_checked()?;
        let Writer { connection, side } = &mut *lock(&used.database.writer);
        let connection = &*connection;
        let _held = side.lock(self.timeout, &self.forking)?;
        // Asked again under the lock: what is written to a file that was replaced is lost.
        if Files::at(&self.path)? != used.database.files {
            return Err(StoreError::Busy { source: None });
        }
        let transaction = self.begin(connection).map_err(failed)?;
        let done = work(&transaction).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(done)
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
        let reader = lock(&used.database.reader);
        read(&reader).map_err(|error| translate(&self.path, "looking up a key", error))
    }

    /// Reads what may take long.
    pub(super) fn list<T>(
        &self,
        doing: &str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let used = self.use_checked()?;
        let lister = lock(&used.database.lister);
        read(&lister).map_err(|error| translate(&self.path, doing, error))
    }

    /// What was committed after the row that an earlier reading named.
    pub(super) fn reading(&self, after: Option<ChangeMark>) -> Result<Reading, StoreError> {
        let failed = |error| translate(&self.path, "reading the change log", error);
        let used = self.use_checked()?;
        let mut watch = lock(&used.database.watch);
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
        let mut reader = lock(&used.database.reader);
        let reading = statements::read_changes(&mut reader, after).map_err(failed)?;
        watch.last = Some((version, reading.mark));
        Ok(reading)
    }

    /// The connections to the file that is at the path now: another than before, when it was
    /// replaced.
    fn use_checked(&self) -> Result<InUse<'_>, StoreError> {
        self.use_any(|database| Ok(database.files == Files::at(&self.path)?))
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
                let opened = Database::open(&self.path, false, self.timeout)?;
                Arc::clone(state.database.insert(Arc::new(opened)))
            }
        };
        state.users += 1;
        Ok(InUse { file: self, database })
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.file.state);
        state.users -= 1;
        if state.suspended > 0 {
            self.file.changed.notify_all();
        }
    }
}

impl Database {
    /// `create`: a missing file is made. One that was there before and is gone never is.
    fn open(path: &Path, create: bool, timeout: Duration) -> Result<Self, StoreError> {
        let before = identity(path).ok();
        open::inspect(path, create, timeout)?;
        let mut side = SideFile::open(path, "write-lock")?;
        let writer = open::open_writer(path, &mut side, create, timeout)?;
        writer
            .busy_timeout(BEGIN_TIMEOUT.min(timeout))
            .map_err(|error| translate(path, "opening the database", error))?;
        let (reader, lister) = (open::open_reader(path)?, open::open_reader(path)?);
        let watch = open::open_reader(path)?;
        let files = Files::at(path)?;
        if before.is_some_and(|before| before != files.database) {
            return Err(StoreError::Busy { source: None });
        }
        Ok(Self {
            path: path.to_owned(),
            timeout,
            files,
            writer: Mutex::new(Writer { connection: writer, side }),
            reader: Mutex::new(reader),
            lister: Mutex::new(lister),
            watch: Mutex::new(Watch { connection: watch, last: None }),
        })
    }

    /// Takes the write-ahead log away of a file that was replaced. SQLite knows a log by its name
    /// alone, and would read this one as that of the file which is there now
    /// (<https://sqlite.org/howtocorrupt.html>, section 1.4).
    fn leave(&self) -> Result<(), StoreError> {
        let Writer { connection, side } = &mut *lock(&self.writer);
        let _held = side.lock(self.timeout, &AtomicBool::new(false))?;
        let there = Files::at(&self.path)?;
        // Another process may have been quicker: then the log that is there is the new file's.
        if there.database != self.files.database && there.log == self.files.log {
            // What was committed last is in the log alone. Wherever the file is now, it gets it.
            if let Err(error) = connection.query_row("PRAGMA wal_checkpoint", [], |_| Ok(())) {
                tracing::warn!(%error, "the file that was replaced may lack its last changes");
            }
            for file in ["shm", "wal"] {
                match std::fs::remove_file(beside(&self.path, file)) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        let reason = format!("the {file} of a replaced file cannot be removed");
                        return Err(StoreError::Failed { reason, source: Some(error.into()) });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let replaced = |there: Files| there.database != self.files.database;
        if Files::at(&self.path).is_ok_and(replaced)
            && let Err(error) = self.leave()
        {
            tracing::warn!(%error, "{} was replaced, and the old log is still there", self.path.display());
        }
    }
}

impl Files {
    fn at(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { database: identity(path)?, log: identity(&beside(path, "wal")).ok() })
    }
}
