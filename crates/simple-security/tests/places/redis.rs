//! Places on one Redis server.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use simple_security::config::Location;
use simple_security::store::{self, KeyStore};
use simple_security::testing::Place;

use crate::places::rounds;
use crate::servers::redis::Redis;

/// How many places there can be.
const DATABASES: u32 = 10_000;

/// A server that is started when the first needs it, and shared by all places on it.
#[derive(Default)]
pub struct Shared {
    server: Mutex<Option<Redis>>,
    taken: AtomicU32,
}

impl Shared {
    /// The URL of a database that nobody has used.
    fn another(&self) -> String {
        let mut server = self.server.lock().expect("the server");
        let server = server
            .get_or_insert_with(|| Redis::start_with(&["--databases", &DATABASES.to_string()]));
        let database = self.taken.fetch_add(1, Ordering::SeqCst);
        assert!(database < DATABASES, "there are too few databases");
        server.database(database)
    }
}

/// One database of a server.
pub struct OnRedis {
    shared: Arc<Shared>,
    location: Location,
}

impl OnRedis {
    /// A new store.
    pub fn new(shared: &Arc<Shared>) -> Self {
        let location = Location::parse(&shared.another()).expect("a location");
        store::make(&location).expect("a store is made");
        Self { shared: Arc::clone(shared), location }
    }
}

impl Place for OnRedis {
    fn open(&self) -> Arc<dyn KeyStore> {
        store::open(&self.location).expect("the store opens")
    }

    fn another(&self) -> Box<dyn Place> {
        Box::new(Self::new(&self.shared))
    }

    fn rounds(&self) -> u32 {
        rounds(60)
    }
}
