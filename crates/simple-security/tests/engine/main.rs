//! The promises of the engine, each shown through `ApiKeys` alone.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use simple_security::clock::{Clock, FakeClock, SystemClock};
use simple_security::config::{Arguments, EngineSettings, Settings};
use simple_security::store::KeyStore;
use simple_security::{ApiKeys, IssuedKey, NewKey, Timestamp};

mod asking;
mod counting;
mod editing;
mod expiring;
mod failing;
mod far;
mod hiding;
mod issuing;
mod moving;
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

/// The time of day at which tests begin: 2027-01-15T08:00:00Z.
const START: i64 = 1_800_000_000;
const DAY: i64 = 86_400;
/// Of both stores.
const LEASE: Duration = Duration::from_millis(10);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn fake_clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::at(at(START)))
}

/// Settings of which nothing comes from the environment. Counts are written when a test says so.
fn settings() -> Settings {
    let arguments = Arguments {
        secret: Some("an admin secret of 31 characters".into()),
        db_location: Some("unused.db".to_owned()),
        automatic_expiration: Some("15".to_owned()),
        key_prefix: Some("fss".to_owned()),
        refusal_status: Some("403".to_owned()),
    };
    let engine = EngineSettings { flush_interval: Duration::from_secs(3600), ..Default::default() };
    Settings { engine, ..Settings::load(&arguments).expect("settings") }
}

fn engine_with(store: Arc<dyn KeyStore>, clock: Arc<dyn Clock>, engine: EngineSettings) -> ApiKeys {
    let settings = Settings { engine, ..settings() };
    ApiKeys::with_store(store, clock, &settings).expect("an engine").0
}

fn engine(store: Arc<dyn KeyStore>, clock: &Arc<FakeClock>) -> ApiKeys {
    engine_with(store, Arc::clone(clock) as Arc<dyn Clock>, settings().engine)
}

fn issue(keys: &ApiKeys) -> IssuedKey {
    wait(keys.issue(NewKey::default())).expect("a key")
}

fn wait<F: Future>(future: F) -> F::Output {
    pollster::block_on(future)
}

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
