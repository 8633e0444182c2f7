//! A set of bounded size that is read without a lock.

use std::borrow::Borrow;
use std::collections::VecDeque;
#[cfg(not(loom_model))]
use std::hash::Hash;

use crate::key::KeyDigest;
use crate::sync::atomic::{AtomicBool, Ordering};

/// How many entries in a row get a second chance before one is thrown out all the same. It bounds
/// the time that an insertion takes.
const CHANCES: usize = 64;

/// At most `capacity` entries, each found by its digest.
///
/// ChangeBatch takes no lock. Changing it needs the [`EvictionQueue`], which its owner keeps under a lock
/// together with all that must change in the same step.
pub(crate) struct SecondChanceMap<T> {
    entries: Set<T>,
    capacity: usize,
}

/// The order in which entries came in: the oldest that was not read since its last chance goes
/// first (the clock algorithm).
pub(crate) struct EvictionQueue<T>(VecDeque<T>);

/// Whether an entry was read since its last chance.
type Read = AtomicBool;

impl<T: Digested> SecondChanceMap<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: Set::new(), capacity: capacity.max(1) }
    }

    /// The entry of a digest.
    #[inline]
    pub(crate) fn find(&self, digest: &KeyDigest) -> Option<T> {
        self.entries.with(digest, |entry, read| {
            // A write only where it changes something: the line stays shared between cores.
            if !read.load(Ordering::Relaxed) {
                read.store(true, Ordering::Relaxed);
            }
            entry.clone()
        })
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds or replaces an entry, and throws another out when there is no room.
    pub(crate) fn insert(&self, order: &mut EvictionQueue<T>, entry: T) {
        // Every entry is in the order at least once, so the order's length bounds the set's.
        if order.0.len() >= self.capacity {
            self.make_room(order);
        }
        order.0.push_back(entry.clone());
        self.entries.replace(entry);
    }

    /// Forgets a digest, if it is there. Its place in the order holds the entry until that comes up,
    /// and is found empty then.
    pub(crate) fn remove(&self, _order: &mut EvictionQueue<T>, digest: &KeyDigest) {
        self.entries.remove(digest);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self, order: &mut EvictionQueue<T>) {
        order.0.clear();
        self.entries.clear();
    }

    fn make_room(&self, order: &mut EvictionQueue<T>) {
        for _ in 0..CHANCES {
            let Some(entry) = order.0.pop_front() else { return };
            let digest = entry.borrow();
            match self.entries.with(digest, |_, read| read.swap(false, Ordering::Relaxed)) {
                Some(true) => order.0.push_back(entry),
                Some(false) => return self.entries.remove(digest),
                None => return,
            }
        }
        if let Some(entry) = order.0.pop_front() {
            self.entries.remove(entry.borrow());
        }
    }
}

impl<T> Default for EvictionQueue<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

/// What has a digest, and is cheap to clone: it is in the set and in the order.
#[cfg(not(loom_model))]
pub(crate) trait Digested:
    Borrow<KeyDigest> + Hash + Eq + Clone + Send + Sync + 'static
{
}
#[cfg(not(loom_model))]
impl<T: Borrow<KeyDigest> + Hash + Eq + Clone + Send + Sync + 'static> Digested for T {}

/// papaya: chosen by measurement, see `docs/decisions/0002-cache-map.md`.
#[cfg(not(loom_model))]
struct Set<T>(papaya::HashMap<T, Read, foldhash::fast::RandomState>);

#[cfg(not(loom_model))]
impl<T: Digested> Set<T> {
    fn new() -> Self {
        Self(papaya::HashMap::with_hasher(foldhash::fast::RandomState::default()))
    }

    #[inline]
    fn with<R>(&self, digest: &KeyDigest, work: impl FnOnce(&T, &Read) -> R) -> Option<R> {
        self.0.pin().get_key_value(digest).map(|(entry, read)| work(entry, read))
    }

    /// In two steps, for a map keeps the key that it has where an equal one comes. Who finds none in
    /// between asks the store.
    fn replace(&self, entry: T) {
        let entries = self.0.pin();
        entries.remove(entry.borrow());
        entries.insert(entry, Read::new(false));
    }

    fn remove(&self, digest: &KeyDigest) {
        self.0.pin().remove(digest);
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn clear(&self) {
        self.0.pin().clear();
    }
}

/// loom's `Arc` cannot be hashed.
#[cfg(loom_model)]
pub(crate) trait Digested: Borrow<KeyDigest> + Clone + Send + Sync + 'static {}
#[cfg(loom_model)]
impl<T: Borrow<KeyDigest> + Clone + Send + Sync + 'static> Digested for T {}

/// A set that loom can see into.
#[cfg(loom_model)]
struct Set<T>(crate::sync::Mutex<std::collections::HashMap<KeyDigest, std::sync::Arc<(T, Read)>>>);

#[cfg(loom_model)]
impl<T: Digested> Set<T> {
    fn new() -> Self {
        Self(crate::sync::Mutex::new(std::collections::HashMap::new()))
    }

    fn with<R>(&self, digest: &KeyDigest, work: impl FnOnce(&T, &Read) -> R) -> Option<R> {
        let entry = crate::sync::lock(&self.0).get(digest).cloned();
        entry.map(|entry| work(&entry.0, &entry.1))
    }

    fn replace(&self, entry: T) {
        let digest = *entry.borrow();
        let entry = std::sync::Arc::new((entry, Read::new(false)));
        crate::sync::lock(&self.0).insert(digest, entry);
    }

    fn remove(&self, digest: &KeyDigest) {
        crate::sync::lock(&self.0).remove(digest);
    }

    fn len(&self) -> usize {
        crate::sync::lock(&self.0).len()
    }

    fn clear(&self) {
        crate::sync::lock(&self.0).clear();
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    /// A number that is replaced by others of the same digest.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Numbered(KeyDigest, u32);

    impl Borrow<KeyDigest> for Numbered {
        fn borrow(&self) -> &KeyDigest {
            &self.0
        }
    }

    impl Hash for Numbered {
        fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    fn digest(number: u32) -> KeyDigest {
        KeyDigest::of(&number.to_le_bytes())
    }

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let (set, mut order) = (SecondChanceMap::new(10), EvictionQueue::default());
        for number in 0..1000 {
            set.insert(&mut order, digest(number));
            if number % 3 == 0 {
                set.remove(&mut order, &digest(number));
            }
            assert!(set.entries.0.len() <= 10 && order.0.len() <= 10);
        }
    }

    #[test]
    fn what_is_read_stays_and_what_is_not_goes() {
        let (set, mut order) = (SecondChanceMap::new(10), EvictionQueue::default());
        set.insert(&mut order, digest(0));
        for number in 1..1000 {
            assert_eq!(set.find(&digest(0)), Some(digest(0)));
            set.insert(&mut order, digest(number));
        }
        assert_eq!(set.find(&digest(500)), None);
    }

    #[test]
    fn room_is_made_when_everything_was_read() {
        let (set, mut order) = (SecondChanceMap::new(200), EvictionQueue::default());
        for number in 0..1000 {
            set.insert(&mut order, digest(number));
            set.find(&digest(number));
            assert!(set.entries.0.len() <= 200);
        }
    }

    #[test]
    fn what_comes_again_replaces_what_was_there() {
        let (set, mut order) = (SecondChanceMap::new(10), EvictionQueue::default());
        for number in 0..100 {
            set.insert(&mut order, Numbered(digest(7), number));
            assert_eq!(set.find(&digest(7)), Some(Numbered(digest(7), number)));
        }
    }
}
