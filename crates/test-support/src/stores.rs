//! Stores to run tests on, each with keys of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

use simple_security::store::Location;
use simple_security::store::{self, KeyStore, MemoryStore};
use simple_security::testing::Place;
use tempfile::TempDir;
use tokio::runtime::Handle;

mod postgres;
mod redis;

pub use postgres::PostgresDatabase;
pub use redis::RedisDatabase;

use crate::rounds::rounds;

/// A store in memory: removed when the last handle is dropped.
#[derive(Default)]
pub struct InMemory(Mutex<Weak<MemoryStore>>);

impl Place for InMemory {
    fn open(&self) -> Arc<dyn KeyStore> {
        let mut there = self.0.lock().expect("the store");
        there.upgrade().unwrap_or_else(|| {
            let store = Arc::new(MemoryStore::new().expect("random bytes"));
            *there = Arc::downgrade(&store);
            store
        })
    }

    fn another(&self) -> Box<dyn Place> {
        Box::new(Self::default())
    }

    fn rounds(&self) -> u32 {
        rounds(1000)
    }
}

/// A SQLite database in a folder of its own.
pub struct SqliteFile {
    folder: TempDir,
    runtime: Option<Handle>,
}

impl SqliteFile {
    /// Creates the folder. With a runtime, the store works on its threads.
    pub fn new(runtime: Option<Handle>) -> Self {
        Self { folder: TempDir::new().expect("a folder"), runtime }
    }

    /// Returns the path of the database.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("keys.db")
    }
}

impl Place for SqliteFile {
    fn open(&self) -> Arc<dyn KeyStore> {
        store::open(&Location::Sqlite(self.path())).expect("the store opens")
    }

    fn another(&self) -> Box<dyn Place> {
        Box::new(Self::new(self.runtime.clone()))
    }

    fn runtime(&self) -> Option<Handle> {
        self.runtime.clone()
    }

    fn rounds(&self) -> u32 {
        rounds(60)
    }
}
