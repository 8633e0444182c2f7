//! Every accepted call is counted, once.

use std::sync::Arc;

use loom::thread;
use simple_security::{ApiKeys, Expiry, Renewal, Timestamp};

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
fn the_first_call_while_counts_are_written() {
    check(3, || {
        let (world, id) = World::with_key();
        let keys = world.engine();
        loom::explore();
        let other = meanwhile(&keys);
        wait(keys.flush()).expect("a flush");
        let accepted = other.join().expect("no panic");
        wait(keys.flush()).expect("a flush");
        assert_eq!(world.store.total(id), accepted);
    });
}

#[test]
fn calls_while_counts_are_written_twice_at_once() {
    check(3, || {
        let (world, id) = World::with_key();
        let keys = world.engine();
        assert!(verify(&keys).is_ok());
        loom::explore();
        let flusher = thread::spawn({
            let keys = Arc::clone(&keys);
            move || wait(keys.flush()).expect("a flush")
        });
        let other = meanwhile(&keys);
        assert!(verify(&keys).is_ok());
        wait(keys.flush()).expect("a flush");
        // Two calls were accepted before the flush that has returned.
        assert!(world.store.total(id) >= 2);
        flusher.join().expect("no panic");
        let accepted = other.join().expect("no panic");
        wait(keys.flush()).expect("a flush");
        assert_eq!(world.store.total(id), 2 + accepted);
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
        // The record is forgotten, another is cached in its place, and its counter let go.
        wait(keys.renew(id, Renewal::DefaultLifetime)).expect("the key");
        assert!(verify(&keys).is_ok());
        wait(keys.flush()).expect("a flush");
        let accepted = other.join().expect("no panic");
        wait(keys.flush()).expect("a flush");
        assert_eq!(world.store.total(id), 2 + accepted);
    });
}

/// The third record finds the counter of the first in nobody's hands but those of a call that may
/// be under way.
#[test]
fn calls_while_what_nobody_needs_is_thrown_out() {
    check(3, || {
        let (world, id) = World::with_key();
        let keys = world.engine();
        assert!(verify(&keys).is_ok());
        wait(keys.flush()).expect("a flush");
        loom::explore();
        let other = thread::spawn({
            let keys = Arc::clone(&keys);
            move || {
                for days in [1, 2] {
                    let later = Timestamp::from_seconds(0).plus_days(days);
                    wait(keys.renew(id, Renewal::Until(Expiry::At(later)))).expect("the key");
                    assert!(verify(&keys).is_ok());
                }
            }
        });
        let accepted = u64::from(verify(&keys).is_ok());
        other.join().expect("no panic");
        wait(keys.flush()).expect("a flush");
        assert_eq!(world.store.total(id), 3 + accepted);
    });
}

#[test]
fn counts_whose_arrival_is_not_confirmed() {
    check(3, || {
        let (world, id) = World::with_key();
        let keys = world.engine();
        assert!(verify(&keys).is_ok());
        world.store.lose_the_answer_to(1);
        loom::explore();
        let other = meanwhile(&keys);
        assert!(wait(keys.flush()).is_err());
        let accepted = other.join().expect("no panic");
        wait(keys.flush()).expect("a flush");
        assert_eq!(world.store.total(id), 1 + accepted);
    });
}

#[test]
fn counts_that_are_refused_while_older_ones_arrive() {
    check(3, || {
        let (world, id) = World::with_key();
        let keys = world.engine();
        assert!(verify(&keys).is_ok());
        world.store.refuse_once(2);
        loom::explore();
        let other = thread::spawn({
            let keys = Arc::clone(&keys);
            move || drop(wait(keys.flush()))
        });
        assert!(verify(&keys).is_ok());
        drop(wait(keys.flush()));
        other.join().expect("no panic");
        wait(keys.flush()).expect("a flush");
        assert_eq!(world.store.total(id), 2);
    });
}

/// Nobody asks for a flush, and nobody stops the engine: the counts arrive by themselves. Where
/// nothing wakes the thread that writes them, the model waits for ever, and loom says so.
#[test]
fn counts_that_nobody_flushes() {
    check(2, || {
        let (world, id) = World::with_key();
        let keys = world.engine_that_flushes();
        loom::explore();
        let other = meanwhile(&keys);
        assert!(verify(&keys).is_ok());
        world.store.wait_for_total(id, 2);
        assert_eq!(other.join().expect("no panic"), 1);
    });
}

#[test]
fn counts_that_nobody_flushes_and_the_store_refuses_at_first() {
    check(2, || {
        let (world, id) = World::with_key();
        world.store.refuse_once(1);
        let keys = world.engine_that_flushes();
        loom::explore();
        assert!(verify(&keys).is_ok());
        world.store.wait_for_total(id, 1);
    });
}
