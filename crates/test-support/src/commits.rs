//! Single operations on a store, for tests that are about something else.

use simple_security::store::{KeyImage, KeyStore, Operation, Outcome, StoreError};
use simple_security::{Actor, KeyChange, KeyDigest, KeyId, KeyRecord};

use crate::wait;

/// Adds a key.
pub fn insert(
    store: &dyn KeyStore,
    digest: KeyDigest,
    record: &KeyRecord,
) -> Result<(), StoreError> {
    let insert = Operation::Insert(KeyImage::new(digest, record.clone()));
    wait(store.commit(vec![insert], &Actor::Program)).map(drop)
}

/// Changes a key; `None` where there is no such key.
pub fn change(
    store: &dyn KeyStore,
    id: KeyId,
    change: impl Into<KeyChange>,
) -> Result<Option<Outcome>, StoreError> {
    commit(store, Operation::change(id, change))
}

/// Removes a key; `None` where there is no such key.
pub fn delete(store: &dyn KeyStore, id: KeyId) -> Result<Option<Outcome>, StoreError> {
    commit(store, Operation::Delete { id })
}

fn commit(store: &dyn KeyStore, operation: Operation) -> Result<Option<Outcome>, StoreError> {
    match wait(store.commit(vec![operation], &Actor::Program)) {
        Err(StoreError::NotFound { .. }) => Ok(None),
        outcomes => outcomes.map(|mut outcomes| outcomes.pop()),
    }
}
