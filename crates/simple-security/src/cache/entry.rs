//! What is known of a key: its record, with the counter of its accepted requests.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

use crate::key::KeyDigest;
use crate::record::{KeyRecord, Timestamp};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A record, with the counter of its accepted requests.
///
/// All that a hit touches lies side by side, and in this order: a server finds little of it in the
/// caches of its processor.
#[repr(C)]
pub(crate) struct CachedKey {
    pub(crate) counter: Counter,
    pub(crate) digest: KeyDigest,
    pub(crate) record: KeyRecord,
}

impl CachedKey {
    pub(crate) fn new(digest: KeyDigest, record: KeyRecord) -> Self {
        Self { counter: Counter::new(), digest, record }
    }
}

impl Borrow<KeyDigest> for Arc<CachedKey> {
    fn borrow(&self) -> &KeyDigest {
        &self.digest
    }
}

/// What is known is found by the digest, so that alone is compared.
impl PartialEq for CachedKey {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for CachedKey {}

impl Hash for CachedKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

/// What was counted for one key since the last flush.
///
/// It lives on with its record after that has left the cache, until it is flushed and no place in the
/// order of eviction holds it either.
pub(crate) struct Counter {
    pub(crate) count: AtomicU64,
    pub(crate) last_used_at: AtomicI64,
}

impl Counter {
    fn new() -> Self {
        Self { count: AtomicU64::new(0), last_used_at: AtomicI64::new(i64::MIN) }
    }

    /// How many were counted.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// The date first: who takes the count finds the date of each use that is in it.
    #[inline]
    pub(crate) fn add(&self, now: Timestamp) {
        if self.last_used_at.load(Ordering::Relaxed) < now.seconds() {
            self.last_used_at.fetch_max(now.seconds(), Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::SeqCst);
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn a_hit_reads_two_cache_lines() {
        use std::mem::offset_of;
        // After the two counts of an `Arc`. What a hit reads last is whether the key never expires.
        let last = offset_of!(CachedKey, record) + offset_of!(KeyRecord, never_expires);
        assert!(2 * size_of::<usize>() + last < 128 - 32, "{last}");
        assert!(size_of::<CachedKey>() <= 128, "{}", size_of::<CachedKey>());
    }
}
