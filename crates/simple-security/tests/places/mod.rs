//! Where the tests keep keys.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

use simple_security::store::{KeyStore, MemoryStore, SqliteStore};
use simple_security::testing::Place;
use tempfile::TempDir;
use tokio::runtime::Handle;

mod rounds;

pub use rounds::rounds;

/// The memory of a process: gone when the last handle is.
#[derive(Default)]
pub struct Memory(Mutex<Weak<MemoryStore>>);

impl Place for Memory {
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

/// A folder with a database.
pub struct Disk {
    folder: TempDir,
    runtime: Option<Handle>,
}

impl Disk {
    /// A new folder. With a runtime, the store works on its threads.
    pub fn new(runtime: Option<Handle>) -> Self {
        Self { folder: TempDir::new().expect("a folder"), runtime }
    }

    /// The database.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("keys.db")
    }
}

impl Place for Disk {
    fn open(&self) -> Arc<dyn KeyStore> {
        Arc::new(SqliteStore::open(&self.path()).expect("the store opens"))
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
