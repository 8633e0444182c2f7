//! No call that begins after a change has returned is answered by what was before it.
//!
//! The change is made by another process, which has a cache of its own: a process forgets what it
//! changes itself without the change log.

use std::sync::Arc;

use loom::thread;
use simple_security::clock::Clock;
use simple_security::store::ChangeLog;
use simple_security::{ApiKeys, NewKey, Renewal, VerifyError};

use crate::world::{World, check, is_revoked, verify, wait};

/// Somebody else verifies meanwhile, with whatever outcome.
fn meanwhile(keys: &Arc<ApiKeys>) -> thread::JoinHandle<()> {
    let keys = Arc::clone(keys);
    thread::spawn(move || drop(verify(&keys)))
}

#[test]
fn a_cached_key_that_is_revoked() {
    check(4, || {
        let (world, id) = World::with_key();
        let (keys, elsewhere) = (world.engine(), world.engine());
        assert!(verify(&keys).is_ok());
        loom::explore();
        let other = meanwhile(&keys);
        wait(elsewhere.revoke(id)).expect("the key");
        assert!(is_revoked(&keys));
        other.join().expect("no panic");
        assert!(is_revoked(&keys));
    });
}

#[test]
fn a_cached_key_that_is_revoked_while_the_log_is_read() {
    check(4, || {
        let (world, id) = World::with_key();
        let (keys, elsewhere) = (world.engine(), world.engine());
        assert!(verify(&keys).is_ok());
        // The lease is over, so whoever verifies now reads the log first.
        wait(world.clock.sleep(world.store.lease()));
        loom::explore();
        let other = meanwhile(&keys);
        wait(elsewhere.revoke(id)).expect("the key");
        assert!(is_revoked(&keys));
        other.join().expect("no panic");
        assert!(is_revoked(&keys));
    });
}

fn looked_up(embedded: bool) {
    check(4, move || {
        let (world, id) = World::with_key_in(embedded);
        let (keys, elsewhere) = (world.engine(), world.engine());
        // The lease is fresh, and the key not cached.
        assert!(matches!(wait(keys.verify(b"another key")), Err(VerifyError::Unknown)));
        loom::explore();
        let other = meanwhile(&keys);
        wait(elsewhere.revoke(id)).expect("the key");
        assert!(is_revoked(&keys));
        other.join().expect("no panic");
        assert!(is_revoked(&keys));
    });
}

#[test]
fn a_key_that_is_revoked_while_it_is_looked_up() {
    looked_up(true);
}

#[test]
fn a_key_that_is_revoked_while_it_is_looked_up_far_away() {
    looked_up(false);
}

fn looked_up_by_two(embedded: bool) {
    check(2, move || {
        let (world, id) = World::with_key_in(embedded);
        let (keys, elsewhere) = (world.engine(), world.engine());
        loom::explore();
        let others = [meanwhile(&keys), meanwhile(&keys)];
        wait(elsewhere.revoke(id)).expect("the key");
        assert!(is_revoked(&keys));
        for other in others {
            other.join().expect("no panic");
        }
        assert!(is_revoked(&keys));
    });
}

#[test]
fn a_key_that_is_revoked_while_two_look_it_up() {
    looked_up_by_two(true);
}

#[test]
fn a_key_that_is_revoked_while_two_look_it_up_far_away() {
    looked_up_by_two(false);
}

#[test]
fn a_key_that_this_process_revokes() {
    check(4, || {
        let (world, id) = World::with_key();
        let keys = world.engine();
        assert!(verify(&keys).is_ok());
        loom::explore();
        let other = meanwhile(&keys);
        wait(keys.revoke(id)).expect("the key");
        assert!(is_revoked(&keys));
        other.join().expect("no panic");
        assert!(is_revoked(&keys));
    });
}

#[test]
fn a_revoked_key_that_is_renewed() {
    check(4, || {
        let (world, id) = World::with_key();
        let (keys, elsewhere) = (world.engine(), world.engine());
        wait(elsewhere.revoke(id)).expect("the key");
        assert!(is_revoked(&keys));
        loom::explore();
        let other = meanwhile(&keys);
        wait(elsewhere.renew(id, Renewal::DefaultLifetime)).expect("the key");
        assert!(verify(&keys).is_ok());
        other.join().expect("no panic");
        assert!(verify(&keys).is_ok());
    });
}

#[test]
fn a_cached_key_that_is_deleted() {
    check(4, || {
        let (world, id) = World::with_key();
        let (keys, elsewhere) = (world.engine(), world.engine());
        assert!(verify(&keys).is_ok());
        loom::explore();
        let other = meanwhile(&keys);
        wait(elsewhere.delete(id)).expect("the key");
        assert!(matches!(verify(&keys), Err(VerifyError::Unknown)));
        other.join().expect("no panic");
        assert!(matches!(verify(&keys), Err(VerifyError::Unknown)));
    });
}

#[test]
fn an_unknown_key_that_is_issued() {
    check(4, || {
        let world = World::empty();
        let (keys, elsewhere) = (world.engine(), world.engine());
        assert!(matches!(verify(&keys), Err(VerifyError::Unknown)));
        loom::explore();
        let other = meanwhile(&keys);
        wait(elsewhere.issue(NewKey::default())).expect("a new key");
        assert!(verify(&keys).is_ok());
        other.join().expect("no panic");
        assert!(verify(&keys).is_ok());
    });
}

/// The log of the backup lacks the row that was read last, so nothing that is cached may stay.
fn restored(is_cached: bool) {
    check(4, move || {
        let (world, _) = World::with_key();
        let keys = world.engine();
        assert!(wait(keys.verify(b"another key")).is_err());
        if is_cached {
            assert!(verify(&keys).is_ok());
        }
        loom::explore();
        let other = meanwhile(&keys);
        world.store.restore();
        wait(world.clock.sleep(world.store.lease()));
        assert!(is_revoked(&keys));
        other.join().expect("no panic");
        assert!(is_revoked(&keys));
    });
}

#[test]
fn a_cached_key_that_is_revoked_in_a_store_that_is_restored() {
    restored(true);
}

#[test]
fn a_key_that_is_looked_up_while_the_store_is_restored() {
    restored(false);
}
