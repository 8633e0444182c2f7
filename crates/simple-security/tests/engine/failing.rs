//! A store that is down: doubt is a refusal, and says nothing about the key.

use std::sync::atomic::Ordering;

use simple_security::testing::Place;
use simple_security::{KeyEdit, KeyError, Malformed, NewKey, PageRequest, Renewal, VerifyError};
use test_support::FaultyStore;

use super::{LEASE, engine, fake_clock, issue, on_every_store, wait};

on_every_store!(
    within_the_lease_cached_answers_hold_and_after_it_none,
    what_is_not_cached_is_unavailable_at_once,
    changes_fail_and_work_again,
    a_failure_is_not_remembered,
);

fn within_the_lease_cached_answers_hold_and_after_it_none(place: &dyn Place) {
    let (clock, store) = (fake_clock(), FaultyStore::new(place.open()));
    let keys = engine(store.clone(), &clock);
    let (good, revoked) = (issue(&keys), issue(&keys));
    let (good, revoked_id) = (good.key.expose().as_bytes(), revoked.record.id);
    let revoked = revoked.key.expose().as_bytes();
    wait(keys.revoke(revoked_id)).expect("revoked");
    let unknown = b"no key of ours";
    let ask_all = || [good, revoked, unknown].map(|key| wait(keys.verify(key)));
    assert!(matches!(ask_all(), [Ok(_), Err(VerifyError::Revoked(_)), Err(VerifyError::Unknown)]));
    store.down.store(true, Ordering::SeqCst);
    clock.advance(LEASE / 2);
    assert!(matches!(ask_all(), [Ok(_), Err(VerifyError::Revoked(_)), Err(VerifyError::Unknown)]));
    clock.advance(LEASE / 2);
    for _ in 0..3 {
        for answer in ask_all() {
            assert!(matches!(answer, Err(VerifyError::Unavailable(_))), "{answer:?}");
        }
        assert!(keys.try_verify(good).is_none());
        clock.advance(LEASE * 100);
    }
    let malformed = wait(keys.verify(b"fss_"));
    assert!(matches!(malformed, Err(VerifyError::Malformed(Malformed::Shape))));
    store.down.store(false, Ordering::SeqCst);
    assert!(matches!(ask_all(), [Ok(_), Err(VerifyError::Revoked(_)), Err(VerifyError::Unknown)]));
    assert_eq!(wait(keys.list()).expect("a list")[0].1.total, 3);
}

fn what_is_not_cached_is_unavailable_at_once(place: &dyn Place) {
    let (clock, store) = (fake_clock(), FaultyStore::new(place.open()));
    let keys = engine(store.clone(), &clock);
    let (cached, other) = (issue(&keys), issue(&keys));
    wait(keys.verify(cached.key.expose().as_bytes())).expect("verified");
    store.down.store(true, Ordering::SeqCst);
    for key in [other.key.expose(), "no key of ours"] {
        let answer = wait(keys.verify(key.as_bytes()));
        assert!(matches!(answer, Err(VerifyError::Unavailable(_))), "{answer:?}");
        assert!(keys.try_verify(key.as_bytes()).is_none(), "a failure is no answer");
    }
    assert!(wait(keys.verify(cached.key.expose().as_bytes())).is_ok());
}

fn changes_fail_and_work_again(place: &dyn Place) {
    let (clock, store) = (fake_clock(), FaultyStore::new(place.open()));
    let keys = engine(store.clone(), &clock);
    let issued = issue(&keys);
    let id = issued.record.id;
    store.down.store(true, Ordering::SeqCst);
    assert!(matches!(wait(keys.issue(NewKey::default())), Err(KeyError::Store(_))));
    assert!(matches!(wait(keys.revoke(id)), Err(KeyError::Store(_))));
    assert!(matches!(wait(keys.renew(id, Renewal::DefaultLifetime)), Err(KeyError::Store(_))));
    let import = keys.import("an-imported-key-of-32-characters", NewKey::default());
    assert!(matches!(wait(import), Err(KeyError::Store(_))));
    assert!(matches!(wait(keys.edit(id, KeyEdit::default())), Err(KeyError::Store(_))));
    assert!(matches!(wait(keys.delete(id)), Err(KeyError::Store(_))));
    assert!(matches!(wait(keys.find(id)), Err(KeyError::Store(_))));
    assert!(matches!(wait(keys.page(PageRequest::default())), Err(KeyError::Store(_))));
    assert!(matches!(wait(keys.list()), Err(KeyError::Store(_))));
    assert!(matches!(wait(keys.usage(id)), Err(KeyError::Store(_))));
    assert!(matches!(wait(keys.identify(id.as_str())), Err(KeyError::Store(_))));
    store.down.store(false, Ordering::SeqCst);
    assert_eq!(wait(keys.list()).expect("a list").len(), 1, "nothing was made");
    wait(keys.revoke(id)).expect("revoked");
    let answer = wait(keys.verify(issued.key.expose().as_bytes()));
    assert!(matches!(answer, Err(VerifyError::Revoked(_))));
}

fn a_failure_is_not_remembered(place: &dyn Place) {
    let (clock, store) = (fake_clock(), FaultyStore::new(place.open()));
    let keys = engine(store.clone(), &clock);
    let issued = issue(&keys);
    for _ in 0..5 {
        store.down.store(true, Ordering::SeqCst);
        let answer = wait(keys.verify(issued.key.expose().as_bytes()));
        assert!(matches!(answer, Err(VerifyError::Unavailable(_))), "{answer:?}");
        store.down.store(false, Ordering::SeqCst);
        wait(keys.verify(issued.key.expose().as_bytes())).expect("at once, in the same instant");
        clock.advance(LEASE);
    }
}
