//! What is measured again and again.

use std::cell::Cell;
use std::hint::black_box;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};
use simple_security::store::SqliteStore;
use simple_security::{ApiKeys, VerifiedKey, VerifyError};

use super::SAMPLE;
use super::filling::{Known, engine, unknown};
use super::rounds::{self, Measure, now};

/// The columns of a record.
const SELECT: &str = "SELECT id, name, created_at, expires_at, never_expires, revoked_at
    FROM api_keys WHERE id = ?1";
const FEW: usize = 1_000;
const UNKNOWN: usize = 10_000;

/// Prints them, and gives back how many calls were accepted.
pub fn print(store: &Arc<SqliteStore>, path: &Path, sample: &[Known], rounds: usize) -> usize {
    let engine = engine(store, SAMPLE, UNKNOWN);
    let forgetful = self::engine(store, 1, 1);
    let accepted = Cell::new(sample.len());
    for key in sample {
        verify(&engine, key.text()).expect("a good key");
    }
    let strangers = unknown(UNKNOWN);
    let mistyped = mistyped(&sample[0]);
    let (hot, few) = (&sample[..1], &sample[..FEW]);
    let hit = |name: &str, keys| {
        let mut turn = turn(keys);
        let (engine, accepted) = (&engine, &accepted);
        Measure::new(name, move || {
            black_box(verify(engine, black_box(turn())).expect("a good key"));
            accepted.set(accepted.get() + 1);
        })
    };
    let refused = |name: &str, engine, keys| {
        let mut turn = turn(keys);
        Measure::new(name, move || {
            black_box(verify(engine, black_box(turn())).expect_err("no key"));
        })
    };
    let hits_by_two_threads = |name: &str, keys| {
        let (engine, accepted) = (&engine, &accepted);
        Measure::by_batches(name, move |times| {
            let share = times.div_ceil(2);
            accepted.set(accepted.get() + 2 * share);
            by_two_threads(keys, share, |key| {
                black_box(verify(engine, black_box(key)).expect("a good key"));
            })
        })
    };
    let database =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the store");
    let mut select = database.prepare(SELECT).expect("a statement");
    let mut measures = vec![
        hash("one SHA-256, one key", hot),
        hash("one SHA-256, 1,000 keys in turn", few),
        hit("hit, one key", hot),
        hit("hit, 1,000 keys in turn", few),
        // Nothing is shared here: what two threads can do on this machine.
        Measure::by_batches("one SHA-256, 1,000 keys in turn, two threads", |times| {
            by_two_threads(few, times.div_ceil(2), |key| {
                black_box(Sha256::digest(black_box(key)));
            })
        }),
        hits_by_two_threads("hit, one key, two threads", hot),
        hits_by_two_threads("hit, 1,000 keys in turn, two threads", few),
        refused("unknown, remembered", &engine, &strangers[..FEW]),
        refused("unknown", &forgetful, &strangers[..]),
        Measure::new("malformed", || {
            black_box(verify(&engine, black_box(&mistyped)).expect_err("no key"));
        }),
    ];
    if sample.len() > FEW {
        measures.push(hit("hit, 100,000 keys in turn", sample));
    }
    {
        let mut turn = turn(sample);
        let (forgetful, accepted) = (&forgetful, &accepted);
        measures.push(Measure::new("miss", move || {
            black_box(verify(forgetful, black_box(turn())).expect("a good key"));
            accepted.set(accepted.get() + 1);
        }));
    }
    {
        let mut turn = sample.iter().cycle();
        let select = &mut select;
        measures.push(Measure::new("one bare SELECT", move || {
            let id = turn.next().expect("it is endless").id;
            let found = select.query_row([id.as_str()], |row| {
                let name: Box<str> = row.get(1)?;
                let times: (i64, i64, bool) = (row.get(2)?, row.get(3)?, row.get(4)?);
                let revoked_at: Option<i64> = row.get(5)?;
                Ok((name, times, revoked_at))
            });
            black_box(found.expect("a record"));
        }));
    }
    rounds::print(measures, rounds);
    accepted.get()
}

/// As a face does it: by what is cached, and where that is not enough by the store. The lease of a
/// local store is some milliseconds, so the polls that renew it are in all that is measured.
#[inline]
pub fn verify(engine: &ApiKeys, key: &[u8]) -> Result<VerifiedKey, VerifyError> {
    match engine.try_verify(key) {
        Some(verdict) => verdict,
        None => pollster::block_on(engine.verify(key)),
    }
}

fn hash<'a>(name: &str, keys: &'a [Known]) -> Measure<'a> {
    let mut turn = turn(keys);
    Measure::new(name, move || {
        black_box(Sha256::digest(black_box(turn())));
    })
}

/// The keys, one after another, without end.
fn turn<'a>(keys: &'a [Known]) -> impl FnMut() -> &'a [u8] {
    let mut turn = keys.iter().cycle();
    move || turn.next().expect("it is endless").text()
}

/// The time for so many calls by each of two threads, which begin at once and at different keys:
/// from when the first begins to when the last has ended.
fn by_two_threads(keys: &[Known], share: usize, call: impl Fn(&[u8]) + Sync) -> Duration {
    let begin = Barrier::new(2);
    let work = |skipped: usize| {
        let mut turn = keys.iter().cycle().skip(skipped);
        begin.wait();
        let began = now();
        for _ in 0..share {
            call(turn.next().expect("it is endless").text());
        }
        (began, now())
    };
    let [one, other] = std::thread::scope(|scope| {
        let other = scope.spawn(|| work(keys.len() / 2));
        [work(0), other.join().expect("an end")]
    });
    one.1.max(other.1) - one.0.min(other.0)
}

/// A key with a typing error.
fn mistyped(key: &Known) -> Vec<u8> {
    let mut text = key.text().to_vec();
    let other = if text[20] == b'x' { b'y' } else { b'x' };
    text[20] = other;
    text
}
