//! A store in the memory of one process: for tests, and to try things out.

use std::collections::HashMap;
use std::future::ready;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::bulk::{Existing, Inserted, KeySource};
use super::change_log::{ChangeBatch, Changed, LogPosition};
use super::error::{OpenError, StoreError};
use super::key_store::{ChangeLog, KeyRecords, Lifecycle, SharedSecret, StoreFuture, UsageTotals};
use super::operation::{KeyImage, Operation, Outcome};
use super::usage_batch::UsageBatch;
use crate::admin::Actor;
use crate::key::{KeyDigest, KeyId};
use crate::page::{Cursor, PageRequest};
use crate::random;
use crate::record::{KeyRecord, KeyReference, StoredKey, Timestamp, Usage};

/// Keeps everything until it is dropped. Nothing is written anywhere.
///
/// Several engines may share one by `Arc`, as processes share a file.
pub struct MemoryStore {
    lease: Duration,
    state: Mutex<State>,
}

struct State {
    keys: HashMap<KeyId, (KeyDigest, KeyRecord, Usage)>,
    ids: HashMap<KeyDigest, KeyId>,
    changes: Vec<KeyDigest>,
    /// One for all rows: a log in memory is never restored, only lost whole.
    mark: u64,
    batches: HashMap<[u8; 16], u64>,
    admin_secret: Option<KeyDigest>,
}

impl MemoryStore {
    /// An empty store with the lease of a local one, 10 ms.
    ///
    /// # Errors
    /// [`OpenError::Random`].
    pub fn new() -> Result<Self, OpenError> {
        let mark = random::bytes()?;
        Ok(Self {
            lease: Duration::from_millis(10),
            state: Mutex::new(State {
                keys: HashMap::new(),
                ids: HashMap::new(),
                changes: Vec::new(),
                mark: u64::from_ne_bytes(mark),
                batches: HashMap::new(),
                admin_secret: None,
            }),
        })
    }

    fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> StoreFuture<'_, T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Box::pin(ready(work(&mut state)))
    }
}

impl State {
    fn id(&self, key: KeyReference) -> Option<KeyId> {
        match key {
            KeyReference::Id(id) => self.keys.contains_key(&id).then_some(id),
            KeyReference::Digest(digest) => self.ids.get(&digest).copied(),
        }
    }

    /// `false` where the id or the digest is taken.
    fn insert(&mut self, StoredKey { digest, record, usage }: StoredKey) -> bool {
        if self.keys.contains_key(&record.id) || self.ids.contains_key(&digest) {
            return false;
        }
        self.ids.insert(digest, record.id);
        self.keys.insert(record.id, (digest, record, usage));
        self.changes.push(digest);
        true
    }

    /// Whether an operation can be made.
    fn require_possible(&self, position: u64, operation: &Operation) -> Result<(), StoreError> {
        let exists = self.keys.contains_key(&operation.id());
        match operation {
            Operation::Insert(image) if exists || self.ids.contains_key(&image.digest) => {
                Err(StoreError::Duplicate { position })
            }
            Operation::Change { .. } | Operation::Delete { .. } if !exists => {
                Err(StoreError::NotFound { position })
            }
            _ => Ok(()),
        }
    }

    /// Makes an operation that is possible.
    fn make(&mut self, operation: Operation) -> Outcome {
        let id = operation.id();
        let image = |state: &Self| {
            let (digest, record, _) = state.keys.get(&id)?;
            Some(KeyImage::new(*digest, record.clone()))
        };
        let before = image(self);
        match operation {
            Operation::Insert(KeyImage { digest, record }) => {
                self.insert(StoredKey::new(digest, record));
            }
            Operation::Change { change, .. } => {
                if let Some((digest, record, _)) = self.keys.get_mut(&id) {
                    change.apply(record);
                    self.changes.push(*digest);
                }
            }
            Operation::Delete { .. } => {
                if let Some((digest, ..)) = self.keys.remove(&id) {
                    self.ids.remove(&digest);
                    self.changes.push(digest);
                }
            }
        }
        let after = image(self);
        Outcome::new(before, after)
    }

    /// Undoes the last insertions.
    fn take_back(&mut self, added: &[(KeyDigest, KeyId)]) {
        for (digest, id) in added {
            self.ids.remove(digest);
            self.keys.remove(id);
        }
        self.changes.truncate(self.changes.len() - added.len());
    }
}

impl KeyRecords for MemoryStore {
    fn commit<'a>(
        &'a self,
        operations: Vec<Operation>,
        _actor: &'a Actor,
    ) -> StoreFuture<'a, Vec<Outcome>> {
        self.with(|state| {
            Operation::require_distinct(&operations)?;
            for (position, operation) in (0..).zip(&operations) {
                state.require_possible(position, operation)?;
            }
            Ok(operations.into_iter().map(|operation| state.make(operation)).collect())
        })
    }

    fn insert_all<'a>(
        &'a self,
        keys: KeySource,
        existing: Existing,
        _actor: &'a Actor,
    ) -> StoreFuture<'a, Inserted> {
        self.with(|state| {
            let mut done = Inserted::default();
            let mut added = Vec::new();
            for (position, key) in (0..).zip(keys) {
                let inserted = key.and_then(|key| {
                    let (digest, id) = (key.digest, key.record.id);
                    match (state.insert(key), existing) {
                        (true, _) => added.push((digest, id)),
                        (false, Existing::Skip) => done.skipped += 1,
                        (false, Existing::Refuse) => {
                            return Err(StoreError::Duplicate { position });
                        }
                    }
                    Ok(())
                });
                if let Err(error) = inserted {
                    state.take_back(&added);
                    return Err(error);
                }
            }
            done.added = added.len() as u64;
            Ok(done)
        })
    }

    fn find(&self, key: KeyReference) -> StoreFuture<'_, Option<KeyRecord>> {
        self.with(|state| {
            let id = state.id(key);
            Ok(id.and_then(|id| state.keys.get(&id)).map(|(_, record, _)| record.clone()))
        })
    }

    fn page<'a>(
        &'a self,
        request: &'a PageRequest,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<StoredKey>> {
        self.with(|state| {
            let rows = state.keys.values();
            let mut rows: Vec<_> =
                rows.filter(|(_, record, _)| request.asks_for(record, now)).cloned().collect();
            rows.sort_by_key(|(_, record, _)| std::cmp::Reverse(Cursor::of(record)));
            rows.truncate(request.limit as usize);
            let stored = |(digest, record, usage)| StoredKey { digest, record, usage };
            Ok(rows.into_iter().map(stored).collect())
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<(KeyRecord, Usage)>> {
        self.with(|state| {
            let mut rows: Vec<_> =
                state.keys.values().map(|(_, record, usage)| (record.clone(), *usage)).collect();
            rows.sort_by_key(|(record, usage)| {
                (std::cmp::Reverse(usage.last_used_at), record.created_at, record.id)
            });
            Ok(rows)
        })
    }
}

impl UsageTotals for MemoryStore {
    fn usage(&self, id: KeyId) -> StoreFuture<'_, Option<Usage>> {
        self.with(|state| Ok(state.keys.get(&id).map(|(_, _, usage)| *usage)))
    }

    fn add_usage<'a>(&'a self, batch: &'a UsageBatch) -> StoreFuture<'a, ()> {
        self.with(|state| {
            if state.batches.get(&batch.writer).is_some_and(|last| *last >= batch.number) {
                return Ok(());
            }
            state.batches.insert(batch.writer, batch.number);
            for (id, count, last_used_at) in &batch.counts {
                if let Some((_, _, usage)) = state.keys.get_mut(id) {
                    usage.total += count;
                    usage.last_used_at = usage.last_used_at.max(Some(*last_used_at));
                }
            }
            Ok(())
        })
    }
}

impl ChangeLog for MemoryStore {
    fn lease(&self) -> Duration {
        self.lease
    }

    fn changes_since(&self, after: Option<LogPosition>) -> StoreFuture<'_, ChangeBatch> {
        self.with(|state| {
            let mark = LogPosition { position: state.changes.len() as u64, mark: state.mark };
            let changed = match after {
                Some(after) if after.mark == state.mark && after.position <= mark.position => {
                    Changed::Keys(state.changes[after.position as usize..].to_vec())
                }
                _ => Changed::Anything,
            };
            Ok(ChangeBatch { changed, end: mark })
        })
    }
}

impl SharedSecret for MemoryStore {
    fn agree_on_admin_secret(&self, offered: KeyDigest) -> StoreFuture<'_, Option<KeyDigest>> {
        self.with(|state| Ok(Some(*state.admin_secret.get_or_insert(offered))))
    }
}

impl Lifecycle for MemoryStore {}
