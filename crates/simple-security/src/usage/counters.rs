//! Counters of accepted requests, and the batches in which they are added to the totals of the store.

use std::collections::HashMap;
use std::sync::Arc;

use hashbrown::HashTable;

use crate::cache::{CachedKey, Counter};
use crate::clock::Clock;
use crate::key::{KeyDigest, KeyId};
use crate::record::{KeyRecord, Timestamp, Usage};
use crate::store::{KeyStore, StoreError, UsageBatch};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::mpsc;
use crate::sync::{self, Mutex, lock};

/// As many handles are kept without a look whether anybody needs them. The model looks each time.
const SWEEP_AT: usize = if cfg!(loom_model) { 0 } else { 1024 };

/// All counters of one engine.
pub(crate) struct Counters {
    known: Mutex<Handles>,
    /// Something was counted since the last flush began.
    dirty: AtomicBool,
    /// Wakes the flusher.
    pub(super) wake: mpsc::Sender<Wake>,
    flush: Mutex<Flush>,
}

/// All that is known and cached, or not flushed yet; and what nobody needs, for a while.
struct Handles {
    /// Each is found by the digest inside: a map would hold the digest again.
    table: HashTable<sync::Arc<CachedKey>>,
    /// At how many of them those are thrown out that nobody needs. A flush does so too, and none
    /// comes while only revoked and expired keys are presented.
    sweep_at: usize,
}

pub(super) enum Wake {
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

impl Counters {
    /// No counts yet, and the place where the flusher waits.
    pub(super) fn new(writer: [u8; 16]) -> (Self, mpsc::Receiver<Wake>) {
        let (wake, woken) = mpsc::channel();
        let counters = Self {
            known: Mutex::new(Handles { table: HashTable::new(), sweep_at: SWEEP_AT }),
            dirty: AtomicBool::new(false),
            wake,
            flush: Mutex::new(Flush { writer, number: 0, unconfirmed: None }),
        };
        (counters, woken)
    }

    /// The record of a key with its counter: the same one for all that ask while any of them
    /// still has it, or a flush has not yet seen it. A record that has changed gets a counter of
    /// its own, and a flush adds up what all counters of a key have.
    pub(crate) fn known(&self, digest: KeyDigest, record: KeyRecord) -> sync::Arc<CachedKey> {
        let all = &mut *lock(&self.known);
        let same = |known: &sync::Arc<CachedKey>| known.digest == digest && known.record == record;
        if let Some(known) = all.table.find(hash(&digest), same) {
            return sync::Arc::clone(known);
        }
        if all.table.len() >= all.sweep_at {
            // Asked in this order: whoever lets go of a counter in between may have added to it.
            all.table.retain(|known| is_held(known) || known.counter.count() > 0);
            all.sweep_at = SWEEP_AT.max(2 * all.table.len());
        }
        let known = sync::Arc::new(CachedKey::new(digest, record));
        let handle = sync::Arc::clone(&known);
        all.table.insert_unique(hash(&digest), handle, |known| hash(&known.digest));
        known
    }

    /// Counts one accepted request.
    ///
    /// The order of the two steps, and of the two in [`Counters::take`], sees to it that a count
    /// is either taken by the flush that is running or wakes the next: hence `SeqCst`.
    #[inline]
    pub(crate) fn count(&self, counter: &Counter, now: Timestamp) {
        counter.add(now);
        if !self.dirty.load(Ordering::SeqCst) && !self.dirty.swap(true, Ordering::SeqCst) {
            self.wake_the_flusher();
        }
    }

    fn wake_the_flusher(&self) {
        // Fails only when the flusher has stopped; what is counted then waits for `flush`.
        let _ = self.wake.send(Wake::Counted);
    }

    /// Whether something was counted since the last flush began.
    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty.load(Ordering::SeqCst)
    }

    /// Takes all counts out of the counters, and forgets those that nobody holds any more.
    fn take(&self) -> Vec<(KeyId, u64, Timestamp)> {
        self.dirty.store(false, Ordering::SeqCst);
        let mut counts = Vec::new();
        lock(&self.known).table.retain(|known| {
            // Asked before the count is taken: whoever let go of the counter after this line
            // may have added to it, and the entry stays for the next flush.
            let held = is_held(known);
            let count = known.counter.count.swap(0, Ordering::SeqCst);
            if count > 0 {
                let last = known.counter.last_used_at.load(Ordering::Relaxed);
                counts.push((known.record.id, count, Timestamp::from_seconds(last)));
            }
            held
        });
        add_up(counts)
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
        let counted = lock(&self.known);
        let counted = counted.table.iter().map(|known| known.counter.count());
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
        for known in &lock(&self.known).table {
            let count = known.counter.count();
            if count > 0 {
                let last = known.counter.last_used_at.load(Ordering::Relaxed);
                add(known.record.id, count, last);
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

/// Whether anybody else has it. `get_mut`, because what the last holder has done is seen after it;
/// `strong_count` does not promise so.
fn is_held(known: &mut sync::Arc<CachedKey>) -> bool {
    sync::Arc::get_mut(known).is_none()
}

/// A digest is spread evenly already. No seed is needed: only keys that the store has are known, so
/// that whoever invents keys chooses none of them.
fn hash(digest: &KeyDigest) -> u64 {
    digest.as_bytes().first_chunk().map_or(0, |first| u64::from_ne_bytes(*first))
}

/// One count for each key, in the order of the ids: neighbours are written to one page.
fn add_up(mut counts: Vec<(KeyId, u64, Timestamp)>) -> Vec<(KeyId, u64, Timestamp)> {
    counts.sort_unstable_by_key(|(id, ..)| *id);
    counts.dedup_by(|(id, count, last), (other, sum, latest)| {
        let same = id == other;
        if same {
            *sum += *count;
            *latest = (*latest).max(*last);
        }
        same
    });
    counts
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;
    use crate::record::KeyName;

    fn record(id: &str, name: &str) -> KeyRecord {
        let id = id.parse().expect("an id");
        KeyRecord {
            name: KeyName::new(name).expect("a name"),
            ..KeyRecord::new(id, Timestamp::MIN, Timestamp::MAX)
        }
    }

    #[test]
    fn all_that_know_a_record_share_its_counter_until_it_is_flushed() {
        let (counters, _woken) = Counters::new([0; 16]);
        let (digest, now) = (KeyDigest::of(b"a key"), Timestamp::from_seconds(7));
        let know = |name| counters.known(digest, record("0123456789a", name));
        let first = know("shop");
        assert!(sync::Arc::ptr_eq(&first, &know("shop")));
        counters.count(&first.counter, now);
        let pointer = sync::Arc::as_ptr(&first);
        drop(first);
        let again = know("shop");
        assert_eq!(sync::Arc::as_ptr(&again), pointer, "it was not flushed");
        counters.count(&again.counter, now.plus_days(1));
        counters.count(&know("renamed").counter, now);
        drop(again);
        assert_eq!(counters.waiting(), 3);
        assert_eq!(counters.take(), [(know("").record.id, 3, now.plus_days(1))]);
        counters.take();
        assert!(lock(&counters.known).table.is_empty(), "nobody has them any more");
    }

    #[test]
    fn what_nobody_needs_is_thrown_out_without_a_flush() {
        let (counters, _woken) = Counters::new([0; 16]);
        let now = Timestamp::from_seconds(7);
        let know = |number: usize| {
            let digest = KeyDigest::of(&number.to_le_bytes());
            counters.known(digest, record(&format!("{number:011}"), ""))
        };
        let held: Vec<_> = (0..10).map(know).collect();
        counters.count(&know(10).counter, now);
        for number in 11..5 * SWEEP_AT {
            know(number);
            assert!(lock(&counters.known).table.len() <= SWEEP_AT);
        }
        assert!((0..10).all(|number| sync::Arc::ptr_eq(&held[number], &know(number))));
        assert_eq!(counters.take(), [(know(10).record.id, 1, now)]);
    }

    #[test]
    fn counts_of_a_key_are_added_up() {
        let [one, other] = ["0000000000a", "0000000000b"].map(|id| id.parse().expect("an id"));
        let at = Timestamp::from_seconds;
        let counts = vec![(other, 1, at(5)), (one, 2, at(9)), (other, 3, at(4)), (one, 4, at(1))];
        assert_eq!(add_up(counts), [(one, 6, at(9)), (other, 4, at(5))]);
        assert_eq!(add_up(Vec::new()), []);
    }
}
