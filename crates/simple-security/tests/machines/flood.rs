//! A flood of invented keys that could be good: the store is asked no more than it bears, nobody is told
//! that a key is none without having asked, memory is bounded, and good keys are served as before.

use std::sync::atomic::{AtomicU64, Ordering};

use simple_security::{ApiKeys, IssuedKey, NewKey, VerifyError};

use super::kinds::Kind;
use super::worker::open_store;
use super::{engine_builder, of, until, uptime, wait};

/// How many threads present invented keys.
const THREADS: u64 = 4;

/// More memory than this is not taken, in bytes: 10,000 unknown keys are cached, and the names of
/// those that are looked up.
const MEMORY: u64 = 32 << 20;

pub fn unknown_keys(kind: &dyn Kind) {
    let location = kind.make_store();
    let per_second = of(200, 2_000);
    let engine = engine_builder(open_store(&location)).lookups_per_second(per_second);
    let keys = engine.build().expect("an engine");
    let issue = |_| wait(keys.issue(NewKey::default()).committed()).expect("a key").outcome;
    let good: Vec<IssuedKey> = (0..100).map(issue).collect();
    until("all are cached", || good.iter().all(|key| verify(&keys, key).is_ok()));
    let usual = serve(&keys, &good, || true).p99();
    let memory = resident();
    let flood = Flood::default();
    let began = uptime();
    let served = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (flood, keys) = (&flood, &keys);
                scope.spawn(move || flood.run(keys, thread))
            })
            .collect();
        serve(&keys, &good, || threads.iter().all(|thread| thread.is_finished()))
    });
    let seconds = (uptime() - began).div_ceil(1_000_000_000);
    let (unknown, refused) = (flood.unknown.into_inner(), flood.refused.into_inner());
    assert!(unknown <= u64::from(per_second) * (seconds + 1), "{unknown} lookups in {seconds} s");
    assert_eq!(unknown + refused, invented());
    assert!(refused > 0, "it was no flood");
    let grown = resident().saturating_sub(memory);
    assert!(grown < MEMORY, "memory grew by {grown} bytes");
    let flooded = served.p99();
    println!(
        "{}, {} invented keys in {seconds} s: {unknown} looked up, {refused} refused as 503; memory grew by {:.1} MB; \
         p99 of a cached key {:.2} µs, usually {:.2} µs",
        kind.name(),
        invented(),
        grown as f64 / 1e6,
        flooded as f64 / 1e3,
        usual as f64 / 1e3,
    );
}

fn invented() -> u64 {
    of(10_000, 100_000)
}

#[derive(Default)]
struct Flood {
    unknown: AtomicU64,
    refused: AtomicU64,
}

impl Flood {
    fn run(&self, keys: &ApiKeys, thread: u64) {
        for number in (thread..invented()).step_by(THREADS as usize) {
            let key = format!("an-invented-key-that-could-be-good-{number:010}");
            match wait(keys.verify(key.as_bytes())) {
                Err(VerifyError::Unknown) => self.unknown.fetch_add(1, Ordering::SeqCst),
                Err(error) if error.is_transient() => self.refused.fetch_add(1, Ordering::SeqCst),
                other => panic!("{other:?}"),
            };
        }
    }
}

/// Serves good keys, for a while and until it is done.
fn serve(keys: &ApiKeys, good: &[IssuedKey], done: impl Fn() -> bool) -> Times {
    let end = uptime() + 500_000_000;
    let mut times = Times::new();
    loop {
        for key in good {
            let began = uptime();
            verify(keys, key).expect("a good key");
            times.add(uptime() - began);
        }
        if uptime() > end && done() {
            return times;
        }
    }
}

/// How often something took how long, in steps of 10 ns. It takes no memory while it is filled.
struct Times(Vec<u64>);

impl Times {
    const STEP: u64 = 10;

    fn new() -> Self {
        Self(vec![0; 100_000])
    }

    fn add(&mut self, took: u64) {
        let last = self.0.len() - 1;
        self.0[last.min((took / Self::STEP) as usize)] += 1;
    }

    /// What 99 of 100 did not exceed, in nanoseconds.
    fn p99(&self) -> u64 {
        let mut left = self.0.iter().sum::<u64>() * 99 / 100;
        let step = self.0.iter().position(|number| {
            let reached = *number >= left;
            left = left.saturating_sub(*number);
            reached
        });
        (step.expect("some") as u64 + 1) * Self::STEP
    }
}

fn verify(keys: &ApiKeys, key: &IssuedKey) -> Result<(), VerifyError> {
    wait(keys.verify(key.key.expose().as_bytes())).map(drop)
}

/// The memory of this process, in bytes (proc(5), `statm`).
fn resident() -> u64 {
    let memory = std::fs::read_to_string("/proc/self/statm").expect("proc");
    let pages: u64 = memory.split(' ').nth(1).expect("pages").parse().expect("a number");
    pages * 4096
}
