//! Usage: how often keys were accepted, and how that reaches the store.
//!
//! An accepted request adds one to an atomic and is done. A thread adds what has come together to the
//! totals of the store.

mod counters;
mod flusher;

pub(crate) use counters::Counters;
pub(crate) use flusher::Flusher;
