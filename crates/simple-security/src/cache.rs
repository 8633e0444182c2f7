//! Answers that were read from the store, and for how long they may be used.
//!
//! Three rules keep a revoked key out. `tests/lease_model` checks them in every order that
//! threads can run in, and `tests/mutations/` shows that each of them is needed:
//!
//! 1. An answer is used only while the last poll of the change log is younger than the lease.
//!    The poll's age counts from the instant it was begun.
//! 2. An answer enters only if no change was applied since before its lookup began. The check
//!    and the insertion are one step with applying.
//! 3. A poll is younger only after all that it has read is applied.

use std::time::Duration;

use self::second_chance::{EvictionQueue, SecondChanceMap};
use crate::clock::Uptime;
use crate::key::KeyDigest;
use crate::store::Changed;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, lock};

mod entry;
mod second_chance;

pub(crate) use entry::{CachedKey, Counter};

/// What the store said about a digest.
#[derive(Clone)]
pub(crate) enum Answer {
    /// A record, revoked and expired ones too.
    Key(Arc<CachedKey>),
    /// No record.
    Unknown,
}

/// The answers of one engine. Known keys and unknown ones have each a share of their own, so that
/// a flood of invented keys cannot push out those that are real.
pub(crate) struct Cache {
    known: SecondChanceMap<Arc<CachedKey>>,
    unknown: SecondChanceMap<KeyDigest>,
    /// When the last applied poll was begun, in nanoseconds of uptime. 0: there was none.
    read_at: AtomicU64,
    lease: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many polls brought a change.
    generation: u64,
    known: EvictionQueue<Arc<CachedKey>>,
    unknown: EvictionQueue<KeyDigest>,
}

/// A lookup under way: what had been applied before it began.
pub(crate) struct FillToken {
    generation: u64,
}

impl Cache {
    pub(crate) fn new(lease: Duration, known: usize, unknown: usize) -> Self {
        Self {
            known: SecondChanceMap::new(known),
            unknown: SecondChanceMap::new(unknown),
            read_at: AtomicU64::new(0),
            lease: lease.as_nanos() as u64,
            state: Mutex::new(State::default()),
        }
    }

    /// The lease, in nanoseconds.
    pub(crate) fn lease(&self) -> u64 {
        self.lease
    }

    /// The answer for a call that began at `began`, if there is one that it may use.
    #[inline]
    pub(crate) fn find(&self, digest: &KeyDigest, began: Uptime) -> Option<Answer> {
        if self.is_fresh(began) { self.find_stale(digest) } else { None }
    }

    /// The answer that is cached, however old it is.
    #[inline]
    pub(crate) fn find_stale(&self, digest: &KeyDigest) -> Option<Answer> {
        match self.known.find(digest) {
            Some(known) => Some(Answer::Key(known)),
            None => self.find_unknown(digest),
        }
    }

    fn find_unknown(&self, digest: &KeyDigest) -> Option<Answer> {
        self.unknown.find(digest).map(|_| Answer::Unknown)
    }

    /// Whether a call that began at `began` may use what is cached.
    #[inline]
    pub(crate) fn is_fresh(&self, began: Uptime) -> bool {
        self.is_read_within(self.lease, began)
    }

    /// Whether the last applied poll was begun less than `age` nanoseconds before `began`.
    #[inline]
    pub(crate) fn is_read_within(&self, age: u64, began: Uptime) -> bool {
        let read_at = self.read_at.load(Ordering::Acquire);
        read_at != 0 && began.nanoseconds().saturating_sub(read_at) < age
    }

    /// How many answers are cached: of keys, and of digests that are those of no key.
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.known.len(), self.unknown.len())
    }

    /// How long before `now` the last applied poll was begun; `None`: there was none.
    pub(crate) fn age(&self, now: Uptime) -> Option<Duration> {
        let read_at = self.read_at.load(Ordering::Acquire);
        let age = now.nanoseconds().saturating_sub(read_at);
        (read_at != 0).then(|| Duration::from_nanos(age))
    }

    /// To be called before the store is asked.
    pub(crate) fn begin_fill(&self) -> FillToken {
        FillToken { generation: lock(&self.state).generation }
    }

    /// Keeps an answer, unless a change was applied since its lookup began: the change may be
    /// to this very key, and the answer from before it.
    pub(crate) fn fill(&self, token: &FillToken, digest: KeyDigest, answer: &Answer) {
        let state = &mut *lock(&self.state);
        if state.generation != token.generation {
            return;
        }
        match answer {
            Answer::Key(known) => self.known.insert(&mut state.known, Arc::clone(known)),
            Answer::Unknown => self.unknown.insert(&mut state.unknown, digest),
        }
    }

    /// Forgets one key, which this process has just changed, and lets no lookup enter that began
    /// before. The lease stays as it is: nothing else was read.
    pub(crate) fn forget(&self, digest: &KeyDigest) {
        let state = &mut *lock(&self.state);
        self.forget_one(state, digest);
        state.generation += 1;
    }

    fn forget_one(&self, state: &mut State, digest: &KeyDigest) {
        self.known.remove(&mut state.known, digest);
        self.unknown.remove(&mut state.unknown, digest);
    }

    /// Forgets what a poll that was begun at `begun` found changed, and renews the lease.
    pub(crate) fn apply(&self, changed: &Changed, begun: Uptime) {
        let state = &mut *lock(&self.state);
        match changed {
            Changed::Keys(digests) => {
                for digest in digests {
                    self.forget_one(state, digest);
                }
                state.generation += u64::from(!digests.is_empty());
            }
            Changed::Anything => {
                self.known.clear(&mut state.known);
                self.unknown.clear(&mut state.unknown);
                state.generation += 1;
            }
        }
        // Last, and never back: a poll that was begun earlier may end later.
        self.read_at.fetch_max(begun.nanoseconds(), Ordering::Release);
    }
}
