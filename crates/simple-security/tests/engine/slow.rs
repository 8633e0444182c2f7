//! Answers that are long under way: a revocation may happen while one waits.
//!
//! The store is far away, and holds calls back once they have their answer. No thread is needed for any order.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use simple_security::clock::FakeClock;
use simple_security::store::{KeyStore, MemoryStore};
use simple_security::{ApiKeys, IssuedKey, KeyChange, Renewal, VerifiedKey, VerifyError};
use test_support::{FaultyStore, commits};

use super::{LEASE, START, at, engine, fake_clock, issue, poll, ready, wait};

type Verifying<'a> = Pin<Box<dyn Future<Output = Result<VerifiedKey, VerifyError>> + Send + 'a>>;

/// An engine on a store that can wait, and another on the same store that does not.
struct Slow {
    clock: Arc<FakeClock>,
    store: Arc<FaultyStore>,
    keys: ApiKeys,
    quick: ApiKeys,
    issued: IssuedKey,
}

impl Slow {
    fn new() -> Self {
        let inner: Arc<dyn KeyStore> = Arc::new(MemoryStore::new().expect("random bytes"));
        let store = FaultyStore::far(inner.lease(), Duration::ZERO, Arc::clone(&inner));
        let clock = fake_clock();
        let (keys, quick) = (engine(store.clone(), &clock), engine(inner, &clock));
        let issued = issue(&quick);
        Self { clock, store, keys, quick, issued }
    }

    fn key(&self) -> &[u8] {
        self.issued.key.expose().as_bytes()
    }

    fn verifying(&self) -> Verifying<'_> {
        Box::pin(self.keys.verify(self.key()))
    }

    /// Revokes without waiting for anybody.
    fn revoke_by_hand(&self) {
        let revoke = KeyChange::revoke(at(START));
        let store = Arc::clone(&self.store);
        commits::change(&*store, self.issued.record.id, revoke).expect("revoked").expect("the key");
    }
}

#[test]
fn calls_at_the_same_time_ask_once() {
    let slow = Slow::new();
    slow.store.hold_finds.store(true, Ordering::SeqCst);
    let mut calls: Vec<_> = (0..10).map(|_| slow.verifying()).collect();
    assert!(calls.iter_mut().all(|call| poll(call).is_pending()));
    assert_eq!(slow.store.asked(), (1, 1));
    slow.store.release();
    for call in &mut calls {
        assert!(ready(call).is_ok());
    }
    assert_eq!(slow.store.asked(), (1, 1));
    assert_eq!(wait(slow.keys.usage(slow.issued.record.id)).expect("usage").total, 10);
}

#[test]
fn calls_at_the_same_time_read_the_log_once() {
    let slow = Slow::new();
    slow.store.hold_readings.store(true, Ordering::SeqCst);
    let mut calls: Vec<_> = (0..10).map(|_| slow.verifying()).collect();
    assert!(calls.iter_mut().all(|call| poll(call).is_pending()));
    assert_eq!(slow.store.asked(), (0, 1));
    slow.store.release();
    for call in &mut calls {
        assert!(ready(call).is_ok());
    }
    assert_eq!(slow.store.asked(), (1, 1));
}

#[test]
fn a_call_does_not_join_a_look_up_that_is_a_lease_old() {
    let slow = Slow::new();
    slow.store.hold_finds.store(true, Ordering::SeqCst);
    let mut before = slow.verifying();
    assert!(poll(&mut before).is_pending(), "it has read that the key is good, and waits");
    wait(slow.quick.revoke(slow.issued.record.id)).expect("revoked");
    let mut after = slow.verifying();
    assert!(poll(&mut after).is_pending());
    assert_eq!(slow.store.asked().0, 2, "it asks for itself");
    slow.store.release();
    assert!(ready(&mut before).is_ok(), "it began before the revocation");
    assert!(matches!(ready(&mut after), Err(VerifyError::Revoked(_))));
    assert!(matches!(slow.keys.try_verify(slow.key()), Some(Err(VerifyError::Revoked(_)))));
}

#[test]
fn the_older_of_two_look_ups_does_not_replace_what_the_newer_has_found() {
    let slow = Slow::new();
    slow.store.hold_finds.store(true, Ordering::SeqCst);
    let mut before = slow.verifying();
    assert!(poll(&mut before).is_pending());
    wait(slow.quick.revoke(slow.issued.record.id)).expect("revoked");
    let mut after = slow.verifying();
    assert!(poll(&mut after).is_pending());
    slow.store.hold_finds.store(false, Ordering::SeqCst);
    slow.store.release_newest();
    assert!(matches!(ready(&mut after), Err(VerifyError::Revoked(_))));
    slow.store.release();
    assert!(ready(&mut before).is_ok());
    assert!(matches!(slow.keys.try_verify(slow.key()), Some(Err(VerifyError::Revoked(_)))));
}

#[test]
fn an_answer_from_before_a_change_is_not_kept() {
    let slow = Slow::new();
    slow.store.hold_finds.store(true, Ordering::SeqCst);
    let mut before = slow.verifying();
    assert!(poll(&mut before).is_pending());
    slow.revoke_by_hand();
    slow.clock.advance(LEASE);
    let mut another = Box::pin(slow.keys.verify(b"another key of another person"));
    assert!(poll(&mut another).is_pending(), "it has read the log, and so applied the change");
    slow.store.release();
    assert!(ready(&mut before).is_ok());
    assert!(matches!(ready(&mut another), Err(VerifyError::Unknown)));
    assert!(slow.keys.try_verify(slow.key()).is_none(), "the old answer was kept");
    slow.store.hold_finds.store(false, Ordering::SeqCst);
    assert!(matches!(ready(&mut slow.verifying()), Err(VerifyError::Revoked(_))));
}

#[test]
fn a_reading_is_as_old_as_its_beginning() {
    let slow = Slow::new();
    assert!(wait(slow.keys.verify(slow.key())).is_ok());
    slow.clock.advance(LEASE);
    slow.store.hold_readings.store(true, Ordering::SeqCst);
    let mut before = slow.verifying();
    assert!(poll(&mut before).is_pending(), "it has read that nothing changed, and waits");
    slow.revoke_by_hand();
    slow.clock.advance(LEASE);
    slow.store.hold_readings.store(false, Ordering::SeqCst);
    slow.store.release();
    assert!(ready(&mut before).is_ok(), "it began before the revocation");
    assert!(slow.keys.try_verify(slow.key()).is_none());
    assert!(matches!(ready(&mut slow.verifying()), Err(VerifyError::Revoked(_))));
}

#[test]
fn a_call_does_not_join_a_reading_that_is_a_lease_old() {
    let slow = Slow::new();
    assert!(wait(slow.keys.verify(slow.key())).is_ok());
    slow.clock.advance(LEASE);
    slow.store.hold_readings.store(true, Ordering::SeqCst);
    let mut before = slow.verifying();
    assert!(poll(&mut before).is_pending());
    wait(slow.quick.revoke(slow.issued.record.id)).expect("revoked");
    let mut after = slow.verifying();
    assert!(poll(&mut after).is_pending());
    assert_eq!(slow.store.asked(), (1, 3), "it reads for itself");
    slow.store.release();
    let _ = ready(&mut before);
    assert!(matches!(ready(&mut after), Err(VerifyError::Revoked(_))));
}

#[test]
fn the_slower_of_two_readings_does_not_lose_what_the_quicker_has_read() {
    let slow = Slow::new();
    assert!(wait(slow.keys.verify(slow.key())).is_ok());
    slow.clock.advance(LEASE);
    slow.store.hold_readings.store(true, Ordering::SeqCst);
    let mut before = slow.verifying();
    assert!(poll(&mut before).is_pending());
    wait(slow.quick.revoke(slow.issued.record.id)).expect("revoked");
    let mut after = slow.verifying();
    assert!(poll(&mut after).is_pending());
    slow.store.hold_readings.store(false, Ordering::SeqCst);
    slow.store.release_newest();
    assert!(matches!(ready(&mut after), Err(VerifyError::Revoked(_))));
    slow.store.release();
    let _ = ready(&mut before);
    for _ in 0..3 {
        assert!(matches!(ready(&mut slow.verifying()), Err(VerifyError::Revoked(_))));
        slow.clock.advance(LEASE);
    }
    wait(slow.quick.renew(slow.issued.record.id, Renewal::DefaultLifetime)).expect("renewed");
    assert!(ready(&mut slow.verifying()).is_ok());
}

#[test]
fn a_call_that_is_given_up_does_not_stop_the_next() {
    for (readings, finds) in [(true, false), (false, true)] {
        let slow = Slow::new();
        slow.store.hold_readings.store(readings, Ordering::SeqCst);
        slow.store.hold_finds.store(finds, Ordering::SeqCst);
        let mut given_up = slow.verifying();
        assert!(poll(&mut given_up).is_pending());
        drop(given_up);
        slow.store.hold_readings.store(false, Ordering::SeqCst);
        slow.store.hold_finds.store(false, Ordering::SeqCst);
        assert!(ready(&mut slow.verifying()).is_ok());
    }
}

#[test]
fn those_that_have_joined_go_on_when_the_first_gives_up() {
    let slow = Slow::new();
    slow.store.hold_finds.store(true, Ordering::SeqCst);
    let (mut first, mut second) = (slow.verifying(), slow.verifying());
    assert!(poll(&mut first).is_pending());
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(first);
    slow.store.release();
    assert!(woken.0.load(Ordering::SeqCst), "nobody would have polled it again");
    assert!(ready(&mut second).is_ok());
    assert_eq!(slow.store.asked().0, 1);
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}
