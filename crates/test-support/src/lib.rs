//! Test code that several crates share. It is not published.
//!
//! Nothing here depends on which stores the engine is built with: a store is opened by its location.

pub mod commits;
mod engine;
mod faulty_store;
pub mod records;
mod rounds;
pub mod servers;
pub mod stores;
pub mod vectors;

pub use engine::{
    ADMIN_SECRET, START, engine, engine_builder, engine_without_admin, engine_without_secret,
    fake_clock, issue,
};
pub use faulty_store::{Fault, FaultyStore};
pub use rounds::rounds;

/// Waits for a future on this thread.
pub fn wait<F: IntoFuture>(future: F) -> F::Output {
    pollster::block_on(future.into_future())
}
