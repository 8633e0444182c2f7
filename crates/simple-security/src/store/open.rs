//! Opening the store at a location.

use std::sync::Arc;

use super::error::OpenError;
use super::key_store::KeyStore;
use super::location::Location;
#[cfg(feature = "postgres")]
use super::postgres::PostgresStore;
#[cfg(feature = "redis")]
use super::redis::RedisStore;
#[cfg(feature = "sqlite")]
use super::sqlite::SqliteStore;

/// Opens the store at a location, and makes it where that is how its kind begins.
///
/// # Errors
/// [`OpenError`] says what is wrong with the place. What is there is as it was then.
pub fn open(location: &Location) -> Result<Arc<dyn KeyStore>, OpenError> {
    match location {
        #[cfg(feature = "sqlite")]
        Location::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path)?)),
        #[cfg(feature = "postgres")]
        Location::Postgres(server) => Ok(Arc::new(PostgresStore::open(server)?)),
        #[cfg(feature = "redis")]
        Location::Redis(server) => Ok(Arc::new(RedisStore::open(server)?)),
        #[allow(unreachable_patterns, reason = "where all stores are built in")]
        _ => Err(OpenError::NotBuiltIn { place: location.to_string() }),
    }
}

/// Makes a store where there is none, and opens it. One that is there is left as it is.
///
/// # Errors
/// [`OpenError`] says what is wrong with the place. What is there is as it was then.
pub fn make(location: &Location) -> Result<Arc<dyn KeyStore>, OpenError> {
    match location {
        #[cfg(feature = "redis")]
        Location::Redis(server) => Ok(Arc::new(RedisStore::make(server)?)),
        _ => open(location),
    }
}
