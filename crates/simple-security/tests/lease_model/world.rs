//! What surrounds the engine in a model: a store, a clock, and a way to wait.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Condvar, Mutex, MutexGuard};
use loom::thread::{self, Thread};
use simple_security::clock::{Clock, Uptime};
use simple_security::store::{
    ChangeBatch, ChangeLog, Existing, Inserted, KeyImage, KeyRecords, KeySource, Lifecycle,
    LogPosition, MemoryStore, Operation, Outcome, SharedSecret, StoreError, StoreFuture,
    UsageBatch, UsageTotals,
};
use simple_security::{
    Actor, ApiKeys, Expiry, KeyDigest, KeyId, KeyRecord, KeyReference, Moment, PageRequest,
    StoredKey, Timestamp, Usage, VerifiedKey, VerifyError,
};

/// The key that all models are about.
const KEY: &[u8] = b"the key of the model, of a shape that anybody may import";

/// Not the first date that there is, which a counter without a date has.
const NOW: Timestamp = Timestamp::from_seconds(0);

/// Runs a model in all orders with at most so many preemptions (`LOOM_MAX_PREEMPTIONS` overrules
/// it), from where the model calls `loom::explore`.
pub fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.expect_explicit_explore = true;
    builder.max_branches = 10_000;
    builder.check(model);
}

/// Waits for a future. loom has such a function too, but the waker of that one is a place where
/// threads may change over, and `Shared` clones wakers under a lock that loom does not know of.
pub fn wait<F: IntoFuture>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future.into_future());
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

/// Presents the key, as a face does it.
pub fn verify(keys: &ApiKeys) -> Result<VerifiedKey, VerifyError> {
    keys.try_verify(KEY).unwrap_or_else(|| wait(keys.verify(KEY)))
}

pub fn is_revoked(keys: &ApiKeys) -> bool {
    matches!(verify(keys), Err(VerifyError::Revoked(_)))
}

/// One store and one clock, as the processes of one host share them.
#[derive(Clone)]
pub struct World {
    pub store: Arc<ModelStore>,
    pub clock: Arc<ModelClock>,
}

impl World {
    pub fn empty() -> Self {
        Self::of(true)
    }

    fn of(embedded: bool) -> Self {
        let store = ModelStore {
            now: Mutex::new(MemoryStore::new().expect("a store")),
            counted: Condvar::new(),
            failure: Mutex::new(None),
            embedded,
        };
        // Not 0: no reading was ever begun then.
        let clock = ModelClock { uptime: AtomicU64::new(1_000_000_000) };
        Self { store: Arc::new(store), clock: Arc::new(clock) }
    }

    /// A store with the key, and its id.
    pub fn with_key() -> (Self, KeyId) {
        Self::with_key_in(true)
    }

    /// The same in a store that is embedded, or one whose lookups are joined.
    pub fn with_key_in(embedded: bool) -> (Self, KeyId) {
        let world = Self::of(embedded);
        let record = record();
        let id = record.id;
        let insert = Operation::Insert(KeyImage::new(KeyDigest::of(KEY), record));
        wait(world.store.commit(vec![insert], &Actor::Program)).expect("the first key");
        (world, id)
    }

    /// An engine of one process. Its own thread has stopped, so that counts are written when a
    /// model says so.
    pub fn engine(&self) -> Arc<ApiKeys> {
        let keys = self.engine_that_flushes();
        keys.close();
        keys
    }

    /// An engine of one process.
    pub fn engine_that_flushes(&self) -> Arc<ApiKeys> {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        // A record that is cached pushes out the one before it: nothing of that is left.
        let engine = ApiKeys::builder(store).clock(clock).cache_capacity(1, 10_000);
        Arc::new(engine.build().expect("an engine"))
    }
}

fn record() -> KeyRecord {
    let id = "0123456789a".parse().expect("an id");
    KeyRecord::new(id, NOW, Timestamp::MAX).with_expiry(Expiry::Never)
}

/// What happens to a batch of counts.
enum Failure {
    Refused,
    Unconfirmed,
}

/// A store in memory, whose answers are under way for a while.
pub struct ModelStore {
    now: Mutex<MemoryStore>,
    /// A batch of counts has arrived.
    counted: Condvar,
    failure: Mutex<Option<(u64, Failure)>>,
    embedded: bool,
}

impl ModelStore {
    /// A backup is restored, in which the key is revoked.
    pub fn restore(&self) {
        let backup = MemoryStore::new().expect("a store");
        let mut record = record();
        record.revoked_at = Some(NOW);
        let insert = Operation::Insert(KeyImage::new(KeyDigest::of(KEY), record));
        done(backup.commit(vec![insert], &Actor::Program)).expect("the first key");
        *self.now() = backup;
    }

    /// The batch of counts of this number is not written when it comes first.
    pub fn refuse_once(&self, number: u64) {
        *self.failure.lock().expect("no panic") = Some((number, Failure::Refused));
    }

    /// The batch of counts of this number is written when it comes first, and nobody told so.
    pub fn lose_the_answer_to(&self, number: u64) {
        *self.failure.lock().expect("no panic") = Some((number, Failure::Unconfirmed));
    }

    /// The count that has arrived.
    pub fn total(&self, id: KeyId) -> u64 {
        total(&self.now(), id)
    }

    /// Waits until so many are counted.
    pub fn wait_for_total(&self, id: KeyId, wanted: u64) {
        let mut now = self.now();
        while total(&now, id) < wanted {
            now = self.counted.wait(now).expect("no panic");
        }
    }

    fn now(&self) -> MutexGuard<'_, MemoryStore> {
        self.now.lock().expect("no panic")
    }

    fn asked<'a, T: Send + 'a>(
        &'a self,
        ask: impl FnOnce(&MemoryStore) -> Result<T, StoreError> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(async move {
            let answer = ask(&self.now());
            // The answer is given, and has not arrived: others may overtake it here.
            drop(self.now());
            answer
        })
    }
}

fn total(store: &MemoryStore, id: KeyId) -> u64 {
    let usage = done(store.usage(id)).expect("usage").expect("the key");
    assert!(usage.total == 0 || usage.last_used_at >= Some(NOW), "a use has its date");
    usage.total
}

/// What a store in memory gives is there at once.
fn done<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("an answer")
}

impl KeyRecords for ModelStore {
    /// Whatever key is issued: it is filed as the one of the model, which somebody may have asked
    /// for before it was known.
    fn commit<'a>(
        &'a self,
        operations: Vec<Operation>,
        actor: &'a Actor,
    ) -> StoreFuture<'a, Vec<Outcome>> {
        let operations: Vec<_> = operations
            .into_iter()
            .map(|operation| match operation {
                Operation::Insert(image) => {
                    Operation::Insert(KeyImage::new(KeyDigest::of(KEY), image.record))
                }
                other => other,
            })
            .collect();
        self.asked(move |now| done(now.commit(operations, actor)))
    }

    fn insert_all<'a>(
        &'a self,
        keys: KeySource,
        existing: Existing,
        actor: &'a Actor,
    ) -> StoreFuture<'a, Inserted> {
        self.asked(move |now| done(now.insert_all(keys, existing, actor)))
    }

    fn find(&self, key: KeyReference) -> StoreFuture<'_, Option<KeyRecord>> {
        self.asked(move |now| done(now.find(key)))
    }

    fn page<'a>(
        &'a self,
        request: &'a PageRequest,
        time: Timestamp,
    ) -> StoreFuture<'a, Vec<StoredKey>> {
        self.asked(move |now| done(now.page(request, time)))
    }

    fn list(&self) -> StoreFuture<'_, Vec<(KeyRecord, Usage)>> {
        self.asked(|now| done(now.list()))
    }
}

impl UsageTotals for ModelStore {
    fn usage(&self, id: KeyId) -> StoreFuture<'_, Option<Usage>> {
        self.asked(move |now| done(now.usage(id)))
    }

    fn add_usage<'a>(&'a self, batch: &'a UsageBatch) -> StoreFuture<'a, ()> {
        self.asked(move |now| {
            let mut failure = self.failure.lock().expect("no panic");
            let failure = failure.take_if(|(number, _)| *number == batch.number);
            if !matches!(failure, Some((_, Failure::Refused))) {
                done(now.add_usage(batch))?;
                self.counted.notify_all();
            }
            failure.map_or(Ok(()), |_| Err(StoreError::Busy { source: None }))
        })
    }
}

impl ChangeLog for ModelStore {
    fn lease(&self) -> Duration {
        Duration::from_millis(5)
    }

    fn changes_since(&self, after: Option<LogPosition>) -> StoreFuture<'_, ChangeBatch> {
        self.asked(move |now| done(now.changes_since(after)))
    }
}

impl SharedSecret for ModelStore {
    fn agree_on_admin_secret(&self, offered: KeyDigest) -> StoreFuture<'_, Option<KeyDigest>> {
        self.asked(move |now| done(now.agree_on_admin_secret(offered)))
    }
}

impl Lifecycle for ModelStore {
    fn is_embedded(&self) -> bool {
        self.embedded
    }
}

/// A clock that stands still until somebody waits. Reading it orders nothing else between
/// threads, as with a real one.
pub struct ModelClock {
    uptime: AtomicU64,
}

impl Clock for ModelClock {
    fn moment(&self) -> Moment {
        Moment::from_milliseconds(NOW.seconds() * 1000)
    }

    fn uptime(&self) -> Uptime {
        Uptime::from_nanoseconds(self.uptime.load(Ordering::Relaxed))
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.uptime.fetch_add(duration.as_nanos() as u64, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }
}
