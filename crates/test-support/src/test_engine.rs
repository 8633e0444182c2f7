//! An engine on a store that a test can break, and a clock that a test moves.

use std::collections::HashMap;
use std::sync::Arc;

use simple_security::clock::FakeClock;
use simple_security::store::{ChangeLog as _, KeyStore, MemoryStore};
use simple_security::{ApiKeys, IssuedKey, KeyId, KeyName, NewKey};

use crate::engine::{engine, fake_clock};
use crate::faulty_store::FaultyStore;

/// The engine with its store and its clock.
pub struct Engine {
    /// The keys.
    pub keys: Arc<ApiKeys>,
    /// The store.
    pub store: Arc<FaultyStore>,
    /// The clock.
    pub clock: Arc<FakeClock>,
}

impl Engine {
    /// Opens one on an empty store in memory.
    #[allow(clippy::new_without_default, reason = "a default would not say that it opens a store")]
    pub fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new().expect("random bytes")))
    }

    /// Opens one on this store.
    pub fn on(store: Arc<dyn KeyStore>) -> Self {
        Self::behind(FaultyStore::new(store))
    }

    /// Opens one on a store that can be broken already.
    pub fn behind(store: Arc<FaultyStore>) -> Self {
        Self::of(store, fake_clock())
    }

    /// Opens one more on the store and with the clock of another one.
    pub fn of(store: Arc<FaultyStore>, clock: Arc<FakeClock>) -> Self {
        let keys = engine(store.clone(), &clock);
        Self { keys: Arc::new(keys), store, clock }
    }

    /// Issues a key.
    pub async fn issue(&self, name: &str) -> IssuedKey {
        let name = KeyName::new(name).expect("a name");
        self.keys.issue(NewKey::named(name)).await.expect("a key")
    }

    /// Returns how often a key was counted.
    pub async fn counted(&self, id: KeyId) -> u64 {
        self.keys.usage(id).await.expect("usage").total
    }

    /// Returns how often all keys were counted.
    pub async fn all_counted(&self) -> HashMap<KeyId, u64> {
        let rows = self.keys.list().await.expect("a list");
        rows.into_iter().map(|(record, usage)| (record.id, usage.total)).collect()
    }

    /// Moves the clock until nothing that was read is fresh any more.
    pub fn let_the_lease_end(&self) {
        self.clock.advance(self.store.lease());
    }
}
