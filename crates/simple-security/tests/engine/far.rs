//! A store on the network: changes are known everywhere later, it is asked no more than it bears, and
//! while it is down nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use simple_security::clock::{Clock, FakeClock};
use simple_security::store::{KeyStore, MemoryStore, PollOutcome};
use simple_security::{
    ApiKeys, IssuedKey, KeyEdit, KeyError, NewKey, PageRequest, Renewal, VerifyError,
};
use test_support::{Fault, FaultyStore};

use super::{engine, engine_builder, fake_clock, issue, wait};

const LEASE: Duration = Duration::from_secs(2);
/// Of the lease and a thousandth, and a millisecond.
const BOUND: Duration = Duration::from_millis(2_003);
/// More is waited, so that a moment in whole milliseconds has passed.
const ROUNDED: Duration = Duration::from_millis(2);

/// Two processes, of which the other has a cached key.
struct Far {
    clock: Arc<FakeClock>,
    store: Arc<FaultyStore>,
    /// What is in the store.
    inner: Arc<dyn KeyStore>,
    keys: ApiKeys,
    issued: IssuedKey,
}

impl Far {
    fn new(stale: Duration) -> Self {
        let inner: Arc<dyn KeyStore> = Arc::new(MemoryStore::new().expect("random bytes"));
        let (clock, store) = (fake_clock(), FaultyStore::far(LEASE, stale, Arc::clone(&inner)));
        let keys = engine(store.clone(), &clock);
        let issued = issue(&engine(Arc::clone(&inner), &clock));
        Self { clock, store, inner, keys, issued }
    }

    fn verify(&self) -> Result<simple_security::VerifiedKey, VerifyError> {
        wait(self.keys.verify(self.issued.key.expose().as_bytes()))
    }

    fn is_unavailable(&self) -> bool {
        matches!(self.verify(), Err(VerifyError::Unavailable(error)) if error.is_outage())
    }

    fn set_down(&self, down: bool) {
        self.store.down.store(down, Ordering::SeqCst);
    }

    /// What the store does when something has changed.
    fn refresh(&self) -> PollOutcome {
        let refresh = self.store.refresh.lock().expect("the callback");
        wait(refresh.as_ref().expect("one was given")())
    }

    /// How much time passes while something is done.
    fn time<T>(&self, work: impl FnOnce() -> T) -> (T, Duration) {
        let began = self.clock.uptime().nanoseconds();
        let done = work();
        (done, Duration::from_nanos(self.clock.uptime().nanoseconds() - began))
    }
}

#[test]
fn a_change_that_does_not_wait_says_when_all_know() {
    let far = Far::new(Duration::ZERO);
    assert!(far.verify().is_ok());
    let other = engine(far.store.clone(), &far.clock);
    let now = far.clock.moment();
    let id = far.issued.record.id;
    let (committed, took) = far.time(|| wait(other.revoke(id).committed()).expect("revoked"));
    assert_eq!((took, committed.effective_by), (Duration::ZERO, now.plus(BOUND)));
    assert!(far.verify().is_ok(), "within the bound");
    far.clock.advance(LEASE / 2);
    let left = committed.remaining();
    assert_eq!(left, BOUND + ROUNDED - LEASE / 2);
    let (revoked, took) = far.time(|| wait(committed.map(|it| it.revoked_at).effective()));
    assert!(revoked.is_some());
    assert_eq!(took, left);
    assert!(matches!(far.verify(), Err(VerifyError::Revoked(_))));
}

#[test]
fn every_verb_waits_for_the_whole_bound() {
    let far = Far::new(Duration::from_secs(10));
    let id = far.issued.record.id;
    let bound = Duration::from_millis(12_013) + ROUNDED;
    let waits = |what, work: &dyn Fn()| assert_eq!(far.time(work).1, bound, "{what}");
    waits("issue", &|| drop(wait(far.keys.issue(NewKey::default())).expect("issued")));
    waits("import", &|| {
        drop(wait(far.keys.import(&"x".repeat(40), NewKey::default())).expect("imported"))
    });
    waits("revoke", &|| drop(wait(far.keys.revoke(id)).expect("revoked")));
    waits("renew", &|| drop(wait(far.keys.renew(id, Renewal::DefaultLifetime)).expect("renewed")));
    waits("edit", &|| drop(wait(far.keys.edit(id, KeyEdit::default())).expect("edited")));
    waits("delete", &|| wait(far.keys.delete(id)).expect("deleted"));
}

#[test]
fn a_hint_of_the_store_makes_a_change_known_at_once() {
    let far = Far::new(Duration::ZERO);
    assert!(far.verify().is_ok());
    wait(engine(Arc::clone(&far.inner), &far.clock).revoke(far.issued.record.id)).expect("revoked");
    assert!(far.verify().is_ok(), "nobody has told");
    assert_eq!(far.refresh(), PollOutcome::Fresh);
    assert!(matches!(far.verify(), Err(VerifyError::Revoked(_))));
}

#[test]
fn a_hint_is_not_content_with_a_reading_that_began_before() {
    let far = Far::new(Duration::ZERO);
    far.store.hold_readings.store(true, Ordering::SeqCst);
    let mut before = Box::pin(far.keys.verify(far.issued.key.expose().as_bytes()));
    assert!(super::poll(&mut before).is_pending());
    far.store.hold_readings.store(false, Ordering::SeqCst);
    assert_eq!(far.refresh(), PollOutcome::Fresh);
    assert_eq!(far.store.asked().1, 2);
    far.store.release();
    assert!(super::ready(&mut before).is_ok());
}

#[test]
fn an_engine_that_is_gone_needs_no_readings() {
    let Far { store, keys, .. } = Far::new(Duration::ZERO);
    drop(keys);
    let refresh = store.refresh.lock().expect("the callback").take().expect("one was given");
    assert_eq!(wait(refresh()), PollOutcome::Gone);
}

#[test]
fn while_the_store_is_down_nobody_waits_for_it() {
    let far = Far::new(Duration::ZERO);
    assert!(far.verify().is_ok());
    far.set_down(true);
    assert!(far.verify().is_ok(), "within the lease");
    far.clock.advance(LEASE);
    assert!(far.is_unavailable());
    let asked = far.store.asked();
    for _ in 0..100 {
        assert!(far.is_unavailable());
        let key = far.issued.key.expose().as_bytes();
        assert!(matches!(far.keys.try_verify(key), Some(Err(VerifyError::Unavailable(_)))));
    }
    assert_eq!(far.store.asked(), asked, "the first has found out for all");
    assert_eq!(far.refresh(), PollOutcome::Failed, "the store tries again by itself");
    far.set_down(false);
    assert!(far.is_unavailable(), "nobody knows yet");
    assert_eq!(far.refresh(), PollOutcome::Fresh);
    assert!(far.verify().is_ok());
    far.clock.advance(LEASE);
    assert!(far.verify().is_ok(), "it is asked again as before");
}

#[test]
fn a_store_that_takes_no_counts_for_being_down_is_asked_nothing_more() {
    let far = Far::new(Duration::ZERO);
    assert!(far.verify().is_ok());
    *far.store.faults.lock().expect("the faults") = vec![Some(Fault::Outage)];
    let shown = wait(far.keys.page(PageRequest::default()));
    assert!(matches!(shown, Err(KeyError::Store(error)) if error.is_outage()));
    let shown = wait(far.keys.page(PageRequest::default())).expect("a page").keys;
    assert_eq!(shown[0].usage.total, 1, "nothing is lost");
}

#[test]
fn a_store_that_never_calls_is_tried_again_all_the_same() {
    let far = Far::new(Duration::ZERO);
    far.set_down(true);
    assert!(far.is_unavailable());
    far.set_down(false);
    far.clock.advance(Duration::from_secs(3));
    assert!(far.verify().is_ok());
}

#[test]
fn what_is_cached_counts_for_as_long_as_the_store_tolerates() {
    let stale = Duration::from_secs(10);
    let far = Far::new(stale);
    let unknown = || wait(far.keys.verify(b"no key of ours, but of a possible shape"));
    assert!(far.verify().is_ok());
    assert!(matches!(unknown(), Err(VerifyError::Unknown)));
    far.set_down(true);
    far.clock.advance(LEASE + stale - Duration::from_nanos(1));
    assert!(far.verify().is_ok());
    assert!(matches!(unknown(), Err(VerifyError::Unknown)));
    let key = far.issued.key.expose().as_bytes();
    assert!(matches!(far.keys.try_verify(key), Some(Ok(_))));
    let never_seen = wait(far.keys.verify(b"never seen before, of a possible shape"));
    assert!(matches!(never_seen, Err(VerifyError::Unavailable(_))), "{never_seen:?}");
    far.clock.advance(Duration::from_nanos(1));
    assert!(far.is_unavailable());
    assert!(matches!(unknown(), Err(VerifyError::Unavailable(_))));
}

#[test]
fn what_is_cached_does_not_count_while_the_store_answers() {
    let far = Far::new(Duration::from_secs(10));
    assert!(far.verify().is_ok());
    wait(engine(Arc::clone(&far.inner), &far.clock).revoke(far.issued.record.id)).expect("revoked");
    far.clock.advance(LEASE);
    assert!(matches!(far.verify(), Err(VerifyError::Revoked(_))));
}

#[test]
fn more_look_ups_than_the_store_bears_are_refused_without_a_word_about_the_key() {
    let far = Far::new(Duration::ZERO);
    let few = engine_builder(far.store.clone(), &far.clock).lookups_per_second(10);
    let keys = few.build().expect("an engine");
    let good = far.issued.key.expose().as_bytes();
    assert!(wait(keys.verify(good)).is_ok());
    let flood = |from: u32| {
        let verify =
            |number| wait(keys.verify(format!("invented key of number {number:020}").as_bytes()));
        let refused = (from..from + 100).map(verify);
        refused.filter(|answer| matches!(answer, Err(VerifyError::Unknown))).count()
    };
    assert_eq!(flood(0), 9, "with the good one, those of one second");
    let last = wait(keys.verify(b"one more invented key of this shape"));
    assert!(matches!(last, Err(VerifyError::Overloaded { per_second: 10 })), "{last:?}");
    assert!(matches!(
        keys.try_verify(b"one more invented key of this shape"),
        Some(Err(VerifyError::Overloaded { per_second: 10 }))
    ));
    assert!(wait(keys.verify(good)).is_ok(), "what is cached is served");
    far.clock.advance(Duration::from_secs(1));
    assert_eq!(flood(100), 10);
    assert_eq!(far.store.asked().0, 20);
}

#[test]
fn an_embedded_store_has_no_such_limits() {
    let (clock, store) =
        (fake_clock(), FaultyStore::new(Arc::new(MemoryStore::new().expect("random bytes"))));
    let few = engine_builder(store, &clock).lookups_per_second(1);
    let keys = few.build().expect("an engine");
    for number in 0..100 {
        let invented = format!("invented key of number {number:020}");
        assert!(keys.try_verify(invented.as_bytes()).is_none());
        assert!(matches!(wait(keys.verify(invented.as_bytes())), Err(VerifyError::Unknown)));
    }
    let (now, bound) = (clock.moment(), super::LEASE.as_millis() as i64 + 2);
    let committed = wait(keys.issue(NewKey::default()).committed()).expect("issued");
    assert!(
        clock.moment() >= now
            && committed.effective_by.milliseconds() - now.milliseconds() <= bound
    );
    assert!(committed.remaining().is_zero(), "some milliseconds are waited for in any case");
}

#[test]
fn the_process_that_changes_a_key_forgets_it_at_the_commit() {
    type Change = fn(&ApiKeys, &IssuedKey);
    let changes: [Change; 4] = [
        |keys, key| drop(wait(keys.revoke(key.record.id).committed()).expect("revoked")),
        |keys, key| drop(wait(keys.edit(key.record.id, KeyEdit::default()).committed())),
        |keys, key| drop(wait(keys.renew(key.record.id, Renewal::DefaultLifetime).committed())),
        |keys, key| drop(wait(keys.delete(key.record.id).committed()).expect("deleted")),
    ];
    for change in changes {
        let far = Far::new(Duration::ZERO);
        far.verify().expect("it is cached");
        let key = far.issued.key.expose().as_bytes();
        assert!(matches!(far.keys.try_verify(key), Some(Ok(_))));
        change(&far.keys, &far.issued);
        assert!(far.keys.try_verify(key).is_none(), "the store must be asked");
    }
}

#[test]
fn a_lookup_that_began_before_an_own_change_does_not_enter_the_cache() {
    let far = Far::new(Duration::ZERO);
    let key = far.issued.key.expose().as_bytes();
    far.store.hold_finds.store(true, Ordering::SeqCst);
    let mut verifying = Box::pin(far.keys.verify(key));
    assert!(super::poll(&mut verifying).is_pending(), "it has read the record from before");
    drop(wait(far.keys.revoke(far.issued.record.id).committed()).expect("revoked"));
    far.store.hold_finds.store(false, Ordering::SeqCst);
    far.store.release();
    wait(verifying).expect("it began before");
    assert!(matches!(far.verify(), Err(VerifyError::Revoked(_))));
}
