//! Many keys at once.

use super::error::StoreError;
use crate::record::StoredKey;

/// Where a store gets many keys from, one by one. After an error nothing more is asked for.
pub type KeySource = Box<dyn Iterator<Item = Result<StoredKey, StoreError>> + Send>;

/// What becomes of a key that is to be added, where its id or its digest is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Nothing is added.
    Refuse,
    /// It is left out.
    Skip,
}

/// How many keys were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inserted {
    /// Those that are new.
    pub added: u64,
    /// Those that were left out.
    pub skipped: u64,
}
