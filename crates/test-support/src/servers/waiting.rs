//! Waiting by polling, for what does not notify a test.

use std::net::TcpStream;
use std::time::Duration;

use simple_security::clock::{Clock, SystemClock};

/// How long anything may take that does not fail.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    eventually(what, || is_so().then_some(()));
}

/// The first that `look` finds.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = SystemClock.uptime().nanoseconds();
    loop {
        if let Some(found) = look() {
            return found;
        }
        let waited = Duration::from_nanos(SystemClock.uptime().nanoseconds() - began);
        assert!(waited < PATIENCE, "it never came: {what}");
        pollster::block_on(SystemClock.sleep(Duration::from_millis(5)));
    }
}

/// Waits until a port is listened on.
#[track_caller]
pub fn until_open(port: u16) {
    until("a port that is listened on", || TcpStream::connect(("127.0.0.1", port)).is_ok());
}
