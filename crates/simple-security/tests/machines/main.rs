//! Several machines on one store: the promises of the engine over PostgreSQL and Redis, with real
//! processes and real servers that fail.
//!
//! `make test` runs a short form of each. `make test-machines` runs them at full length, and prints
//! figures.

#![allow(clippy::print_stdout, reason = "figures are for who runs it")]

use std::process::ExitCode;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use simple_security::ApiKeysBuilder;
use simple_security::clock::{Clock, SystemClock};
use simple_security::store::{KeyStore, Location};
use test_support::servers::{self, waiting::until};
use test_support::wait;

mod counting;
mod deaf;
mod faults;
mod flood;
mod kinds;
mod machine;
mod restored;
mod revoking;
mod starting;
mod team;
mod worker;

use kinds::{KINDS, Kind};

/// Tries something.
type Run = fn(&dyn Kind);

/// What leaves the server as it was, by its name: these share one of each kind.
const HARMLESS: &[(&str, Run)] = &[
    ("revoked_keys_are_refused_on_all_machines", revoking::with_hints),
    ("revoked_keys_are_refused_without_any_hint", revoking::without_hints),
    ("totals_are_exact_over_machines_and_threads", counting::totals_are_exact),
    ("ten_machines_start_at_once", starting::ten_at_once),
    ("a_flood_of_unknown_keys", flood::unknown_keys),
];

/// What is tried on a server of its own, by its name.
const HARMFUL: &[(&str, Run)] = &[
    ("a_server_that_is_killed_and_comes_back", faults::killed),
    ("connections_that_are_cut", faults::cut),
    ("a_network_that_stalls", faults::stalled),
    ("a_network_that_drops", faults::dropped),
    ("a_server_that_takes_no_more_connections", faults::exhausted),
    ("a_store_that_is_restored_from_an_older_copy", restored::older),
    ("a_store_that_is_replaced_by_an_empty_one", restored::empty),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|role| role == "worker") {
        worker::work(&worker::Orders::read(&arguments[2..]));
        return ExitCode::SUCCESS;
    }
    let mut trials = Vec::new();
    for (kind, start) in KINDS {
        let shared = Arc::new(LazyLock::new(*start));
        for (name, run) in HARMLESS {
            let shared = Arc::clone(&shared);
            trials.push(trial(kind, name, move || run(&***shared)));
        }
        trials.extend(HARMFUL.iter().map(|(name, run)| trial(kind, name, || run(&*start()))));
    }
    if is_at_full_length() {
        let name = "a_server_that_is_killed_and_comes_back";
        let run = || faults::killed(&*kinds::redis_everysec());
        trials.push(trial("redis_everysec", name, run));
    }
    let mut arguments = Arguments::from_args();
    // Each has processes of its own, which need the processors.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(kind: &str, name: &str, run: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(format!("{kind}::{name}"), || {
        run();
        Ok(())
    })
}

/// How much of something there is: in the short form, and at full length.
fn of<T>(short: T, full: T) -> T {
    if is_at_full_length() { full } else { short }
}

/// The bound of a store, in nanoseconds: at full length that of one that is made without saying
/// another.
fn bound() -> u64 {
    of(500_000_000, 2_000_000_000)
}

/// The URL of a store with that bound.
fn bounded(url: &str) -> String {
    of(format!("{url}?max_staleness=0.5"), url.to_owned())
}

/// Whether this is the form at full length.
fn is_at_full_length() -> bool {
    #[allow(clippy::disallowed_methods, reason = "a setting of the tests")]
    let switch = std::env::var("SIMPLE_SECURITY_FULL_LENGTH");
    switch.is_ok_and(|switch| switch == "1")
}

fn location(text: &str) -> Location {
    Location::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

/// Begins the usual engine of tests, but counts are written while they run.
fn engine_builder(store: Arc<dyn KeyStore>) -> ApiKeysBuilder<'static> {
    test_support::engine_builder(store, &Arc::new(SystemClock))
        .flush_interval(Duration::from_millis(200))
}

/// The uptime of this machine in nanoseconds: all its processes have the same.
fn uptime() -> u64 {
    SystemClock.uptime().nanoseconds()
}
