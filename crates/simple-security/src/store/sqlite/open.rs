//! Opening a database: is the file ours, is its schema the newest?

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::connect::{connect, look, write_ahead};
use super::errors::translate;
use super::file_identity::{FileIdentity, OpenFiles};
use super::legacy::migrate as legacy;
use super::lock_file::LockFile;
use super::schema::{Contents, contents, migrate, newest};
use super::{ownership, triggers};
use crate::store::{OpenError, StoreError};

/// Checks the file without changing it, before anything is put beside it.
pub(super) fn inspect(path: &Path, timeout: Duration) -> Result<(), OpenError> {
    // Asked of the system and not read from the mode: the folder may be mounted read-only.
    let folder = path.parent().unwrap_or(Path::new("/"));
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .and_then(|()| match path.exists() {
            true => rustix::fs::access(path, rustix::fs::Access::WRITE_OK),
            false => Ok(()),
        })
        .map_err(|error| OpenError::NotWritable {
            path: path.to_owned(),
            reason: io::Error::from(error).to_string(),
            source: Some(io::Error::from(error).into()),
        })?;
    ownership::check_files_beside(path)?;
    if path.exists() {
        let connection =
            look(path, timeout).map_err(|error| translate(path, "opening the database", error))?;
        match contents(&connection, path) {
            Ok(Contents::Store { .. }) => ownership::check_database(path)?,
            // A journal of an interrupted write can only be played back by a writer.
            Ok(_) | Err(OpenError::NotWritable { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the file is one of the old package. Nothing is changed.
pub(super) fn is_old(path: &Path, timeout: Duration) -> bool {
    let opened = look(path, timeout);
    opened.is_ok_and(|opened| matches!(contents(&opened, path), Ok(Contents::LegacyTable)))
}

/// Opens the writer and brings the file up to the newest schema. The second value says which files
/// it has open.
pub(super) fn open_writer(
    path: &Path,
    side: &mut LockFile,
    create: bool,
    timeout: Duration,
    give_up: &AtomicBool,
) -> Result<(Connection, OpenFiles), OpenError> {
    let _held = side.lock(timeout, give_up)?;
    let failed = |error| translate(path, "opening the database", error);
    if create {
        create_private(path)?;
    }
    let mut writer = connect(path, timeout).map_err(failed)?;
    let database = FileIdentity::of(path);
    let found = contents(&writer, path)?;
    let mut moved = None;
    match found {
        Contents::LegacyTable => moved = Some(legacy::take_over(&mut writer, path)?),
        Contents::Nothing => {
            legacy::make_private(path);
            ownership::check_database(path)?;
            write_ahead(&writer).map_err(failed)?;
            migrate_alone(&mut writer, 0).map_err(failed)?;
        }
        Contents::Store { schema } => {
            ownership::check_database(path)?;
            write_ahead(&writer).map_err(failed)?;
            if schema < newest() {
                migrate_alone(&mut writer, schema).map_err(failed)?;
            }
            triggers::restore(&mut writer, path).map_err(failed)?;
        }
    }
    ownership::warn_of_other_users(path);
    legacy::finish_cleaning(&writer, path);
    // Each statement that fires a trigger keeps a journal of its own, so that it can fail alone. In
    // files these cost more than all else of adding a key. (Only from here on: cleaning, above,
    // copies the whole database to a temporary one.)
    writer.pragma_update(None, "temp_store", "MEMORY").map_err(failed)?;
    if let Some(moved) = moved {
        moved.report(path);
    }
    // The log under the lock, and so before another process could delete it.
    Ok((writer, OpenFiles { database, ..OpenFiles::at(path) }))
}

fn migrate_alone(writer: &mut Connection, schema: i64) -> rusqlite::Result<()> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    migrate(&transaction, schema)?;
    transaction.commit()
}

/// Makes the file with mode 0600 where it is missing. SQLite gives its other files the same mode.
fn create_private(path: &Path) -> Result<(), OpenError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            Err(StoreError::DiskFull { source: Some(error.into()) }.into())
        }
        Err(error) => Err(OpenError::NotWritable {
            path: path.to_owned(),
            reason: error.to_string(),
            source: Some(error.into()),
        }),
    }
}
