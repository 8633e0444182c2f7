//! Where a store that is checked keeps its keys.

use std::sync::Arc;

use crate::store::KeyStore;

/// Where a store that is checked keeps its keys. It is empty at first.
pub trait Place: Send + Sync {
    /// One more handle on what is kept here, as another process would have.
    fn open(&self) -> Arc<dyn KeyStore>;

    /// Another place of the same kind, empty and apart from this one.
    fn another(&self) -> Box<dyn Place>;

    /// The runtime that the store needs, if it needs one.
    fn runtime(&self) -> Option<tokio::runtime::Handle> {
        None
    }

    /// How often a check that tries many orders of events tries them. More finds more.
    fn rounds(&self) -> u32 {
        50
    }
}
