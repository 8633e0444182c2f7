//! What was acknowledged is there after the server was killed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::servers::redis::Redis;
use super::servers::waiting::eventually;
use super::{at, batch, find, id, insert, make, open, revoke, wait};

const WRITERS: u32 = 4;

/// What was acknowledged, and how many batches were begun.
#[derive(Default)]
struct Ledger {
    keys: Vec<u32>,
    revoked: Vec<u32>,
}

#[test]
fn nothing_that_was_acknowledged_is_lost() {
    let mut server = Redis::start_with(&["--appendfsync", "always"]);
    let store = make(&server.url());
    insert(&store, 0).expect("a key");
    let mut batches = 0;
    for round in 1..=3 {
        let (ledger, done) = (Mutex::new(Ledger::default()), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (store, ledger, done) = (&store, &ledger, &done);
                scope.spawn(move || {
                    for number in 0.. {
                        let key = round * 1_000_000 + number * WRITERS + writer + 1;
                        if insert(store, key).is_err() {
                            return;
                        }
                        ledger.lock().expect("the ledger").keys.push(key);
                        if number % 3 == 0 {
                            if revoke(store, key).is_err() {
                                return;
                            }
                            ledger.lock().expect("the ledger").revoked.push(key);
                        }
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            let (store, batches) = (&store, &mut batches);
            scope.spawn(move || {
                loop {
                    *batches += 1;
                    if wait(store.add_usage(&batch(*batches, 0..1))).is_err() {
                        return;
                    }
                }
            });
            eventually("progress", || (done.load(Ordering::SeqCst) > 100).then_some(()));
            server.kill();
        });
        server.restart();
        eventually("the store", || find(&store, 0).ok().flatten());
        // The last one failed, and may have been added all the same.
        eventually("the store", || wait(store.add_usage(&batch(batches, 0..1))).ok());
        let ledger = ledger.into_inner().expect("the ledger");
        assert!(ledger.keys.len() > 100);
        for store in [&store, &open(&server.url())] {
            for key in &ledger.keys {
                assert!(find(store, *key).expect("found").is_some(), "key {key} is lost");
            }
            for key in &ledger.revoked {
                let record = find(store, *key).expect("found").expect("a key");
                assert_eq!(record.revoked_at, Some(at(200)), "the revocation of {key} is lost");
            }
            let usage = wait(store.usage(id(0))).expect("usage").expect("a key");
            assert_eq!(usage.total, batches, "a count is lost, or was added twice");
        }
    }
}
