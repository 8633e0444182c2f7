//! Revoked means revoked, and a change is seen by all when the call that made it has returned.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use simple_security::clock::SystemClock;
use simple_security::testing::Place;
use simple_security::{ApiKeys, KeyChange, Renewal, VerifyError};
use test_support::{FaultyStore, commits, rounds};

use super::{LEASE, START, at, engine, fake_clock, issue, on_every_store, until, wait};

on_every_store!(
    a_cached_answer_is_used_within_the_lease_and_not_after,
    a_change_in_the_store_is_seen_when_the_lease_is_over,
    all_engines_refuse_a_key_once_revoke_has_returned,
    all_engines_accept_a_key_once_issue_has_returned,
    all_engines_accept_a_key_once_renew_has_returned,
    an_unknown_key_is_asked_for_again_once_it_was_added,
    a_store_that_was_restored_is_read_anew,
    no_request_that_begins_after_revoke_has_returned_is_accepted,
);

fn a_cached_answer_is_used_within_the_lease_and_not_after(place: &dyn Place) {
    let (clock, store) = (fake_clock(), FaultyStore::new(place.open()));
    let keys = engine(store.clone(), &clock);
    let (key, unknown) = (issue(&keys).key, issue(&engine(place.another().open(), &clock)).key);
    let (key, unknown) = (key.expose().as_bytes(), unknown.expose().as_bytes());
    assert!(keys.try_verify(key).is_none(), "nothing was read yet");
    assert_eq!(store.asked(), (0, 0));

    assert!(wait(keys.verify(key)).is_ok());
    assert!(matches!(wait(keys.verify(unknown)), Err(VerifyError::Unknown)));
    assert_eq!(store.asked(), (2, 1));

    clock.advance(LEASE - Duration::from_nanos(1));
    assert!(matches!(keys.try_verify(key), Some(Ok(_))));
    assert!(matches!(keys.try_verify(unknown), Some(Err(VerifyError::Unknown))));
    assert!(wait(keys.verify(key)).is_ok());
    assert_eq!(store.asked(), (2, 1), "nothing was asked");

    clock.advance(Duration::from_nanos(1));
    assert!(keys.try_verify(key).is_none());
    assert!(keys.try_verify(unknown).is_none());
    assert!(wait(keys.verify(key)).is_ok());
    assert!(matches!(keys.try_verify(unknown), Some(Err(VerifyError::Unknown))));
    assert_eq!(store.asked(), (2, 2), "one reading renews the lease of all that is cached");
}

fn a_change_in_the_store_is_seen_when_the_lease_is_over(place: &dyn Place) {
    let clock = fake_clock();
    let keys = engine(place.open(), &clock);
    let issued = issue(&keys);
    let key = issued.key.expose().as_bytes();
    assert!(wait(keys.verify(key)).is_ok());
    let by_hand = place.open();
    commits::change(&*by_hand, issued.record.id, KeyChange::revoke(at(START))).expect("a change");
    assert!(wait(keys.verify(key)).is_ok(), "the cached answer is used: this is not a test else");
    clock.advance(LEASE);
    assert!(
        matches!(wait(keys.verify(key)), Err(VerifyError::Revoked(id)) if id == issued.record.id)
    );
    assert!(matches!(keys.try_verify(key), Some(Err(VerifyError::Revoked(_)))));
}

fn all_engines_refuse_a_key_once_revoke_has_returned(place: &dyn Place) {
    let clock = fake_clock();
    let engines = [engine(place.open(), &clock), engine(place.open(), &clock)];
    for (revoking, turn) in engines.iter().cycle().zip(0..6) {
        let issued = issue(&engines[turn / 3]);
        let key = issued.key.expose().as_bytes();
        for keys in &engines {
            assert!(wait(keys.verify(key)).is_ok());
            assert!(matches!(keys.try_verify(key), Some(Ok(_))));
        }
        let revoked = wait(revoking.revoke(issued.record.id)).expect("revoked");
        assert!(revoked.revoked_at.is_some());
        for keys in &engines {
            assert!(!matches!(keys.try_verify(key), Some(Ok(_))));
            assert!(matches!(wait(keys.verify(key)), Err(VerifyError::Revoked(_))));
            assert!(matches!(keys.try_verify(key), Some(Err(VerifyError::Revoked(_)))));
        }
        let again = wait(revoking.revoke(issued.record.id)).expect("revoked");
        assert_eq!(again, revoked, "a second time changes nothing");
    }
}

fn all_engines_accept_a_key_once_issue_has_returned(place: &dyn Place) {
    let clock = fake_clock();
    let engines = [engine(place.open(), &clock), engine(place.open(), &clock)];
    for (issuing, _) in engines.iter().cycle().zip(0..4) {
        let issued = issue(issuing);
        for keys in &engines {
            let verified = wait(keys.verify(issued.key.expose().as_bytes())).expect("verified");
            assert_eq!((verified.id(), verified.record()), (issued.record.id, &issued.record));
        }
    }
}

fn all_engines_accept_a_key_once_renew_has_returned(place: &dyn Place) {
    let clock = fake_clock();
    let engines = [engine(place.open(), &clock), engine(place.open(), &clock)];
    let issued = issue(&engines[0]);
    let key = issued.key.expose().as_bytes();
    for (renewing, turn) in engines.iter().cycle().zip(1..5) {
        wait(engines[0].revoke(issued.record.id)).expect("revoked");
        for keys in &engines {
            assert!(matches!(wait(keys.verify(key)), Err(VerifyError::Revoked(_))));
        }
        let date = at(START + 100 * turn);
        let renewed = wait(renewing.renew(issued.record.id, Renewal::Date(date))).expect("renewed");
        assert!(renewed.was_revoked);
        for keys in &engines {
            let verified = wait(keys.verify(key)).expect("verified");
            assert_eq!(verified.record().expires_at, date);
        }
        let renewed = wait(renewing.renew(issued.record.id, Renewal::Date(date))).expect("renewed");
        assert!(!renewed.was_revoked);
    }
}

fn an_unknown_key_is_asked_for_again_once_it_was_added(place: &dyn Place) {
    let clock = fake_clock();
    let keys = engine(place.open(), &clock);
    let text = b"c7f8e1f2-0d7e-4d3f-8a51-5a1b7f0e3c99";
    assert!(matches!(wait(keys.verify(text)), Err(VerifyError::Unknown)));
    assert!(matches!(keys.try_verify(text), Some(Err(VerifyError::Unknown))));
    let record = issue(&engine(place.another().open(), &clock)).record;
    clock.advance(LEASE);
    assert!(matches!(wait(keys.verify(text)), Err(VerifyError::Unknown)));
    commits::insert(&*place.open(), simple_security::KeyDigest::of(text), &record).expect("added");
    clock.advance(LEASE);
    assert_eq!(wait(keys.verify(text)).expect("verified").id(), record.id);
}

fn a_store_that_was_restored_is_read_anew(place: &dyn Place) {
    let (clock, backup) = (fake_clock(), place.another());
    let store = FaultyStore::new(place.open());
    let keys = engine(store.clone(), &clock);
    let backup_keys = engine(backup.open(), &clock);
    let (issued, from_backup) = (issue(&keys), issue(&backup_keys).key);
    let key = issued.key.expose().as_bytes();
    assert!(wait(keys.verify(key)).is_ok());
    assert!(matches!(
        wait(keys.verify(from_backup.expose().as_bytes())),
        Err(VerifyError::Unknown)
    ));
    store.become_another(backup.open());
    clock.advance(LEASE);
    assert!(matches!(wait(keys.verify(key)), Err(VerifyError::Unknown)));
    assert!(wait(keys.verify(from_backup.expose().as_bytes())).is_ok());
}

fn no_request_that_begins_after_revoke_has_returned_is_accepted(place: &dyn Place) {
    const THREADS: usize = 8;
    let open = || engine(place.open(), &Arc::new(SystemClock));
    let engines: [ApiKeys; 2] = [open(), open()];
    for round in 0..rounds(100) as usize {
        let issued = issue(&engines[round % 2]);
        let key = issued.key.expose().as_bytes();
        let (returned, accepted) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for keys in engines.iter().cycle().take(THREADS) {
                let (returned, accepted) = (&returned, &accepted);
                scope.spawn(move || {
                    let mut first = true;
                    loop {
                        let after = returned.load(Ordering::SeqCst);
                        match wait(keys.verify(key)) {
                            Ok(_) => assert!(!after, "accepted in round {round}"),
                            Err(VerifyError::Revoked(_)) if after => break,
                            Err(VerifyError::Revoked(_)) => {}
                            Err(denied) => panic!("{denied}"),
                        }
                        if std::mem::take(&mut first) {
                            accepted.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                });
            }
            until("all threads use the key", || accepted.load(Ordering::SeqCst) == THREADS);
            wait(engines[round / 2 % 2].revoke(issued.record.id)).expect("revoked");
            returned.store(true, Ordering::SeqCst);
        });
    }
}
