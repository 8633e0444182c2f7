//! The store on PostgreSQL.

use std::sync::Arc;

use simple_security::store::Location;
use simple_security::store::{self, KeyStore};
use simple_security::testing::Place;

use crate::rounds::rounds;
use crate::servers::postgres::Postgres;

/// One database of a PostgreSQL server.
pub struct PostgresDatabase {
    server: Arc<Postgres>,
    url: String,
}

impl PostgresDatabase {
    /// Creates a database on the server.
    pub fn new(server: &Arc<Postgres>) -> Self {
        Self { server: Arc::clone(server), url: server.fresh_database() }
    }
}

impl Place for PostgresDatabase {
    fn open(&self) -> Arc<dyn KeyStore> {
        let location = Location::parse(&self.url).expect("a URL");
        store::open(&location).expect("the store opens")
    }

    fn another(&self) -> Box<dyn Place> {
        Box::new(Self::new(&self.server))
    }

    fn rounds(&self) -> u32 {
        rounds(10)
    }
}
