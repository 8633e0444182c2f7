//! What verifying costs, beside one SHA-256 of the same key. Fails when a cached key costs more
//! than [`BOUND`] of those.
#![allow(missing_docs, clippy::print_stdout, reason = "this is a program")]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::Criterion;
use sha2::{Digest, Sha256};
use simple_security::clock::SystemClock;
use simple_security::config::{Arguments, Settings};
use simple_security::store::{KeyStore, SqliteStore};
use simple_security::{
    ApiKeys, Denied, KeyDigest, KeyFormat, KeyName, KeyRecord, PlainKey, Timestamp, VerifiedKey,
};

/// How many SHA-256 of the key a cached one may cost.
const BOUND: f64 = 3.0;
const KEYS: usize = 1_000;
const HASH: &str = "one SHA-256";
const HIT: &str = "a cached key";
const TWO_THREADS: &str = "a cached key, by two threads";

fn main() -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, keys) = store(&folder.path().join("keys.db"));
    let engine = engine(&store, 100_000);
    let results = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../criterion");
    for name in [HASH, HIT, TWO_THREADS] {
        // What an earlier run has left says nothing of this one.
        let _ = fs::remove_file(estimates(&results, name));
    }
    let mut criterion = Criterion::default()
        .output_directory(&results)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    measure(&mut criterion, &engine, &store, &keys);
    criterion.final_summary();
    compare(&results)
}

fn measure(
    criterion: &mut Criterion,
    engine: &ApiKeys,
    store: &Arc<SqliteStore>,
    keys: &[PlainKey],
) {
    let hot = keys[0].expose().as_bytes();
    criterion.bench_function(HASH, |bencher| {
        bencher.iter(|| Sha256::digest(black_box(hot)));
    });
    criterion.bench_function(HIT, |bencher| {
        bencher.iter(|| verify(engine, black_box(hot)).expect("a good key"));
    });
    criterion.bench_function(TWO_THREADS, |bencher| {
        bencher.iter_custom(|iterations| by_two_threads(engine, hot, iterations));
    });
    criterion.bench_function("a cached key of 1,000 in turn", |bencher| {
        let mut turn = keys.iter().cycle();
        bencher.iter(|| verify(engine, next(&mut turn)).expect("a good key"));
    });
    criterion.bench_function("a key that is not cached", |bencher| {
        let forgetful = self::engine(store, 1);
        let mut turn = keys.iter().cycle();
        bencher.iter(|| verify(&forgetful, next(&mut turn)).expect("a good key"));
    });
    criterion.bench_function("an unknown key, cached", |bencher| {
        let (unknown, _) = KeyFormat::default().generate().expect("random bytes");
        let unknown = unknown.expose().as_bytes();
        bencher.iter(|| verify(engine, black_box(unknown)).expect_err("an unknown key"));
    });
    criterion.bench_function("a mistyped key", |bencher| {
        let mut mistyped = hot.to_vec();
        mistyped.swap(20, 30);
        bencher.iter(|| verify(engine, black_box(&mistyped)).expect_err("a mistyped key"));
    });
}

/// As a face does it: by what is cached, and where that is not enough by the store. The lease of a
/// local store is some milliseconds, so the readings that renew it are in all that is measured.
#[inline]
fn verify(engine: &ApiKeys, key: &[u8]) -> Result<VerifiedKey, Denied> {
    match engine.verify_cached(key) {
        Some(verdict) => verdict,
        None => pollster::block_on(engine.verify(key)),
    }
}

fn next<'a>(turn: &mut impl Iterator<Item = &'a PlainKey>) -> &'a [u8] {
    turn.next().expect("it is endless").expose().as_bytes()
}

/// The time for so many calls, half of them by each of two threads.
fn by_two_threads(engine: &ApiKeys, key: &[u8], iterations: u64) -> Duration {
    #[allow(clippy::disallowed_methods, reason = "criterion leaves the measuring to us here")]
    let started = Instant::now();
    std::thread::scope(|scope| {
        for share in [iterations / 2, iterations.div_ceil(2)] {
            scope.spawn(move || {
                for _ in 0..share {
                    black_box(verify(engine, black_box(key)).expect("a good key"));
                }
            });
        }
    });
    started.elapsed()
}

/// A store with [`KEYS`] keys.
fn store(path: &Path) -> (Arc<SqliteStore>, Vec<PlainKey>) {
    let store = SqliteStore::open(path).expect("a store");
    let keys = (0..KEYS).map(|_| {
        let (key, id) = KeyFormat::default().generate().expect("random bytes");
        let record = KeyRecord {
            id,
            name: KeyName::default(),
            created_at: Timestamp::from_seconds(0),
            expires_at: Timestamp::MAX,
            never_expires: false,
            revoked_at: None,
        };
        let digest = KeyDigest::of(key.expose().as_bytes());
        pollster::block_on(store.insert(digest, &record)).expect("a new key");
        key
    });
    let keys = keys.collect();
    (Arc::new(store), keys)
}

fn engine(store: &Arc<SqliteStore>, known_keys: usize) -> ApiKeys {
    let secret = Some("the admin secret of the benchmark".into());
    let mut settings =
        Settings::load(&Arguments { secret, ..Arguments::default() }).expect("settings");
    settings.engine.known_keys = known_keys;
    let store = Arc::clone(store);
    ApiKeys::with_store(store, Arc::new(SystemClock), &settings).expect("an engine").0
}

/// Fails where the bound is broken. Nothing to compare is no failure: the command line may choose
/// what is measured.
fn compare(results: &Path) -> ExitCode {
    let Some(hit) = median(results, HIT) else { return ExitCode::SUCCESS };
    if let Some(shared) = median(results, TWO_THREADS) {
        let times = hit / shared;
        println!("two threads on one key verify {times:.2} times as much as one");
    }
    let Some(hash) = median(results, HASH) else { return ExitCode::SUCCESS };
    let ratio = hit / hash;
    println!("{HIT} / {HASH}: {ratio:.2} (at most {BOUND})");
    if ratio <= BOUND { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The median that criterion has estimated, in nanoseconds.
fn median(results: &Path, name: &str) -> Option<f64> {
    let text = fs::read_to_string(estimates(results, name)).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

fn estimates(results: &Path, name: &str) -> PathBuf {
    results.join(name).join("new/estimates.json")
}
