//! The connections to a database, and which files they have open.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::connect::{self, READ_TIMEOUT};
use super::errors::translate;
use super::file_identity::{FileIdentity, OpenFiles};
use super::lock_file::{LockFile, Locked};
use super::open;
use super::statements;
use crate::store::{LogPosition, OpenError};
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

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) side: LockFile,
}

/// Notices commits of others. `PRAGMA data_version` tells of them only on a connection that does
/// nothing else (<https://sqlite.org/pragma.html#pragma_data_version>).
pub(super) struct Watch {
    pub(super) connection: Connection,
    /// The version at the last poll, and the row of the log that it named.
    pub(super) last: Option<(i64, LogPosition)>,
}

impl Connections {
    /// Opens the database, and creates it if it is missing.
    pub(super) fn open(path: &Path, timeout: Duration) -> Result<Self, OpenError> {
        open::inspect(path, timeout)?;
        let (writer, files) = Writer::open(path, true, timeout, &AtomicBool::new(false))?;
        Self::new(path, files, Some(writer))
    }

    /// Opens `database` again. It is done between two requests, on the event loop of a web server, so
    /// it waits for no writer.
    pub(super) fn reopen(path: &Path, database: Option<FileIdentity>) -> Result<Self, OpenError> {
        open::inspect(path, READ_TIMEOUT)?;
        // Creates the log if it is missing, and keeps it until the others are open.
        let _keeps_log = open_reader(path)?;
        Self::new(path, OpenFiles { database, ..OpenFiles::at(path) }, None)
    }

    fn new(path: &Path, files: OpenFiles, writer: Option<Writer>) -> Result<Self, OpenError> {
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
    ) -> Result<(Self, OpenFiles), OpenError> {
        let mut side = LockFile::open(path, "write-lock")?;
        let (connection, files) = open::open_writer(path, &mut side, create, timeout, give_up)?;
        connection
            .busy_timeout(BEGIN_TIMEOUT)
            .map_err(|error| translate(path, "opening the database", error))?;
        Ok((Self { connection, side }, files))
    }
}

fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let reader = connect::open_reader(path)?;
    // The first read opens the log.
    statements::lease(&reader).map_err(|error| translate(path, "opening the database", error))?;
    Ok(reader)
}

impl Drop for Connections {
    fn drop(&mut self) {
        // The last connection to close checkpoints the log and deletes it by its name. A process may
        // wrongly believe that it is the last, so it takes the lock first; see `lock_file.rs`. If the
        // database was replaced, the log at the path may already be that of the new one
        // (<https://sqlite.org/howtocorrupt.html>, section 1.4), and is left as it is.
        let is_at_its_path = FileIdentity::of(&self.path) == self.files.database;
        let lock = || LockFile::open(&self.path, "write-lock")?.into_locked(CLOSE_TIMEOUT);
        match is_at_its_path.then(lock) {
            Some(Ok(locked)) => self.closing = Some(locked),
            _ => self.keep_log(),
        }
    }
}
