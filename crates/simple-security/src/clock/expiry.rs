//! The time of day by which keys expire: it does not step back with the clock.
//!
//! An administrator, or a wrong time server, may set the clock back; a key that has expired must not
//! be accepted again. So keys expire by the latest time of day that was seen. But a clock may be
//! ahead, too, for a moment, and good keys must not stay rejected when it is right again. The
//! latest time therefore rises no faster than the uptime of the machine, which cannot be set, plus a
//! few seconds.

use super::system::{Clock, Uptime};
use crate::record::Timestamp;
use crate::sync::atomic::{AtomicI64, Ordering};

/// How far the latest time may be ahead of the uptime, in seconds. A clock that was ahead rejects
/// keys for no longer than this after it is right again.
const AHEAD: i64 = 10;

/// The latest time of day that was seen.
pub(crate) struct ExpiryClock {
    started: (Timestamp, Uptime),
    /// In seconds.
    latest: AtomicI64,
    /// What the clock showed last, in seconds: the uptime is read only when that changes.
    seen: AtomicI64,
}

impl ExpiryClock {
    pub(crate) fn start(clock: &dyn Clock) -> Self {
        let started = (clock.now(), clock.uptime());
        let seconds = started.0.seconds();
        Self { started, latest: AtomicI64::new(seconds), seen: AtomicI64::new(seconds) }
    }

    /// The time of day for a decision, where the clock shows `now`.
    #[inline]
    pub(crate) fn at(&self, now: Timestamp, clock: &dyn Clock) -> Timestamp {
        if self.seen.load(Ordering::Relaxed) != now.seconds() {
            self.see(now, clock);
        }
        now.max(Timestamp::from_seconds(self.latest.load(Ordering::Relaxed)))
    }

    fn see(&self, now: Timestamp, clock: &dyn Clock) {
        let (started, uptime) = self.started;
        let passed = clock.uptime().nanoseconds().saturating_sub(uptime.nanoseconds());
        let plausible = started.seconds() + (passed / 1_000_000_000) as i64 + AHEAD;
        self.latest.fetch_max(now.seconds().min(plausible), Ordering::Relaxed);
        self.seen.store(now.seconds(), Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom_model)))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::fake::FakeClock;

    const START: i64 = 1_700_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn it_does_not_step_back_with_the_clock() {
        let clock = FakeClock::at(at(START));
        let expiry = ExpiryClock::start(&clock);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(expiry.at(clock.now(), &clock), at(START + 3600));
        for back in [START + 3599, START, 0, Timestamp::MIN.seconds()] {
            assert_eq!(expiry.at(at(back), &clock), at(START + 3600), "{back}");
        }
    }

    #[test]
    fn a_clock_that_was_ahead_is_forgotten() {
        let clock = FakeClock::at(at(START));
        let expiry = ExpiryClock::start(&clock);
        for _ in 0..1000 {
            assert_eq!(expiry.at(Timestamp::MAX, &clock), Timestamp::MAX, "it is the time of day");
            assert!(expiry.at(at(START), &clock) <= at(START + AHEAD));
        }
        clock.advance(Duration::from_secs(60));
        assert!(expiry.at(clock.now(), &clock) == at(START + 60));
        assert_eq!(expiry.at(at(START), &clock), at(START + 60));
    }
}
