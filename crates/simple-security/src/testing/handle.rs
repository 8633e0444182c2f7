//! A handle on a store whose calls wait, and keys by their numbers.

use std::sync::Arc;

use super::place::Place;
use crate::admin::Actor;
use crate::key::{KeyDigest, KeyId};
use crate::page::PageRequest;
use crate::record::{
    KeyChange, KeyEdit, KeyName, KeyRecord, KeyReference, StoredKey, Timestamp, Usage,
};
use crate::store::{
    ChangeBatch, Changed, Existing, Inserted, KeyImage, KeyStore, LogPosition, Operation, Outcome,
    StoreError, StoreFuture, UsageBatch,
};

/// A handle whose calls wait.
pub(super) struct Handle {
    pub(super) store: Arc<dyn KeyStore>,
    runtime: Option<tokio::runtime::Handle>,
}

impl Handle {
    pub(super) fn on(place: &dyn Place) -> Self {
        Self { store: place.open(), runtime: place.runtime() }
    }

    pub(super) fn wait<T>(&self, future: StoreFuture<'_, T>) -> Result<T, StoreError> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(future),
            None => pollster::block_on(future),
        }
    }

    pub(super) fn try_commit(
        &self,
        operations: Vec<Operation>,
    ) -> Result<Vec<Outcome>, StoreError> {
        self.wait(self.store.commit(operations, &Actor::Program))
    }

    pub(super) fn try_insert(
        &self,
        digest: KeyDigest,
        record: &KeyRecord,
    ) -> Result<(), StoreError> {
        self.try_commit(vec![Operation::Insert(KeyImage::new(digest, record.clone()))]).map(drop)
    }

    #[track_caller]
    pub(super) fn insert(&self, number: u32) -> KeyRecord {
        let record = record(number);
        self.try_insert(digest(number), &record).expect("insert");
        record
    }

    pub(super) fn try_insert_all(
        &self,
        keys: Vec<Result<StoredKey, StoreError>>,
        existing: Existing,
    ) -> Result<Inserted, StoreError> {
        self.wait(self.store.insert_all(Box::new(keys.into_iter()), existing, &Actor::Program))
    }

    /// Asks what changes nothing. A store on a network has little time for it, and may need a
    /// second try on a machine that is busy.
    pub(super) fn ask<'a, T>(
        &'a self,
        ask: impl Fn() -> StoreFuture<'a, T>,
    ) -> Result<T, StoreError> {
        let mut answer = self.wait(ask());
        for _ in 0..5 {
            match answer {
                Err(error) if error.is_outage() => answer = self.wait(ask()),
                _ => break,
            }
        }
        answer
    }

    #[track_caller]
    pub(super) fn find(&self, key: KeyReference) -> Option<KeyRecord> {
        self.ask(|| self.store.find(key)).expect("find")
    }

    #[track_caller]
    pub(super) fn find_id(&self, number: u32) -> Option<KeyRecord> {
        self.find(KeyReference::Id(id(number)))
    }

    /// The record from before the change; `None` where there is no such key.
    #[track_caller]
    pub(super) fn change(&self, number: u32, change: KeyChange) -> Option<KeyRecord> {
        let outcome = self.make(Operation::change(id(number), change))?;
        outcome.before.map(|image| image.record)
    }

    #[track_caller]
    pub(super) fn delete(&self, number: u32) -> bool {
        self.make(Operation::Delete { id: id(number) }).is_some()
    }

    /// Makes one operation; `None` where there is no such key.
    #[track_caller]
    pub(super) fn make(&self, operation: Operation) -> Option<Outcome> {
        match self.try_commit(vec![operation]) {
            Err(StoreError::NotFound { position: 0 }) => None,
            outcomes => outcomes.expect("a commit").pop(),
        }
    }

    /// The keys of a page, at the instant `now`.
    #[track_caller]
    pub(super) fn page(&self, request: &PageRequest, now: i64) -> Vec<(KeyRecord, Usage)> {
        let keys = self.wait(self.store.page(request, at(now))).expect("page");
        keys.into_iter().map(|key| (key.record, key.usage)).collect()
    }

    #[track_caller]
    pub(super) fn list(&self) -> Vec<(KeyRecord, Usage)> {
        self.wait(self.store.list()).expect("list")
    }

    #[track_caller]
    pub(super) fn usage(&self, number: u32) -> Option<Usage> {
        self.wait(self.store.usage(id(number))).expect("usage")
    }

    #[track_caller]
    pub(super) fn add(&self, writer: u8, number: u64, counts: &[(u32, u64, i64)]) {
        let counts = counts.iter().map(|(key, count, last)| (id(*key), *count, at(*last)));
        let batch = UsageBatch {
            writer: [writer; 16],
            number,
            made_at: at(1000),
            counts: counts.collect(),
        };
        self.wait(self.store.add_usage(&batch)).expect("add_usage");
    }

    #[track_caller]
    pub(super) fn changes_since(&self, after: Option<LogPosition>) -> ChangeBatch {
        self.ask(|| self.store.changes_since(after)).expect("reading")
    }

    /// Where the log ends now.
    #[track_caller]
    pub(super) fn mark(&self) -> LogPosition {
        self.changes_since(None).end
    }

    /// The keys that changed after `mark`, which moves on.
    #[track_caller]
    pub(super) fn changed(&self, mark: &mut LogPosition) -> Vec<KeyDigest> {
        let reading = self.changes_since(Some(*mark));
        *mark = reading.end;
        match reading.changed {
            Changed::Keys(digests) => digests,
            Changed::Anything => panic!("the log lacks the row {mark:?}"),
        }
    }
}

pub(super) fn id(number: u32) -> KeyId {
    format!("{number:011}").parse().expect("an id")
}

pub(super) fn digest(number: u32) -> KeyDigest {
    KeyDigest::of(format!("key {number}").as_bytes())
}

pub(super) fn stored(number: u32) -> StoredKey {
    StoredKey::new(digest(number), record(number))
}

pub(super) fn record(number: u32) -> KeyRecord {
    KeyRecord {
        name: name_of(&format!("number {number}")),
        ..KeyRecord::new(id(number), at(100), at(10_000))
    }
}

pub(super) fn name_of(name: &str) -> KeyName {
    KeyName::new(name).expect("a name")
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

pub(super) fn revoke(seconds: i64) -> KeyChange {
    KeyChange::revoke(at(seconds))
}

pub(super) fn rename(name: &str) -> KeyChange {
    KeyEdit::default().with_name(name_of(name)).into()
}

pub(super) fn renew(seconds: i64) -> KeyChange {
    KeyChange::renew(at(seconds), None)
}
