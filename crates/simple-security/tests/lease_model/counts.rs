//! Every accepted call is counted, once.

use std::sync::Arc;

use loom::thread;
use simple_security::ApiKeys;

use crate::world::{World, check, verify, wait};

/// Somebody else verifies meanwhile; how often it was accepted.
fn meanwhile(keys: &Arc<ApiKeys>) -> thread::JoinHandle<u64> {
    let keys = Arc::clone(keys);
    thread::spawn(move || verify(&keys).is_ok().into())
}

#[test]
fn calls_while_counts_are_written() {
    check(3, || {
        let (world, id) = World::with_key();
        let keys = world.engine();
        assert!(verify(&keys).is_ok());
        loom::explore();
        let others = [meanwhile(&keys), meanwhile(&keys)];
        wait(keys.flush()).expect("a flush");
        let accepted: u64 = others.map(|other| other.join().expect("no panic")).iter().sum();
        wait(keys.flush()).expect("a flush");
        assert_eq!(world.store.total(id), 1 + accepted);
    });
}

#[test]
fn calls_while_the_record_leaves_the_cache() {
    check(3, || {
        let (world, id) = World::with_key();
        let keys = world.engine();
        assert!(verify(&keys).is_ok());
        loom::explore();
        let other = meanwhile(&keys);
        // The record is forgotten, its counter let go, and both made anew.
        wait(keys.renew(id, None)).expect("the key");
        assert!(wait(keys.verify(b"another key")).is_err());
        wait(keys.flush()).expect("a flush");
        assert!(verify(&keys).is_ok());
        let accepted = other.join().expect("no panic");
        wait(keys.flush()).expect("a flush");
        assert_eq!(world.store.total(id), 2 + accepted);
    });
}

#[test]
fn counts_whose_arrival_is_not_confirmed() {
    check(3, || {
        let (world, id) = World::with_key();
        let keys = world.engine();
        assert!(verify(&keys).is_ok());
        world.store.fall_silent();
        loom::explore();
        let other = meanwhile(&keys);
        assert!(wait(keys.flush()).is_err());
        let accepted = other.join().expect("no panic");
        wait(keys.flush()).expect("a flush");
        assert_eq!(world.store.total(id), 1 + accepted);
    });
}

/// Nobody asks for a flush, and nobody stops the engine: the counts arrive by themselves.
#[test]
fn counts_that_nobody_flushes() {
    check(3, || {
        let (world, id) = World::with_key();
        let keys = world.engine_that_flushes();
        loom::explore();
        let other = meanwhile(&keys);
        assert!(verify(&keys).is_ok());
        assert_eq!(other.join().expect("no panic"), 1);
        // Where a call did not wake the flusher, this waits for ever, which loom reports.
        world.store.wait_for_total(id, 2);
        keys.close();
    });
}
