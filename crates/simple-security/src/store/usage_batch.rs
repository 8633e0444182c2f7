//! Counts on their way to a store.

use crate::key::KeyId;
use crate::random;
use crate::record::Timestamp;

/// Counts that one engine adds to the totals in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageBatch {
    /// The engine, by a random name that no other has.
    pub writer: [u8; 16],
    /// The number of the batch: each is greater than the one before.
    pub number: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// The keys, how often each was accepted, and when last.
    pub counts: Vec<(KeyId, u64, Timestamp)>,
}

impl UsageBatch {
    /// The first batch of a writer that is new: for one who adds some counts once.
    ///
    /// # Errors
    /// When the operating system cannot give random bytes.
    pub fn single(
        made_at: Timestamp,
        counts: Vec<(KeyId, u64, Timestamp)>,
    ) -> Result<Self, getrandom::Error> {
        Ok(Self { writer: random::bytes()?, number: 1, made_at, counts })
    }
}
