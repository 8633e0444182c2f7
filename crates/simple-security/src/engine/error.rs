//! Why a key could not be made, changed or shown.

use crate::key::InvalidImport;
use crate::store::StoreError;

/// Why a key could not be made, changed or shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no such key.
    #[error("API key not found")]
    NotFound,
    /// The text that was to be imported cannot be a key.
    #[error(transparent)]
    InvalidImport(#[from] InvalidImport),
    /// The text that was to be imported is a key already, an active one or not.
    #[error("a key of this text exists already")]
    Exists,
    /// The store failed. Whether the change was made is not known; asking again is safe.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system gave no random bytes, so no key was made.
    #[error("the operating system gives no random bytes")]
    Random(#[from] getrandom::Error),
}
