//! The promises of the engine, each shown through `ApiKeys` alone.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use simple_security::clock::{Clock, SystemClock};
use test_support::records::at;
use test_support::{START, engine, engine_builder, fake_clock, issue, wait};

mod asking;
mod counting;
mod editing;
mod expiring;
mod failing;
mod far;
mod hiding;
mod issuing;
mod moving;
mod owning;
mod revoking;
mod runtimes;
mod showing;
mod slow;

/// Makes a test of each function for each store.
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod on_memory {
            $(#[test] fn $name() { super::$name(&test_support::stores::InMemory::default()) })*
        }
        mod on_sqlite {
            $(#[test] fn $name() { super::$name(&test_support::stores::SqliteFile::new(None)) })*
        }
    };
}
pub(crate) use on_every_store;

const DAY: i64 = 86_400;
/// Of both stores.
const LEASE: Duration = Duration::from_millis(10);

/// Runs a future as far as it goes now. Nothing wakes it: it goes on when it is polled again.
fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[track_caller]
fn ready<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> F::Output {
    match poll(future) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it still waits"),
    }
}

/// Lets other threads run until something has happened.
#[track_caller]
fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let start = SystemClock.uptime().nanoseconds();
    while !happened() {
        let waited = SystemClock.uptime().nanoseconds() - start;
        assert!(waited < 20_000_000_000, "waited 20 seconds in vain: {what}");
        std::thread::yield_now();
    }
}
