//! The SQLite store: its files, its errors, and what happens to its files from outside.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use simple_security::clock::SystemClock;
use simple_security::store::{KeyStore, OpenError, SqliteStore};
use simple_security::{ApiKeys, IssuedKey, VerifiedKey, VerifyError};
use tempfile::TempDir;
use test_support::{engine, fake_clock, issue, wait};

mod bulk;
mod child;
mod killed;
mod locked;
mod modes;
mod mounted;
mod refused;
mod replaced;
mod seen;
mod triggers;
mod two_libraries;

const LEASE: Duration = Duration::from_millis(10);
/// How long writers wait in tests for others that never let go.
const SHORT: Duration = Duration::from_millis(50);

/// A folder for one test, and the path of a database in it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn database(&self) -> PathBuf {
        self.path().join("keys.db")
    }

    /// All files in it, with what they hold.
    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = std::fs::read_dir(self.path()).expect("the folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let content = |path: PathBuf| (path.clone(), std::fs::read(path).unwrap_or_default());
        paths.map(content).collect()
    }
}

/// `<database>-<purpose>`
fn beside(database: &Path, purpose: &str) -> PathBuf {
    PathBuf::from(format!("{}-{purpose}", database.display()))
}

fn open(path: &Path) -> Arc<dyn KeyStore> {
    Arc::new(SqliteStore::open(path).expect("the store opens"))
}

/// An engine on the system's clock.
fn real_engine(path: &Path) -> ApiKeys {
    engine(open(path), &Arc::new(SystemClock))
}

fn verify(keys: &ApiKeys, issued: &IssuedKey) -> Result<VerifiedKey, VerifyError> {
    wait(keys.verify(issued.key.expose().as_bytes()))
}

/// Why a database is not opened.
#[track_caller]
fn refusal(path: &Path) -> OpenError {
    match SqliteStore::open_with_timeout(path, SHORT) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

/// A connection of somebody else, as the `sqlite3` command makes it.
fn by_hand(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("a connection");
    connection.busy_timeout(Duration::from_secs(10)).expect("a timeout");
    connection
}
