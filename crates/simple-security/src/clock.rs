//! The only source of time.

mod expiry;
#[cfg(any(test, feature = "testing"))]
mod fake;
mod system;

pub(crate) use expiry::ExpiryClock;
#[cfg(any(test, feature = "testing"))]
pub use fake::FakeClock;
pub use system::{Clock, SystemClock, Uptime};
