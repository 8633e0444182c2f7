//! Figures of one engine, for metrics.

use std::time::Duration;

/// What one engine has done since it was started, and what it holds now.
///
/// Taking it locks some mutexes briefly and does not hold up requests. Nothing is decided by these
/// figures.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Keys whose records are cached.
    pub cached_keys: usize,
    /// Digests that are cached as those of no key.
    pub cached_unknown: usize,
    /// How long ago the last applied poll of the change log was begun; `None`: there was none.
    pub last_poll_age: Option<Duration>,
    /// Polls of the change log.
    pub polls: u64,
    /// Those of them that failed.
    pub failed_polls: u64,
    /// Lookups in the store.
    pub lookups: u64,
    /// Those of them that failed.
    pub failed_lookups: u64,
    /// Requests that were rejected because too many keys were not cached.
    pub shed_lookups: u64,
    /// Accepted requests whose count is not yet written to the store.
    pub unwritten_requests: u64,
}
