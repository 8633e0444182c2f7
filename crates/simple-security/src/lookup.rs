//! Asking the store: look-ups that calls join, and readings that renew the lease.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::cache::{Answer, Known};
use crate::clock::Uptime;
use crate::key::KeyDigest;
use crate::record::KeyReference;
use crate::store::{ChangeMark, KeyStore, StoreError};
use crate::sync::{self, Mutex, lock};
use crate::verify::{Denied, VerifiedKey, Verifier};

/// What work for several calls gives to each of them.
type Work<T> = BoxFuture<'static, Result<T, Arc<StoreError>>>;

/// Work that several calls wait for, with the instant it was begun.
type UnderWay<T> = (Uptime, WeakShared<Work<T>>);

/// Look-ups that were given up stay in the map until there are this many.
const SWEEP_AT: usize = 1024;

/// What is needed when the cache has no answer.
pub(crate) struct Lookup {
    verifier: Arc<Verifier>,
    store: Arc<dyn KeyStore>,
    /// The last row of the change log that was applied.
    applied: Arc<Mutex<Option<ChangeMark>>>,
    reading: Mutex<Option<UnderWay<()>>>,
    look_ups: Arc<Mutex<HashMap<KeyDigest, UnderWay<Answer>>>>,
}

impl Lookup {
    pub(crate) fn new(verifier: Arc<Verifier>, store: Arc<dyn KeyStore>) -> Self {
        Self {
            verifier,
            store,
            applied: Arc::new(Mutex::new(None)),
            reading: Mutex::new(None),
            look_ups: Arc::new(Mutex::new(HashMap::new())),
        }
    }

    /// Verifies by what is cached, else by the store.
    pub(crate) async fn verify(&self, presented: &[u8]) -> Result<VerifiedKey, Denied> {
        let verifier = &self.verifier;
        let began = verifier.clock.uptime();
        let digest = verifier.format.parse(presented).map_err(Denied::Malformed)?;
        if !verifier.cache.is_fresh(began) {
            self.read_changes(began).await.map_err(Denied::Unavailable)?;
        }
        let answer = match verifier.cache.find(&digest, began) {
            Some(answer) => answer,
            None => self.look_up(digest, began).await.map_err(Denied::Unavailable)?,
        };
        verifier.decide(answer)
    }

    /// Reads the change log, or waits for a reading that is recent enough for a call that began
    /// at `began`.
    pub(crate) async fn read_changes(&self, began: Uptime) -> Result<(), Arc<StoreError>> {
        let reading = {
            let mut under_way = lock(&self.reading);
            self.join(under_way.as_ref(), began).unwrap_or_else(|| {
                let begun = self.verifier.clock.uptime();
                let reading = self.reading(begun).boxed().shared();
                *under_way = reading.downgrade().map(|weak| (begun, weak));
                reading
            })
        };
        reading.await
    }

    async fn look_up(&self, digest: KeyDigest, began: Uptime) -> Result<Answer, Arc<StoreError>> {
        let look_up = {
            let mut under_way = lock(&self.look_ups);
            self.join(under_way.get(&digest), began).unwrap_or_else(|| {
                let begun = self.verifier.clock.uptime();
                let look_up = self.looking_up(digest).boxed().shared();
                if under_way.len() >= SWEEP_AT {
                    under_way.retain(|_, (_, look_up)| look_up.upgrade().is_some());
                }
                under_way.extend(look_up.downgrade().map(|weak| (digest, (begun, weak))));
                look_up
            })
        };
        look_up.await
    }

    /// Work under way that a call which began at `began` may share: what began less than one
    /// lease before it. An older answer may be from before a revocation that has returned.
    fn join<T: Clone>(
        &self,
        under_way: Option<&UnderWay<T>>,
        began: Uptime,
    ) -> Option<Shared<Work<T>>> {
        let (begun, work) = under_way?;
        let age = began.nanoseconds().saturating_sub(begun.nanoseconds());
        if age < self.verifier.cache.lease() { work.upgrade() } else { None }
    }

    fn reading(
        &self,
        begun: Uptime,
    ) -> impl Future<Output = Result<(), Arc<StoreError>>> + Send + 'static {
        let verifier = Arc::clone(&self.verifier);
        let store = Arc::clone(&self.store);
        let applied = Arc::clone(&self.applied);
        async move {
            let after = *lock(&applied);
            let reading = store.reading(after).await.map_err(Arc::new)?;
            let mut applied = lock(&applied);
            // Two readings can overlap when one of them is slow. What the slower one found is
            // still forgotten, but the log is not set back to where it was.
            verifier.cache.apply(&reading.changed, begun);
            if *applied == after {
                *applied = Some(reading.mark);
            }
            Ok(())
        }
    }

    fn looking_up(
        &self,
        digest: KeyDigest,
    ) -> impl Future<Output = Result<Answer, Arc<StoreError>>> + Send + 'static {
        let verifier = Arc::clone(&self.verifier);
        let store = Arc::clone(&self.store);
        let look_ups = Arc::clone(&self.look_ups);
        async move {
            let filling = verifier.cache.begin_filling();
            let found = store.find(KeyReference::Digest(digest)).await;
            let answer = found.map_err(Arc::new).map(|record| match record {
                None => Answer::Unknown,
                Some(record) => {
                    let counter = verifier.counters.of(record.id);
                    Answer::Known(sync::Arc::new(Known { record, counter }))
                }
            });
            if let Ok(answer) = &answer {
                verifier.cache.fill(&filling, digest, answer);
            }
            lock(&look_ups).remove(&digest);
            answer
        }
    }
}
