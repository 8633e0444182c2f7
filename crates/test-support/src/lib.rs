//! Test code that several crates share. It is not published.
//!
//! Nothing here depends on which stores the engine is built with: a store is opened by its location.

#[cfg(feature = "axum")]
pub mod admin_app;
pub mod admin_vectors;
pub mod commits;
mod engine;
mod faulty_store;
mod log;
pub mod openapi;
pub mod records;
mod rounds;
pub mod servers;
pub mod stores;
mod test_engine;
pub mod vectors;
mod wait;

pub use engine::{
    ADMIN_SECRET, START, engine, engine_builder, engine_without_admin, engine_without_secret,
    fake_clock, issue,
};
pub use faulty_store::{Fault, FaultyStore};
pub use log::Log;
pub use rounds::rounds;
pub use test_engine::Engine;
pub use wait::wait;
