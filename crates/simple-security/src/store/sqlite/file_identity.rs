//! Which file is open, whatever is at its path now.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use super::lock_file::beside;

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
