//! How often a key was accepted.

use super::timestamp::Timestamp;

/// How often a key was accepted, and when last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Accepted requests.
    pub total: u64,
    /// The last of them.
    pub last_used_at: Option<Timestamp>,
}

impl Usage {
    /// So many accepted requests, the last of them at this instant.
    pub fn new(total: u64, last_used_at: Option<Timestamp>) -> Self {
        Self { total, last_used_at }
    }
}
