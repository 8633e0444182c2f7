//! One of the two stores of a copy.

use std::sync::Arc;

use simple_security::store::KeyStore;

/// A store, and how messages call it.
#[derive(Clone)]
pub(super) struct Side {
    pub(super) store: Arc<dyn KeyStore>,
    pub(super) name: String,
}
