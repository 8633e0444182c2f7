//! Counters of accepted requests, and how they reach the store.
//!
//! An accepted request adds one to an atomic and is done. A thread of its own adds what has come
//! together to the totals of the store, at most once in a flush interval, and sleeps while
//! nothing is counted.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::record::{KeyId, Timestamp, Usage};
use crate::store::{KeyStore, StoreError, UsageBatch};
use crate::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use crate::sync::mpsc::{self, RecvTimeoutError};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{self, Mutex, block_on, lock};

/// What was counted for one key since the last flush.
///
/// It lives on after its record has left the cache, until it is flushed.
pub(crate) struct Counter {
    count: AtomicU64,
    last_used_at: AtomicI64,
}

/// All counters of one engine.
pub(crate) struct Counters {
    by_key: Mutex<HashMap<KeyId, sync::Arc<Counter>>>,
    /// Something was counted since the last flush began.
    dirty: AtomicBool,
    /// Wakes the flusher.
    wake: mpsc::Sender<Wake>,
    flush: Mutex<Flush>,
}

enum Wake {
    Counted,
    Stop,
}

struct Flush {
    writer: [u8; 16],
    number: u64,
    /// A batch that the store did not confirm. It is sent again as it is: had it been committed
    /// all the same, its number tells the store not to add it twice.
    unconfirmed: Option<Arc<UsageBatch>>,
}

impl Counter {
    #[inline]
    fn add(&self, now: Timestamp) {
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.last_used_at.load(Ordering::Relaxed) < now.seconds() {
            self.last_used_at.fetch_max(now.seconds(), Ordering::Relaxed);
        }
    }
}

impl Counters {
    /// No counts yet, and the place where the flusher waits.
    fn new(writer: [u8; 16]) -> (Self, mpsc::Receiver<Wake>) {
        let (wake, woken) = mpsc::channel();
        let counters = Self {
            by_key: Mutex::new(HashMap::new()),
            dirty: AtomicBool::new(false),
            wake,
            flush: Mutex::new(Flush { writer, number: 0, unconfirmed: None }),
        };
        (counters, woken)
    }

    /// The counter of a key: the same one for all that ask while any of them still has it.
    pub(crate) fn of(&self, id: KeyId) -> sync::Arc<Counter> {
        let mut by_key = lock(&self.by_key);
        let counter = by_key.entry(id).or_insert_with(|| {
            let (count, last_used_at) = (AtomicU64::new(0), AtomicI64::new(i64::MIN));
            sync::Arc::new(Counter { count, last_used_at })
        });
        sync::Arc::clone(counter)
    }

    /// Counts one accepted request.
    ///
    /// The order of the two steps, and of the two in [`Counters::take`], sees to it that a count
    /// is either taken by the flush that is running or wakes the next: hence `SeqCst`.
    #[inline]
    pub(crate) fn count(&self, counter: &Counter, now: Timestamp) {
        counter.add(now);
        if !self.dirty.load(Ordering::SeqCst) && !self.dirty.swap(true, Ordering::SeqCst) {
            // Fails only when the flusher has stopped; what is counted then waits for `flush`.
            let _ = self.wake.send(Wake::Counted);
        }
    }

    /// Whether something was counted since the last flush began.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::SeqCst)
    }

    /// Takes all counts out of the counters, and forgets those that nobody holds any more.
    fn take(&self) -> Vec<(KeyId, u64, Timestamp)> {
        self.dirty.store(false, Ordering::SeqCst);
        let mut by_key = lock(&self.by_key);
        let mut counts = Vec::new();
        by_key.retain(|id, counter| {
            // Asked before the count is taken: whoever let go of the counter after this line
            // may have added to it, and the entry stays for the next flush. `get_mut`, because
            // what the last holder has done is seen after it; `strong_count` does not promise so.
            let held = sync::Arc::get_mut(counter).is_none();
            let count = counter.count.swap(0, Ordering::SeqCst);
            if count > 0 {
                let last = counter.last_used_at.load(Ordering::Relaxed);
                counts.push((*id, count, Timestamp::from_seconds(last)));
            }
            held
        });
        counts
    }

    /// Adds all counts to the totals of the store. When it returns, every request that was
    /// accepted before the call is in them.
    ///
    /// No lock is held while the store works: one that `close` waits for could be held by a task
    /// which the waiting thread has to run. Two flushes at once send the same batch instead, and
    /// the store adds it once.
    ///
    /// # Errors
    /// Those of the store. Nothing is lost then: the counts go with the next flush.
    pub(crate) async fn flush(
        &self,
        store: &dyn KeyStore,
        clock: &dyn Clock,
    ) -> Result<(), StoreError> {
        // A batch that was there before the call lacks the newest counts; the next has them.
        let older = lock(&self.flush).unconfirmed.clone();
        if let Some(batch) = older {
            self.send(&batch, store).await?;
        }
        let newest = self.batch(clock);
        match newest {
            Some(batch) => self.send(&batch, store).await,
            None => Ok(()),
        }
    }

    /// The batch that is not confirmed yet, else a new one of all counts, if there are any.
    fn batch(&self, clock: &dyn Clock) -> Option<Arc<UsageBatch>> {
        let flush = &mut *lock(&self.flush);
        if flush.unconfirmed.is_none() {
            let counts = self.take();
            if !counts.is_empty() {
                flush.number += 1;
                let (writer, number) = (flush.writer, flush.number);
                let batch = UsageBatch { writer, number, made_at: clock.now(), counts };
                flush.unconfirmed = Some(Arc::new(batch));
            }
        }
        flush.unconfirmed.clone()
    }

    async fn send(&self, batch: &UsageBatch, store: &dyn KeyStore) -> Result<(), StoreError> {
        store.add_usage(batch).await?;
        lock(&self.flush).unconfirmed.take_if(|waiting| waiting.number == batch.number);
        Ok(())
    }

    /// How many accepted requests the store has not confirmed.
    pub(crate) fn waiting(&self) -> u64 {
        let flush = lock(&self.flush);
        let unconfirmed = flush.unconfirmed.iter().flat_map(|batch| &batch.counts);
        let counted = lock(&self.by_key);
        let counted = counted.values().map(|counter| counter.count.load(Ordering::SeqCst));
        unconfirmed.map(|(_, count, _)| count).sum::<u64>() + counted.sum::<u64>()
    }

    /// Says that a flush has failed after which there may be no other.
    pub(crate) fn say_lost(&self, error: &StoreError) {
        let requests = self.waiting();
        tracing::error!(
            %error,
            requests,
            "usage could not be written at the end; these requests are missing in the counts, unless the engine is closed once more"
        );
    }

    /// Adds to `rows` what a failed flush left behind.
    pub(crate) fn add_pending<R>(&self, rows: &mut [(R, Usage)], id: impl Fn(&R) -> KeyId) {
        let flush = lock(&self.flush);
        let mut pending: HashMap<KeyId, (u64, i64)> = HashMap::new();
        let mut add = |id: KeyId, count: u64, last: i64| {
            let entry = pending.entry(id).or_insert((0, i64::MIN));
            *entry = (entry.0 + count, entry.1.max(last));
        };
        for (id, count, last) in flush.unconfirmed.iter().flat_map(|batch| &batch.counts) {
            add(*id, *count, last.seconds());
        }
        for (id, counter) in &*lock(&self.by_key) {
            let count = counter.count.load(Ordering::SeqCst);
            if count > 0 {
                add(*id, count, counter.last_used_at.load(Ordering::Relaxed));
            }
        }
        for (row, usage) in rows {
            if let Some((count, last)) = pending.get(&id(row)) {
                usage.total += count;
                usage.last_used_at = usage.last_used_at.max(Some(Timestamp::from_seconds(*last)));
            }
        }
    }
}

/// The thread that flushes.
pub(crate) struct Flusher {
    pub(crate) counters: Arc<Counters>,
    /// It ends with its last flush.
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Flusher {
    /// Starts the thread. It flushes at most once in `interval`, and whenever something was
    /// counted within `interval`.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(crate) fn start(
        writer: [u8; 16],
        interval: Duration,
        store: Arc<dyn KeyStore>,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let (counters, woken) = Counters::new(writer);
        let counters = Arc::new(counters);
        let thread = thread::Builder::new().name("key-usage".to_owned()).spawn({
            let counters = Arc::clone(&counters);
            move || run(&counters, &woken, interval, &*store, &*clock)
        })?;
        Ok(Self { counters, thread: Some(thread) })
    }

    /// Stops the thread after one last flush; `false` when it was stopped before.
    pub(crate) fn stop(&mut self) -> bool {
        let Some(thread) = self.thread.take() else { return false };
        let _ = self.counters.wake.send(Wake::Stop);
        match thread.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.counters.say_lost(&error),
            Err(_) => tracing::error!("the thread that flushes usage has panicked"),
        }
        true
    }
}

fn run(
    counters: &Counters,
    woken: &mpsc::Receiver<Wake>,
    interval: Duration,
    store: &dyn KeyStore,
    clock: &dyn Clock,
) -> Result<(), StoreError> {
    let flush = || block_on(counters.flush(store, clock));
    let mut failed = false;
    loop {
        // After a failure the counts are there already: nothing will wake us.
        if !failed && !matches!(woken.recv(), Ok(Wake::Counted)) {
            break;
        }
        // Woken again while it waits: somebody else has flushed, and what was counted since then
        // may wait for a whole interval of its own.
        let waited = loop {
            match woken.recv_timeout(interval) {
                Ok(Wake::Counted) => {}
                other => break other,
            }
        };
        match waited {
            Err(RecvTimeoutError::Timeout) => {
                let flushed = flush().inspect_err(|error| {
                    tracing::warn!(%error, "usage could not be written yet; it is kept and tried again");
                });
                failed = flushed.is_err();
            }
            _ => break,
        }
    }
    flush()
}
