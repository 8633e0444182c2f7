//! The clock of the machine.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::record::{Moment, Timestamp};

/// Nanoseconds since the machine was started, sleep included. It never steps back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uptime(u64);

impl Uptime {
    /// The instant `nanoseconds` after the start.
    pub fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since the start.
    pub fn nanoseconds(self) -> u64 {
        self.0
    }
}

/// What the engine asks of a clock.
pub trait Clock: Send + Sync + 'static {
    /// The time of day to the millisecond, rounded up: for telling others when something holds.
    fn moment(&self) -> Moment;

    /// The time of day, which an administrator may set: for expiry dates alone. It is asked for
    /// with each key, so a cheaper clock may answer that is some milliseconds late.
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.moment().milliseconds().div_euclid(1000))
    }

    /// The time since start: for all ages.
    fn uptime(&self) -> Uptime;

    /// Waits at least this long.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The clocks of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

// Linux stops CLOCK_MONOTONIC while the machine sleeps (clock_gettime(2)): a lease would outlive
// a night. Elsewhere CLOCK_MONOTONIC goes on. The coarse clock lags by one tick of the kernel, at
// most 10 ms, which is nothing to a date in seconds and costs a quarter.
#[cfg(target_os = "linux")]
const UPTIME: ClockId = ClockId::Boottime;
#[cfg(target_os = "linux")]
const TIME_OF_DAY: ClockId = ClockId::RealtimeCoarse;
#[cfg(not(target_os = "linux"))]
const UPTIME: ClockId = ClockId::Monotonic;
#[cfg(not(target_os = "linux"))]
const TIME_OF_DAY: ClockId = ClockId::Realtime;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(clock_gettime(TIME_OF_DAY).tv_sec)
    }

    fn moment(&self) -> Moment {
        let time = clock_gettime(ClockId::Realtime);
        Moment::from_milliseconds(time.tv_sec * 1000 + time.tv_nsec / 1_000_000 + 1)
    }

    fn uptime(&self) -> Uptime {
        let time = clock_gettime(UPTIME);
        // Both parts are never negative for a clock that starts at zero.
        Uptime(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }

    /// A task of tokio lets others run meanwhile (its runtime needs the time driver, which
    /// `enable_all` switches on); any other caller's thread waits.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            if tokio::runtime::Handle::try_current().is_ok() {
                tokio::time::sleep(duration).await;
            } else {
                #[allow(clippy::disallowed_methods, reason = "this is the one place")]
                std::thread::sleep(duration);
            }
        })
    }
}
