//! One connection to a database file, and how it is set.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::errors::translate;
use super::lock_file::beside;
use crate::store::OpenError;

/// How long the reading side waits: it runs on the event loop of a web server.
pub(super) const READ_TIMEOUT: Duration = Duration::from_millis(20);

// No URI file names: a path with `?` in it is a path.
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_NO_MUTEX;

/// Opens a connection to a database of this service.
pub(super) fn connect(path: &Path, timeout: Duration) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | FLAGS)?;
    connection.busy_timeout(timeout)?;
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA synchronous = FULL;
         -- The log that many keys at once have needed is made shorter when it is begun anew.
         PRAGMA journal_size_limit = 16777216;",
    )?;
    Ok(connection)
}

/// Opens a file that may be anybody's, to look into it and leave it as it is.
pub(super) fn look(path: &Path, timeout: Duration) -> rusqlite::Result<Connection> {
    // With a log or a journal of others beside the file, only to read: else they could be
    // played back when this connection is closed. Without, also to write: else the log and the
    // index that SQLite makes in order to read would be left behind.
    let others = ["wal", "journal"].iter().any(|file| beside(path, file).exists());
    let access = match others {
        true => OpenFlags::SQLITE_OPEN_READ_ONLY,
        false => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let connection = Connection::open_with_flags(path, access | FLAGS)?;
    connection.busy_timeout(timeout)?;
    Ok(connection)
}

/// Opens a connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let open = || {
        let reader = connect(path, READ_TIMEOUT)?;
        reader.pragma_update(None, "query_only", true)?;
        Ok(reader)
    };
    open().map_err(|error| translate(path, "opening the database", error).into())
}

/// Write-ahead logging: readers and the writer do not wait for each other.
pub(super) fn write_ahead(writer: &Connection) -> rusqlite::Result<()> {
    writer.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
}
