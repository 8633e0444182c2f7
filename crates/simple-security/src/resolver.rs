//! Asking the store: lookups, which calls join where it is far away, and polls that renew the
//! lease.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::cache::Answer;
use crate::clock::Uptime;
use crate::key::KeyDigest;
use crate::rate_limiter::RateLimiter;
use crate::record::KeyReference;
use crate::stats::Stats;
use crate::store::{KeyStore, LogPosition, StoreError};
use crate::sync::{Mutex, lock};
use crate::verify::{Attempt, VerifiedKey, Verifier, VerifyError};

/// What work for several calls gives to each of them.
type Work<T> = BoxFuture<'static, Result<T, Arc<StoreError>>>;

/// Work that several calls wait for, with the instant it was begun.
type UnderWay<T> = (Uptime, WeakShared<Work<T>>);

/// When the store was found to be down, and why it is thought so.
type Outage = (Uptime, Arc<StoreError>);

/// Lookups that were given up stay in the map until there are this many.
const SWEEP_AT: usize = 1024;

/// For so long after a failed poll nobody waits for another one, in nanoseconds: the store is
/// asked behind the scenes until it is back. Longer than it takes to find out that it is not.
const OUTAGE: u64 = 3_000_000_000;

/// What is needed when the cache has no answer.
pub(crate) struct Resolver {
    verifier: Arc<Verifier>,
    store: Arc<dyn KeyStore>,
    /// The last row of the change log that was applied.
    applied: Arc<Mutex<Option<LogPosition>>>,
    poll: Mutex<Option<UnderWay<()>>>,
    lookups: Arc<Mutex<HashMap<KeyDigest, UnderWay<Answer>>>>,
    /// Why the last poll of a store on the network has failed, and when it had.
    outage: Arc<Mutex<Option<Outage>>>,
    /// The lookups in a store on the network.
    rate_limiter: RateLimiter,
    /// For how long in all an answer may be used while the store is down, in nanoseconds.
    tolerated: u64,
    tallies: Arc<Tallies>,
}

/// How often the store was asked since the start. Never read to decide anything.
#[derive(Default)]
struct Tallies {
    polls: AtomicU64,
    failed_polls: AtomicU64,
    lookups: AtomicU64,
    failed_lookups: AtomicU64,
    shed_lookups: AtomicU64,
}

fn tally(tally: &AtomicU64) {
    tally.fetch_add(1, Ordering::Relaxed);
}

impl Resolver {
    pub(crate) fn new(
        verifier: Arc<Verifier>,
        store: Arc<dyn KeyStore>,
        lookups_per_second: u32,
    ) -> Self {
        Self {
            tolerated: (store.lease() + store.stale_if_error()).as_nanos() as u64,
            outage: Arc::new(Mutex::new(None)),
            rate_limiter: RateLimiter::new(lookups_per_second),
            verifier,
            store,
            applied: Arc::new(Mutex::new(None)),
            poll: Mutex::new(None),
            lookups: Arc::new(Mutex::new(HashMap::new())),
            tallies: Arc::default(),
        }
    }

    /// Verifies by what is cached, else by the store.
    pub(crate) async fn verify(&self, attempt: Attempt<'_>) -> Result<VerifiedKey, VerifyError> {
        let verifier = &self.verifier;
        let began = verifier.clock.uptime();
        let digest = verifier.format.parse(attempt.presented).map_err(VerifyError::Malformed)?;
        if !verifier.cache.is_fresh(began) {
            let read = match self.outage(began) {
                Some(error) => Err(error),
                None => self.read_changes(began).await,
            };
            if let Err(error) = read {
                return self.decide_without_store(&digest, began, attempt, error);
            }
        }
        let answer = match verifier.cache.find(&digest, began) {
            Some(answer) => answer,
            None => self.lookup(digest, began).await?,
        };
        verifier.decide(answer, attempt)
    }

    /// What can be said without waiting when the cache has no answer: that the store is down, or
    /// that it is asked for too much. `None`: it must be asked.
    pub(crate) fn try_verify(
        &self,
        attempt: Attempt<'_>,
    ) -> Option<Result<VerifiedKey, VerifyError>> {
        if self.store.is_embedded() {
            return None;
        }
        let began = self.verifier.clock.uptime();
        let digest = match self.verifier.format.parse(attempt.presented) {
            Ok(digest) => digest,
            Err(malformed) => return Some(Err(VerifyError::Malformed(malformed))),
        };
        if !self.verifier.cache.is_fresh(began) {
            let error = self.outage(began)?;
            return Some(self.decide_without_store(&digest, began, attempt, error));
        }
        if let Some(answer) = self.verifier.cache.find(&digest, began) {
            return Some(self.verifier.decide(answer, attempt));
        }
        if self.rate_limiter.is_used_up(began) && !lock(&self.lookups).contains_key(&digest) {
            return Some(Err(self.overloaded()));
        }
        None
    }

    /// Why the store was found to be down a moment ago.
    fn outage(&self, began: Uptime) -> Option<Arc<StoreError>> {
        let outage = lock(&self.outage);
        let (since, error) = outage.as_ref()?;
        let age = began.nanoseconds().saturating_sub(since.nanoseconds());
        (age < OUTAGE).then(|| Arc::clone(error))
    }

    /// While the store is down, an old answer counts for as long as the store allows.
    fn decide_without_store(
        &self,
        digest: &KeyDigest,
        began: Uptime,
        attempt: Attempt<'_>,
        error: Arc<StoreError>,
    ) -> Result<VerifiedKey, VerifyError> {
        let cache = &self.verifier.cache;
        let tolerated = error.is_outage() && cache.is_read_within(self.tolerated, began);
        match cache.find_stale(digest).filter(|_| tolerated) {
            Some(answer) => self.verifier.decide(answer, attempt),
            None => Err(VerifyError::Unavailable(error)),
        }
    }

    fn overloaded(&self) -> VerifyError {
        tally(&self.tallies.shed_lookups);
        VerifyError::Overloaded { per_second: self.rate_limiter.per_second() }
    }

    /// The figures of the cache and of what the store was asked.
    pub(crate) fn stats(&self) -> Stats {
        let Verifier { cache, clock, counters, .. } = &*self.verifier;
        let read = |tally: &AtomicU64| tally.load(Ordering::Relaxed);
        let (cached_keys, cached_unknown) = cache.len();
        Stats {
            cached_keys,
            cached_unknown,
            last_poll_age: cache.age(clock.uptime()),
            polls: read(&self.tallies.polls),
            failed_polls: read(&self.tallies.failed_polls),
            lookups: read(&self.tallies.lookups),
            failed_lookups: read(&self.tallies.failed_lookups),
            shed_lookups: read(&self.tallies.shed_lookups),
            unwritten_requests: counters.waiting(),
        }
    }

    /// Reads the change log, or waits for a poll that is recent enough for a call that began
    /// at `began`.
    pub(crate) async fn read_changes(&self, began: Uptime) -> Result<(), Arc<StoreError>> {
        let poll = {
            let mut under_way = lock(&self.poll);
            self.join(under_way.as_ref(), began).unwrap_or_else(|| self.begin(&mut under_way))
        };
        poll.await
    }

    /// Reads the change log, whoever does so already: what has just changed may not be in theirs.
    pub(crate) async fn read_changes_anew(&self) -> Result<(), Arc<StoreError>> {
        let poll = self.begin(&mut lock(&self.poll));
        poll.await
    }

    fn begin(&self, under_way: &mut Option<UnderWay<()>>) -> Shared<Work<()>> {
        let begun = self.verifier.clock.uptime();
        let poll = self.poll(begun).boxed().shared();
        *under_way = poll.downgrade().map(|weak| (begun, weak));
        poll
    }

    async fn lookup(&self, digest: KeyDigest, began: Uptime) -> Result<Answer, VerifyError> {
        // It has answered before anybody could join: at most as many ask for one key at once as
        // there are threads.
        if self.store.is_embedded() {
            let answer = ask(&self.verifier, &*self.store, &self.tallies, digest).await;
            return answer.map_err(VerifyError::Unavailable);
        }
        let lookup = {
            let mut under_way = lock(&self.lookups);
            match self.join(under_way.get(&digest), began) {
                Some(lookup) => lookup,
                None => {
                    let begun = self.verifier.clock.uptime();
                    if !self.rate_limiter.take(begun) {
                        return Err(self.overloaded());
                    }
                    let lookup = self.lookup_work(digest).boxed().shared();
                    if under_way.len() >= SWEEP_AT {
                        under_way.retain(|_, (_, lookup)| lookup.upgrade().is_some());
                    }
                    under_way.extend(lookup.downgrade().map(|weak| (digest, (begun, weak))));
                    lookup
                }
            }
        };
        lookup.await.map_err(VerifyError::Unavailable)
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

    fn poll(
        &self,
        begun: Uptime,
    ) -> impl Future<Output = Result<(), Arc<StoreError>>> + Send + 'static {
        let verifier = Arc::clone(&self.verifier);
        let store = Arc::clone(&self.store);
        let applied = Arc::clone(&self.applied);
        let outage = Arc::clone(&self.outage);
        let tallies = Arc::clone(&self.tallies);
        async move {
            let after = *lock(&applied);
            tally(&tallies.polls);
            let batch = store.changes_since(after).await.map_err(Arc::new);
            if batch.is_err() {
                tally(&tallies.failed_polls);
            }
            if !store.is_embedded() {
                let failed = batch.as_ref().err();
                *lock(&outage) = failed.map(|error| (verifier.clock.uptime(), Arc::clone(error)));
            }
            let batch = batch?;
            let mut applied = lock(&applied);
            // Two polls can overlap when one of them is slow. What the slower one found is
            // still forgotten, but the log is not set back to where it was.
            verifier.cache.apply(&batch.changed, begun);
            if *applied == after {
                *applied = Some(batch.end);
            }
            Ok(())
        }
    }

    fn lookup_work(
        &self,
        digest: KeyDigest,
    ) -> impl Future<Output = Result<Answer, Arc<StoreError>>> + Send + 'static {
        let verifier = Arc::clone(&self.verifier);
        let store = Arc::clone(&self.store);
        let lookups = Arc::clone(&self.lookups);
        let tallies = Arc::clone(&self.tallies);
        async move {
            let answer = ask(&verifier, &*store, &tallies, digest).await;
            lock(&lookups).remove(&digest);
            answer
        }
    }
}

/// Asks the store for a key, and keeps the answer.
async fn ask(
    verifier: &Verifier,
    store: &dyn KeyStore,
    tallies: &Tallies,
    digest: KeyDigest,
) -> Result<Answer, Arc<StoreError>> {
    tally(&tallies.lookups);
    let token = verifier.cache.begin_fill();
    let found = store.find(KeyReference::Digest(digest)).await;
    if found.is_err() {
        tally(&tallies.failed_lookups);
    }
    let answer = match found.map_err(Arc::new)? {
        None => Answer::Unknown,
        Some(record) => Answer::Key(verifier.counters.known(digest, record)),
    };
    verifier.cache.fill(&token, digest, &answer);
    Ok(answer)
}
