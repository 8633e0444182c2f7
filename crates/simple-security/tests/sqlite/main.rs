//! The SQLite store: its files, its errors, and what happens to its files from outside.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use simple_security::clock::{Clock, FakeClock, SystemClock};
use simple_security::config::{Arguments, EngineSettings, Settings};
use simple_security::store::{KeyStore, SqliteStore, StoreError};
use simple_security::{ApiKeys, Denied, IssuedKey, NewKey, Timestamp, VerifiedKey};
use tempfile::TempDir;

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

/// Settings of which nothing comes from the environment.
fn settings() -> Settings {
    let arguments = Arguments {
        secret: Some("an admin secret of 31 characters".into()),
        db_location: Some("unused.db".to_owned()),
        automatic_expiration: Some("15".to_owned()),
        key_prefix: Some("fss".to_owned()),
        refusal_status: Some("403".to_owned()),
    };
    let engine = EngineSettings { flush_interval: Duration::from_secs(3600), ..Default::default() };
    Settings { engine, ..Settings::load(&arguments).expect("settings") }
}

fn fake_clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::at(Timestamp::from_seconds(1_800_000_000)))
}

fn engine(store: Arc<dyn KeyStore>, clock: &Arc<FakeClock>) -> ApiKeys {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    ApiKeys::with_store(store, clock, &settings()).expect("an engine").0
}

/// An engine on the system's clock.
fn real_engine(path: &Path) -> ApiKeys {
    ApiKeys::with_store(open(path), Arc::new(SystemClock), &settings()).expect("an engine").0
}

fn issue(keys: &ApiKeys) -> IssuedKey {
    wait(keys.issue(NewKey::default())).expect("a key")
}

fn verify(keys: &ApiKeys, issued: &IssuedKey) -> Result<VerifiedKey, Denied> {
    wait(keys.verify(issued.key.expose().as_bytes()))
}

/// Why a database is not opened.
#[track_caller]
fn refusal(path: &Path) -> StoreError {
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

fn wait<F: Future>(future: F) -> F::Output {
    pollster::block_on(future)
}
