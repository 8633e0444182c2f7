//! Lines of a log that a flood of requests must not multiply.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, SystemClock, Uptime};

/// Says at most once a second that something has happened, with how often.
#[derive(Debug, Default)]
pub struct LogThrottle {
    /// When it may be said again.
    next: AtomicU64,
    /// What has happened since it was said last.
    unsaid: AtomicU64,
}

impl LogThrottle {
    const EVERY: Duration = Duration::from_secs(1);

    /// Nothing has happened yet.
    pub const fn new() -> Self {
        Self { next: AtomicU64::new(0), unsaid: AtomicU64::new(0) }
    }

    /// It has happened once more. Where that is to be said now: how often it has happened since it
    /// was said last, this time included.
    pub fn record(&self) -> Option<u64> {
        self.record_at(SystemClock.uptime())
    }

    fn record_at(&self, now: Uptime) -> Option<u64> {
        self.unsaid.fetch_add(1, Ordering::SeqCst);
        let (now, next) = (now.nanoseconds(), self.next.load(Ordering::SeqCst));
        let later = now + Self::EVERY.as_nanos() as u64;
        let is_time = now >= next
            && self.next.compare_exchange(next, later, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        is_time.then(|| self.unsaid.swap(0, Ordering::SeqCst))
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_once_a_second_how_often_it_has_happened() {
        let log_throttle = LogThrottle::new();
        let at = |milliseconds: u64| {
            log_throttle.record_at(Uptime::from_nanoseconds(milliseconds * 1_000_000))
        };
        assert_eq!(at(5_000), Some(1), "the first one at once");
        for milliseconds in 5_000..6_000 {
            assert_eq!(at(milliseconds), None);
        }
        assert_eq!(at(6_000), Some(1_001));
        assert_eq!(at(6_999), None);
        assert_eq!(at(60_000), Some(2), "what was not said is not lost");
    }

    #[test]
    fn of_many_threads_one_says_it_and_none_is_forgotten() {
        let log_throttle = LogThrottle::new();
        let now = Uptime::from_nanoseconds(5_000_000_000);
        let said: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| (0..1_000).filter_map(|_| log_throttle.record_at(now)).sum())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("counted")).collect()
        });
        assert_eq!(said.iter().filter(|said| **said > 0).count(), 1);
        let later = Uptime::from_nanoseconds(6_000_000_000);
        let rest = log_throttle.record_at(later).expect("said");
        assert_eq!(said.iter().sum::<u64>() + rest, 8_001);
    }
}
