//! The cache, the lease and the counters, checked by loom in every order that threads can run in,
//! up to the number of preemptions that each model names. `make test` builds it with
//! `--cfg loom_model`, which gives the engine loom's locks and atomics; without it there is
//! nothing here. `tests/mutations/` breaks each rule of the engine and expects a model to fail.
//!
//! What runs is the real engine through its public face. The store and the clock are models. So
//! is the map of the cache (`src/cache/second_chance.rs`): papaya is trusted to be a map, and the
//! `Shared` of futures-util and the `Mutex` of tokio, whose insides loom does not see either, to be
//! what they say.
#![cfg(loom_model)]

mod counts;
mod lease;
mod world;
