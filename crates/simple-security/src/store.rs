//! Where keys are kept: what the engine asks of a store, and the stores.

mod bulk;
mod change_log;
mod error;
mod key_store;
mod location;
mod memory;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod network;
mod open;
mod operation;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
mod sqlite;
mod usage_batch;

pub use bulk::{Existing, Inserted, KeySource};
pub use change_log::{ChangeBatch, Changed, LogPosition, Poll, PollOutcome};
pub use error::{BoxedError, OpenError, StoreError};
pub use key_store::{
    ChangeLog, KeyRecords, KeyStore, Lifecycle, SharedSecret, StoreFuture, UsageTotals,
};
pub use location::{InvalidLocation, Location, PARAMETERS, Parameter, Server};
pub use memory::MemoryStore;
pub use open::{make, open};
pub use operation::{KeyImage, Operation, Outcome};
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "redis")]
pub use redis::RedisStore;
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteStore, read_old_keys};
pub use usage_batch::UsageBatch;
