//! The connections to a database, and which files they have open.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::errors::translate;
use super::open::{self, READ_TIMEOUT};
use super::side_lock::{Locked, SideFile, beside};
use super::statements;
use crate::store::{ChangeMark, StoreError};
use crate::sync::{Mutex, lock};

/// How long one attempt to begin a transaction waits: a fork waits for no more than that.
pub(super) const BEGIN_TIMEOUT: Duration = Duration::from_millis(100);
/// How long closing waits for writers.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// The connections. Each has one use, so that none waits for another's.
pub(super) struct Connections {
    path: PathBuf,
    pub(super) files: OpenFiles,
    /// Opened when something is to be written: who only reads waits for no lock.
    pub(super) writer: Mutex<Option<Writer>>,
    /// Looks keys up for requests, on the event loop of a web server: nothing long runs here.
    pub(super) reader: Mutex<Connection>,
    /// Reads lists, which may take long.
    pub(super) lister: Mutex<Connection>,
    pub(super) watch: Mutex<Watch>,
    /// Held while the connections above it are closed.
    closing: Option<Locked>,
}

/// The database, and its write-ahead log, which stays the same file while any process has the
/// database open. `None`: there is no file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenFiles {
    pub(super) database: Option<FileIdentity>,
    pub(super) log: Option<FileIdentity>,
}

/// Tells a file from every other one that was or will be at its path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
    /// While the database is closed for a fork, the number of a deleted file can be given to a new one.
    /// `None` if the file system does not record the time.
    created: Option<SystemTime>,
}

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) side: SideFile,
}

/// Notices commits of others. `PRAGMA data_version` tells of them only on a connection that does
/// nothing else (<https://sqlite.org/pragma.html#pragma_data_version>).
pub(super) struct Watch {
    pub(super) connection: Connection,
    /// The version at the last reading, and the row of the log that it named.
    pub(super) last: Option<(i64, ChangeMark)>,
}

impl Connections {
    /// Opens the database, and creates it if it is missing.
    pub(super) fn open(path: &Path, timeout: Duration) -> Result<Self, StoreError> {
        open::inspect(path, timeout)?;
        let (writer, files) = Writer::open(path, true, timeout, &AtomicBool::new(false))?;
        Self::new(path, files, Some(writer))
    }

    /// Opens `database` again. It is done between two requests, on the event loop of a web server, so
    /// it waits for no writer.
    pub(super) fn reopen(path: &Path, database: Option<FileIdentity>) -> Result<Self, StoreError> {
        open::inspect(path, READ_TIMEOUT)?;
        // Creates the log if it is missing, and keeps it until the others are open.
        let _keeps_log = open_reader(path)?;
        Self::new(path, OpenFiles { database, ..OpenFiles::at(path) }, None)
    }

    fn new(path: &Path, files: OpenFiles, writer: Option<Writer>) -> Result<Self, StoreError> {
        Ok(Self {
            path: path.to_owned(),
            files,
            writer: Mutex::new(writer),
            reader: Mutex::new(open_reader(path)?),
            lister: Mutex::new(open_reader(path)?),
            watch: Mutex::new(Watch { connection: open_reader(path)?, last: None }),
            closing: None,
        })
    }

    /// Makes closing neither checkpoint the log nor delete it.
    fn keep_log(&mut self) {
        let (reader, lister) = (lock(&self.reader), lock(&self.lister));
        let (writer, watch) = (lock(&self.writer), lock(&self.watch));
        let readers = [&*reader, &*lister, &watch.connection];
        let writer = writer.iter().map(|writer| &writer.connection);
        for connection in readers.into_iter().chain(writer) {
            let set = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            if let Err(error) = set {
                tracing::warn!(%error, "{} is closed while it is written", self.path.display());
            }
        }
    }
}

impl Writer {
    /// Opens the connection that writes. The second value says which files it has open.
    pub(super) fn open(
        path: &Path,
        create: bool,
        timeout: Duration,
        give_up: &AtomicBool,
    ) -> Result<(Self, OpenFiles), StoreError> {
        let mut side = SideFile::open(path, "write-lock")?;
        let (connection, files) = open::open_writer(path, &mut side, create, timeout, give_up)?;
        connection
            .busy_timeout(BEGIN_TIMEOUT)
            .map_err(|error| translate(path, "opening the database", error))?;
        Ok((Self { connection, side }, files))
    }
}

fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let reader = open::open_reader(path)?;
    // The first read opens the log.
    statements::lease(&reader).map_err(|error| translate(path, "opening the database", error))?;
    Ok(reader)
}

impl Drop for Connections {
    fn drop(&mut self) {
        // The last connection to close checkpoints the log and deletes it by its name. A process may
        // wrongly believe that it is the last, so it takes the lock first; see `side_lock.rs`. If the
        // database was replaced, the log at the path may already be that of the new one
        // (<https://sqlite.org/howtocorrupt.html>, section 1.4), and is left as it is.
        let is_at_its_path = FileIdentity::of(&self.path) == self.files.database;
        let lock = || SideFile::open(&self.path, "write-lock")?.into_locked(CLOSE_TIMEOUT);
        match is_at_its_path.then(lock) {
            Some(Ok(locked)) => self.closing = Some(locked),
            _ => self.keep_log(),
        }
    }
}

impl OpenFiles {
    pub(super) fn at(path: &Path) -> Self {
        Self { database: FileIdentity::of(path), log: FileIdentity::of(&beside(path, "wal")) }
    }
}

impl FileIdentity {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let file = std::fs::metadata(path).ok()?;
        Some(Self { device: file.dev(), inode: file.ino(), created: file.created().ok() })
    }
}
