//! A store whose hints are cut: an engine learns of a change only by the polls that it makes itself
//! when its lease has ended.

use std::sync::Arc;
use std::time::Duration;

use simple_security::store::{
    ChangeBatch, ChangeLog, Existing, Inserted, KeyRecords, KeySource, KeyStore, Lifecycle,
    LogPosition, Operation, Outcome, Poll, SharedSecret, StoreFuture, UsageBatch, UsageTotals,
};
use simple_security::{
    Actor, KeyDigest, KeyId, KeyRecord, KeyReference, PageRequest, StoredKey, Timestamp, Usage,
};

/// See the module.
pub struct Deaf(pub Arc<dyn KeyStore>);

impl KeyRecords for Deaf {
    fn commit<'a>(
        &'a self,
        operations: Vec<Operation>,
        actor: &'a Actor,
    ) -> StoreFuture<'a, Vec<Outcome>> {
        self.0.commit(operations, actor)
    }

    fn insert_all<'a>(
        &'a self,
        keys: KeySource,
        existing: Existing,
        actor: &'a Actor,
    ) -> StoreFuture<'a, Inserted> {
        self.0.insert_all(keys, existing, actor)
    }

    fn find(&self, key: KeyReference) -> StoreFuture<'_, Option<KeyRecord>> {
        self.0.find(key)
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
}

impl UsageTotals for Deaf {
    fn usage(&self, id: KeyId) -> StoreFuture<'_, Option<Usage>> {
        self.0.usage(id)
    }

    fn add_usage<'a>(&'a self, batch: &'a UsageBatch) -> StoreFuture<'a, ()> {
        self.0.add_usage(batch)
    }
}

impl ChangeLog for Deaf {
    fn lease(&self) -> Duration {
        self.0.lease()
    }

    fn stale_if_error(&self) -> Duration {
        self.0.stale_if_error()
    }

    fn changes_since(&self, after: Option<LogPosition>) -> StoreFuture<'_, ChangeBatch> {
        self.0.changes_since(after)
    }

    fn poll_changes(&self, _refresh: Poll) {}
}

impl SharedSecret for Deaf {
    fn agree_on_admin_secret(&self, offered: KeyDigest) -> StoreFuture<'_, Option<KeyDigest>> {
        self.0.agree_on_admin_secret(offered)
    }
}

impl Lifecycle for Deaf {
    fn is_embedded(&self) -> bool {
        self.0.is_embedded()
    }
}
