//! What a commit does to keys, and what it returns.

use std::collections::HashSet;

use super::error::StoreError;
use crate::key::{KeyDigest, KeyId};
use crate::record::{KeyChange, KeyRecord};

/// One operation of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Adds a key that was never used. It never touches another.
    Insert(KeyImage),
    /// Changes the fields that the change names, and no other.
    Change {
        /// The key.
        id: KeyId,
        /// What is to be changed.
        change: KeyChange,
    },
    /// Permanently removes a key and its usage.
    Delete {
        /// The key.
        id: KeyId,
    },
}

/// A key at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyImage {
    /// What it is looked up by.
    pub digest: KeyDigest,
    /// What is known of it.
    pub record: KeyRecord,
}

/// What an operation did: the key before and after it, as the store has them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// `None` before an insertion.
    pub before: Option<KeyImage>,
    /// `None` after a deletion.
    pub after: Option<KeyImage>,
}

impl KeyImage {
    /// A key with this digest and record.
    pub fn new(digest: KeyDigest, record: KeyRecord) -> Self {
        Self { digest, record }
    }
}

impl Outcome {
    /// From the key before to the key after.
    pub fn new(before: Option<KeyImage>, after: Option<KeyImage>) -> Self {
        Self { before, after }
    }

    /// The digests of the key, before and after.
    pub fn digests(&self) -> impl Iterator<Item = KeyDigest> {
        self.before.iter().chain(&self.after).map(|image| image.digest)
    }
}

impl Operation {
    /// The operation that changes a key.
    pub fn change(id: KeyId, change: impl Into<KeyChange>) -> Self {
        Self::Change { id, change: change.into() }
    }

    /// The key that it is about.
    pub fn id(&self) -> KeyId {
        match self {
            Self::Insert(image) => image.record.id,
            Self::Change { id, .. } | Self::Delete { id } => *id,
        }
    }

    /// Whether a store that has `after` now did what the operation asks for. Another trigger may
    /// have undone it.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(super) fn is_done(&self, after: Option<&KeyImage>) -> bool {
        match (self, after) {
            (Self::Insert(image), Some(after)) => image == after,
            // To make it once more changes nothing.
            (Self::Change { change, .. }, Some(after)) => {
                let mut again = after.record.clone();
                change.clone().apply(&mut again);
                again == after.record
            }
            (Self::Delete { .. }, after) => after.is_none(),
            (_, None) => false,
        }
    }

    /// Requires that no two operations are about one key: each can be checked alone then.
    pub(super) fn require_distinct(operations: &[Self]) -> Result<(), StoreError> {
        let (mut ids, mut digests) = (HashSet::new(), HashSet::new());
        let is_new = |operation: &Self| {
            let is_new_digest = match operation {
                Self::Insert(image) => digests.insert(image.digest),
                _ => true,
            };
            ids.insert(operation.id()) && is_new_digest
        };
        if operations.iter().all(is_new) {
            return Ok(());
        }
        let reason = "two operations of one commit are about the same key".to_owned();
        Err(StoreError::Failed { reason, source: None })
    }
}
