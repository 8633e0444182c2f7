//! A store whose hints are cut: an engine learns of a change only by the readings that it makes itself
//! when its lease has ended.

use std::sync::Arc;
use std::time::Duration;

use simple_security::store::{
    ChangeMark, Existing, Inserted, KeySource, KeyStore, Reading, Refresh, StoreFuture, UsageBatch,
};
use simple_security::{
    KeyChange, KeyDigest, KeyId, KeyRecord, KeyReference, PageRequest, StoredKey, Timestamp, Usage,
};

/// See the module.
pub struct Deaf(pub Arc<dyn KeyStore>);

impl KeyStore for Deaf {
    fn keep_fresh(&self, _refresh: Refresh) {}

    fn lease(&self) -> Duration {
        self.0.lease()
    }

    fn stale_if_error(&self) -> Duration {
        self.0.stale_if_error()
    }

    fn is_embedded(&self) -> bool {
        self.0.is_embedded()
    }

    fn insert<'a>(&'a self, digest: KeyDigest, record: &'a KeyRecord) -> StoreFuture<'a, ()> {
        self.0.insert(digest, record)
    }

    fn insert_all(&self, keys: KeySource, existing: Existing) -> StoreFuture<'_, Inserted> {
        self.0.insert_all(keys, existing)
    }

    fn find(&self, key: KeyReference) -> StoreFuture<'_, Option<KeyRecord>> {
        self.0.find(key)
    }

    fn change(
        &self,
        id: KeyId,
        change: KeyChange,
    ) -> StoreFuture<'_, Option<(KeyDigest, KeyRecord)>> {
        self.0.change(id, change)
    }

    fn delete(&self, id: KeyId) -> StoreFuture<'_, Option<KeyDigest>> {
        self.0.delete(id)
    }

    fn page<'a>(
        &'a self,
        request: &'a PageRequest,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<StoredKey>> {
        self.0.page(request, now)
    }

    fn list(&self) -> StoreFuture<'_, Vec<(KeyRecord, Usage)>> {
        self.0.list()
    }

    fn usage(&self, id: KeyId) -> StoreFuture<'_, Option<Usage>> {
        self.0.usage(id)
    }

    fn add_usage<'a>(&'a self, batch: &'a UsageBatch) -> StoreFuture<'a, ()> {
        self.0.add_usage(batch)
    }

    fn reading(&self, after: Option<ChangeMark>) -> StoreFuture<'_, Reading> {
        self.0.reading(after)
    }

    fn agree_on_admin_secret(&self, offered: KeyDigest) -> StoreFuture<'_, Option<KeyDigest>> {
        self.0.agree_on_admin_secret(offered)
    }
}
