//! A map of bounded size that is read without a lock.

use std::collections::VecDeque;

use crate::key::KeyDigest;
use crate::sync::atomic::{AtomicBool, Ordering};

/// How many entries in a row get a second chance before one is thrown out all the same. It bounds
/// the time that an insertion takes.
const CHANCES: usize = 64;

/// Digest to value, with at most `capacity` entries.
///
/// Reading takes no lock. Changing it needs the [`Order`], which its owner keeps under a lock
/// together with all that must change in the same step.
pub(crate) struct Bounded<T> {
    entries: Map<T>,
    capacity: usize,
}

/// The order in which entries came in: the oldest that was not read since its last chance goes
/// first (the clock algorithm).
#[derive(Default)]
pub(crate) struct Order(VecDeque<KeyDigest>);

struct Entry<T> {
    value: T,
    read: AtomicBool,
}

impl<T: Clone + Send + Sync + 'static> Bounded<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: Map::new(), capacity: capacity.max(1) }
    }

    /// The value of a digest.
    #[inline]
    pub(crate) fn find(&self, digest: &KeyDigest) -> Option<T> {
        self.entries.with(digest, |entry| {
            // A write only where it changes something: the line stays shared between cores.
            if !entry.read.load(Ordering::Relaxed) {
                entry.read.store(true, Ordering::Relaxed);
            }
            entry.value.clone()
        })
    }

    /// Adds or replaces a value, and throws another out when there is no room.
    pub(crate) fn insert(&self, order: &mut Order, digest: KeyDigest, value: T) {
        // Every entry is in the order at least once, so the order's length bounds the map's.
        if order.0.len() >= self.capacity {
            self.make_room(order);
        }
        order.0.push_back(digest);
        self.entries.insert(digest, Entry { value, read: AtomicBool::new(false) });
    }

    /// Forgets a digest, if it is there. Its place in the order is found empty later.
    pub(crate) fn remove(&self, _order: &mut Order, digest: &KeyDigest) {
        self.entries.remove(digest);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self, order: &mut Order) {
        order.0.clear();
        self.entries.clear();
    }

    fn make_room(&self, order: &mut Order) {
        for _ in 0..CHANCES {
            let Some(digest) = order.0.pop_front() else { return };
            let read =
                self.entries.with(&digest, |entry| entry.read.swap(false, Ordering::Relaxed));
            match read {
                Some(true) => order.0.push_back(digest),
                Some(false) => return self.entries.remove(&digest),
                None => return,
            }
        }
        if let Some(digest) = order.0.pop_front() {
            self.entries.remove(&digest);
        }
    }
}

/// papaya: chosen by measurement, see `docs/decisions/0002-cache-map.md`.
#[cfg(not(loom_model))]
struct Map<T>(papaya::HashMap<KeyDigest, Entry<T>, foldhash::fast::RandomState>);

#[cfg(not(loom_model))]
impl<T: Send + Sync + 'static> Map<T> {
    fn new() -> Self {
        Self(papaya::HashMap::with_hasher(foldhash::fast::RandomState::default()))
    }

    #[inline]
    fn with<R>(&self, digest: &KeyDigest, read: impl FnOnce(&Entry<T>) -> R) -> Option<R> {
        self.0.pin().get(digest).map(read)
    }

    fn insert(&self, digest: KeyDigest, entry: Entry<T>) {
        self.0.pin().insert(digest, entry);
    }

    fn remove(&self, digest: &KeyDigest) {
        self.0.pin().remove(digest);
    }

    fn clear(&self) {
        self.0.pin().clear();
    }
}

/// A map that loom can see into.
#[cfg(loom_model)]
struct Map<T>(crate::sync::Mutex<std::collections::HashMap<KeyDigest, std::sync::Arc<Entry<T>>>>);

#[cfg(loom_model)]
impl<T: Send + Sync + 'static> Map<T> {
    fn new() -> Self {
        Self(crate::sync::Mutex::new(std::collections::HashMap::new()))
    }

    fn with<R>(&self, digest: &KeyDigest, read: impl FnOnce(&Entry<T>) -> R) -> Option<R> {
        let entry = crate::sync::lock(&self.0).get(digest).cloned();
        entry.map(|entry| read(&entry))
    }

    fn insert(&self, digest: KeyDigest, entry: Entry<T>) {
        crate::sync::lock(&self.0).insert(digest, std::sync::Arc::new(entry));
    }

    fn remove(&self, digest: &KeyDigest) {
        crate::sync::lock(&self.0).remove(digest);
    }

    fn clear(&self) {
        crate::sync::lock(&self.0).clear();
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    fn digest(number: u32) -> KeyDigest {
        KeyDigest::of(&number.to_le_bytes())
    }

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let (map, mut order) = (Bounded::new(10), Order::default());
        for number in 0..1000 {
            map.insert(&mut order, digest(number), number);
            if number % 3 == 0 {
                map.remove(&mut order, &digest(number));
            }
            assert!(map.entries.0.len() <= 10 && order.0.len() <= 10);
        }
    }

    #[test]
    fn what_is_read_stays_and_what_is_not_goes() {
        let (map, mut order) = (Bounded::new(10), Order::default());
        map.insert(&mut order, digest(0), 0);
        for number in 1..1000 {
            assert_eq!(map.find(&digest(0)), Some(0));
            map.insert(&mut order, digest(number), number);
        }
        assert_eq!(map.find(&digest(500)), None);
    }

    #[test]
    fn room_is_made_when_everything_was_read() {
        let (map, mut order) = (Bounded::new(200), Order::default());
        for number in 0..1000 {
            map.insert(&mut order, digest(number), number);
            map.find(&digest(number));
            assert!(map.entries.0.len() <= 200);
        }
    }
}
