//! Databases of a PostgreSQL server, each a place of its own.

use std::sync::{Arc, OnceLock};

use simple_security::config::Location;
use simple_security::store::{self, KeyStore};
use simple_security::testing::Place;

use crate::places::rounds;
use crate::servers::postgres::Postgres;

/// A server for all who need one, started for the first of them.
#[derive(Default)]
pub struct Shared(OnceLock<Postgres>);

/// One of its databases.
pub struct OnPostgres {
    server: Arc<Shared>,
    url: String,
}

impl OnPostgres {
    pub fn new(server: &Arc<Shared>) -> Self {
        let url = server.0.get_or_init(Postgres::start).fresh_database();
        Self { server: Arc::clone(server), url }
    }
}

impl Place for OnPostgres {
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
