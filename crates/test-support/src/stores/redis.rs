//! The store on Redis.

use std::sync::Arc;

use simple_security::store::Location;
use simple_security::store::{self, KeyStore};
use simple_security::testing::Place;

use crate::rounds::rounds;
use crate::servers::redis::Redis;

/// One database of a Redis server.
pub struct RedisDatabase {
    server: Arc<Redis>,
    location: Location,
}

impl RedisDatabase {
    /// Creates a store on the server.
    pub fn new(server: &Arc<Redis>) -> Self {
        let location = Location::parse(&server.fresh_database()).expect("a location");
        store::make(&location).expect("a store is made");
        Self { server: Arc::clone(server), location }
    }
}

impl Place for RedisDatabase {
    fn open(&self) -> Arc<dyn KeyStore> {
        store::open(&self.location).expect("the store opens")
    }

    fn another(&self) -> Box<dyn Place> {
        Box::new(Self::new(&self.server))
    }

    fn rounds(&self) -> u32 {
        rounds(60)
    }
}
