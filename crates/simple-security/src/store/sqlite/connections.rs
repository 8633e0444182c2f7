//! The connections to a database, and which files they have open.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::super::{ChangeMark, StoreError};
use super::errors::translate;
use super::open::{self, Identity, Inspected, READ_TIMEOUT, identity};
use super::side_lock::{Locked, SideFile, beside};
use super::statements;
use crate::sync::{Mutex, lock};

/// How long one attempt to begin a transaction waits: a fork waits for no more than that.
pub(super) const BEGIN_TIMEOUT: Duration = Duration::from_millis(100);
/// How often files are looked at anew that were replaced meanwhile.
pub(super) const ATTEMPTS: usize = 3;
/// How long closing waits for writers.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(100);

/// The connections. Each has one use, so that none waits for another's.
pub(super) struct Database {
    path: PathBuf,
    pub(super) files: Files,
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

/// Which files are open: the database, and its write-ahead log, which stays the same file while
/// anybody has the database open.
#[derive(PartialEq, Eq)]
pub(super) struct Files {
    database: Identity,
    log: Option<Identity>,
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

impl Database {
    /// Opens the file, and makes it where it is missing.
    pub(super) fn open(path: &Path, timeout: Duration) -> Result<Self, StoreError> {
        let before = identity(path).ok();
        open::inspect(path, true, timeout)?;
        let (writer, files) = Writer::open(path, true, timeout, &AtomicBool::new(false))?;
        if before.is_some_and(|before| before != files.database) {
            return Err(StoreError::Replaced { path: path.to_owned() });
        }
        Readers::open(path).map(|readers| Self::of(path, files, Some(writer), readers))
    }

    /// Opens the file that is there. It is done between two requests, on the event loop of a web
    /// server, so it waits for no writer.
    pub(super) fn reopen(path: &Path) -> Result<Self, StoreError> {
        if open::inspect(path, false, READ_TIMEOUT)? == Inspected::Other {
            let (writer, files) = Writer::open(path, false, READ_TIMEOUT, &AtomicBool::new(false))?;
            let readers = Readers::open(path)?;
            return Ok(Self::of(path, files, Some(writer), readers));
        }
        // A read makes the log where there is none, and then it stays: what is there before and
        // after is what was opened. Those that were tried keep it there meanwhile.
        let mut tried = Vec::new();
        for _ in 0..ATTEMPTS {
            let before = Files::at(path)?;
            let readers = Readers::open(path)?;
            let files = Files::at(path)?;
            if files.log.is_some() && files == before {
                return Ok(Self::of(path, files, None, readers));
            }
            tried.push(readers);
        }
        Err(StoreError::Replaced { path: path.to_owned() })
    }

    fn of(path: &Path, files: Files, writer: Option<Writer>, readers: Readers) -> Self {
        let Readers { reader, lister, watch } = readers;
        Self {
            path: path.to_owned(),
            files,
            writer: Mutex::new(writer),
            reader: Mutex::new(reader),
            lister: Mutex::new(lister),
            watch: Mutex::new(Watch { connection: watch, last: None }),
            closing: None,
        }
    }

    /// Takes the write-ahead log away of a file that was replaced. SQLite knows a log by its name
    /// alone, and would read this one as that of the file which is there now
    /// (<https://sqlite.org/howtocorrupt.html>, section 1.4).
    pub(super) fn leave(&self) -> Result<(), StoreError> {
        let mut side = SideFile::open(&self.path, "write-lock")?;
        let _held = side.lock(READ_TIMEOUT, &AtomicBool::new(false))?;
        let there = Files::at(&self.path)?;
        // Another process may have been quicker: then the log that is there is the new file's.
        if there.database != self.files.database && there.log == self.files.log {
            // What was committed last is in the log alone. Wherever the file is now, it gets it.
            let lister = lock(&self.lister);
            let checkpoint = || {
                lister.pragma_update(None, "query_only", false)?;
                lister.query_row("PRAGMA wal_checkpoint", [], |_| Ok(()))
            };
            if let Err(error) = checkpoint() {
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

    /// Leaves the log to whoever closes the database next.
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
    ) -> Result<(Self, Files), StoreError> {
        let mut side = SideFile::open(path, "write-lock")?;
        let (connection, files) = open::open_writer(path, &mut side, create, timeout, give_up)?;
        connection
            .busy_timeout(BEGIN_TIMEOUT)
            .map_err(|error| translate(path, "opening the database", error))?;
        Ok((Self { connection, side }, files))
    }
}

/// The connections that only read.
struct Readers {
    reader: Connection,
    lister: Connection,
    watch: Connection,
}

impl Readers {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let open = || -> Result<Connection, StoreError> {
            let reader = open::open_reader(path)?;
            // The first read opens the log.
            statements::lease(&reader)
                .map_err(|error| translate(path, "opening the database", error))?;
            Ok(reader)
        };
        Ok(Self { reader: open()?, lister: open()?, watch: open()? })
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
        // Who closes a database last plays the log back and removes it. That is writing, and one
        // who is not the last may take himself for it: see `side_lock.rs`.
        let side = SideFile::open(&self.path, "write-lock");
        match side.and_then(|side| side.into_locked(CLOSE_TIMEOUT)) {
            Ok(locked) => self.closing = Some(locked),
            Err(_) => self.keep_log(),
        }
    }
}

impl Files {
    pub(super) fn at(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { database: identity(path)?, log: identity(&beside(path, "wal")).ok() })
    }
}
