//! The change log of a store: positions in it, and what a poll of it finds.

use std::pin::Pin;

use crate::key::KeyDigest;

/// One row of the change log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPosition {
    /// The position.
    pub position: u64,
    /// Random, so that a log that was restored or written again is told from this one.
    pub mark: u64,
}

/// What a poll of the change log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeBatch {
    /// The keys that changed.
    pub changed: Changed,
    /// The last row that was read.
    pub end: LogPosition,
}

/// Which keys changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// These, and no others.
    Keys(Vec<KeyDigest>),
    /// It cannot be told.
    Anything,
}

/// Polls the change log.
pub type Poll =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = PollOutcome> + Send>> + Send + Sync + 'static>;

/// How a poll that the store asked for went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollOutcome {
    /// The lease is renewed.
    Fresh,
    /// The store could not be read. It is worth trying again soon.
    Failed,
    /// The engine is gone.
    Gone,
}
