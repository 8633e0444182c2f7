//! Locks on files beside the database.
//!
//! SQLite locks with `fcntl`, and the kernel drops all such locks of a process when that process
//! closes *any* descriptor of the file (<https://sqlite.org/howtocorrupt.html>, section 2.2). A
//! second SQLite in the same process, such as Python's own, is enough to lose writes that were
//! acknowledged. `flock` on a file that nobody else opens has no such hole.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::clock::{Clock, SystemClock};
use crate::store::{OpenError, StoreError};

const POLL: Duration = Duration::from_micros(500);

/// A file that is there to be locked.
pub(super) struct LockFile {
    path: PathBuf,
    file: File,
}

/// The file system cannot lock.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be locked: {source}", path.display())]
pub(super) struct LockError {
    path: PathBuf,
    source: io::Error,
}

impl From<LockError> for StoreError {
    fn from(error: LockError) -> Self {
        Self::Failed { reason: error.to_string(), source: Some(error.into()) }
    }
}

/// In a transaction all errors are SQLite's; this one is carried through as it is.
impl From<LockError> for rusqlite::Error {
    fn from(error: LockError) -> Self {
        Self::ToSqlConversionFailure(error.into())
    }
}

/// The lock is held until this is dropped.
pub(super) struct Held<'a>(&'a LockFile);

/// A file whose lock is held until it is dropped.
pub(super) struct Locked(LockFile);

impl LockFile {
    /// Opens `<database>-<purpose>`, and makes it with mode 0600 where it is missing.
    pub(super) fn open(database: &Path, purpose: &str) -> Result<Self, OpenError> {
        let path = beside(database, purpose);
        let file = open_file(&path).map_err(|error| not_writable(database, error))?;
        Ok(Self { path, file })
    }

    /// Waits at most `timeout` to be the only holder, and no longer once `give_up` is set.
    pub(super) fn lock(
        &mut self,
        timeout: Duration,
        give_up: &AtomicBool,
    ) -> Result<Held<'_>, StoreError> {
        // `flock` has no timeout, and a process that was stopped while it holds the lock would
        // stop all others for ever.
        let begun = SystemClock.uptime().nanoseconds();
        let waited = || u128::from(SystemClock.uptime().nanoseconds() - begun);
        loop {
            if self.try_lock(FlockOperation::NonBlockingLockExclusive)? {
                if self.is_at_its_path() {
                    return Ok(Held(self));
                }
                // Somebody has deleted the file: others lock a new one by that name.
                self.file =
                    open_file(&self.path).map_err(|error| not_writable(&self.path, error))?;
                continue;
            }
            if give_up.load(Ordering::Acquire) || waited() > timeout.as_nanos() {
                return Err(StoreError::Busy { source: None });
            }
            #[allow(clippy::disallowed_methods, reason = "waits for another process")]
            std::thread::sleep(POLL);
        }
    }

    /// Waits at most `timeout`, and keeps the lock.
    pub(super) fn into_locked(mut self, timeout: Duration) -> Result<Locked, StoreError> {
        std::mem::forget(self.lock(timeout, &AtomicBool::new(false))?);
        Ok(Locked(self))
    }

    /// Whether it could be locked by `operation` at once.
    pub(super) fn try_lock(&self, operation: FlockOperation) -> Result<bool, LockError> {
        match flock(&self.file, operation) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(LockError { path: self.path.clone(), source: error.into() }),
        }
    }

    /// Unlocking and not only closing: a forked child has the same open file and would go on
    /// holding the lock.
    fn unlock(&self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }

    fn is_at_its_path(&self) -> bool {
        match (self.file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

/// `<database>-<purpose>`
pub(super) fn beside(database: &Path, purpose: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-");
    name.push(purpose);
    PathBuf::from(name)
}

/// Through no symbolic link: in a folder that others may write to, it could lead to any file.
fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(path)
}

fn not_writable(path: &Path, error: io::Error) -> OpenError {
    match error.kind() {
        io::ErrorKind::StorageFull => StoreError::DiskFull { source: Some(error.into()) }.into(),
        _ => OpenError::NotWritable {
            path: path.to_owned(),
            reason: error.to_string(),
            source: Some(error.into()),
        },
    }
}
