//! Test code that several crates share. It is not published.
//!
//! Nothing here depends on which stores the engine is built with: a store is opened by its location.

use std::future::Future;

mod faulty_store;
pub mod records;
mod rounds;
pub mod servers;
pub mod stores;
pub mod vectors;

pub use faulty_store::{Fault, FaultyStore};
pub use rounds::rounds;

/// Waits for a future on this thread.
pub fn wait<F: Future>(future: F) -> F::Output {
    pollster::block_on(future)
}
