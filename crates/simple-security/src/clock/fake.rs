//! A clock for tests.

use super::system::{Clock, Uptime};
use crate::record::{Moment, Timestamp};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

/// A clock that stands still until a test moves it. Sleeping moves it.
#[derive(Debug)]
pub struct FakeClock {
    now: AtomicI64,
    uptime: AtomicU64,
}

impl FakeClock {
    /// A clock that shows this time of day, one hour after the machine was started.
    pub fn at(now: Timestamp) -> Self {
        Self { now: AtomicI64::new(now.seconds()), uptime: AtomicU64::new(3_600_000_000_000) }
    }

    /// Lets time pass, on both clocks.
    pub fn advance(&self, duration: Duration) {
        self.uptime.fetch_add(duration.as_nanos() as u64, Ordering::SeqCst);
        self.now.fetch_add(duration.as_secs() as i64, Ordering::SeqCst);
    }

    /// Sets the time of day, as an administrator might, also backwards.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.seconds(), Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.now.load(Ordering::SeqCst))
    }

    fn moment(&self) -> Moment {
        Moment::from_milliseconds(self.now().seconds() * 1000)
    }

    fn uptime(&self) -> Uptime {
        Uptime::from_nanoseconds(self.uptime.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.advance(duration);
        Box::pin(std::future::ready(()))
    }
}
