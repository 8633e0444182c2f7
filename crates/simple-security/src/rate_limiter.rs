//! How often something may be done: so many times in a second.

use crate::clock::Uptime;
use crate::sync::atomic::{AtomicU64, Ordering};

const SECOND: u64 = 1_000_000_000;

/// So many times in a second on average, and at most those of one second at once.
///
/// It is the generic cell rate algorithm (ITU-T I.371, annex A): of all that was done, only the
/// instant is kept at which the next would be due if each took its share of a second.
pub(crate) struct RateLimiter {
    per_second: u32,
    due: AtomicU64,
}

impl RateLimiter {
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second: per_second.max(1), due: AtomicU64::new(0) }
    }

    pub(crate) fn per_second(&self) -> u32 {
        self.per_second
    }

    /// Whether it may be done now. Where it may, it counts as done.
    pub(crate) fn take(&self, now: Uptime) -> bool {
        let now = now.nanoseconds();
        let taken = self.due.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |due| {
            let due = due.max(now) + self.share();
            (due - now <= SECOND).then_some(due)
        });
        taken.is_ok()
    }

    /// Whether it may not be done now.
    pub(crate) fn is_used_up(&self, now: Uptime) -> bool {
        let due = self.due.load(Ordering::Relaxed).max(now.nanoseconds()) + self.share();
        due - now.nanoseconds() > SECOND
    }

    /// What each takes of a second, in nanoseconds.
    fn share(&self) -> u64 {
        SECOND / u64::from(self.per_second)
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_done_than_what_a_second_has() {
        let rate_limiter = RateLimiter::new(10);
        let taken = |from: u64, until: u64| {
            (from..until)
                .filter(|now| rate_limiter.take(Uptime::from_nanoseconds(now * 1_000_000)))
                .count()
        };
        assert_eq!(taken(1_000, 1_010), 10, "a second's worth at once");
        assert!(rate_limiter.is_used_up(Uptime::from_nanoseconds(1_010_000_000)));
        assert_eq!(taken(1_010, 4_010), 30, "then as many as a second has");
        assert!(!rate_limiter.is_used_up(Uptime::from_nanoseconds(9_000_000_000)));
        assert_eq!(taken(9_000, 9_010), 10, "what was not used is not saved up");
    }
}
