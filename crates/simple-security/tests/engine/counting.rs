//! Every accepted request is counted, once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use simple_security::clock::SystemClock;
use simple_security::store::KeyStore;
use simple_security::testing::Place;
use simple_security::{ApiKeys, ApiKeysBuilder, KeyId, Usage};
use test_support::{Fault, FaultyStore, rounds};

use super::hiding::logged;
use super::{
    START, at, engine, engine_builder, fake_clock, issue, on_every_store, poll, ready, until, wait,
};

on_every_store!(
    only_what_is_accepted_is_counted,
    a_failed_flush_is_shown_and_then_written_once,
    counts_that_wait_are_listed_in_their_order,
    no_fault_doubles_or_loses_a_count,
    closing_writes_all_that_was_counted,
    what_closing_could_not_write_is_said,
    dropping_writes_all_that_was_counted,
    what_is_counted_after_closing_is_written_too,
    flushes_at_once_write_each_count_once,
    nothing_is_written_when_nothing_was_counted,
    a_thread_writes_without_being_asked,
    totals_are_exact_under_threads,
);

fn total(store: &Arc<dyn KeyStore>, id: KeyId) -> u64 {
    wait(store.usage(id)).expect("usage").expect("the key").total
}

fn only_what_is_accepted_is_counted(place: &dyn Place) {
    let clock = fake_clock();
    let (keys, other) = (engine(place.open(), &clock), engine(place.open(), &clock));
    let issued = issue(&keys);
    let (key, id) = (issued.key.expose().as_bytes(), issued.record.id);
    assert_eq!(wait(keys.usage(id)).expect("usage"), Usage::default());
    for _ in 0..3 {
        wait(keys.verify(key)).expect("verified");
        keys.try_verify(key).expect("an answer").expect("verified");
    }
    clock.advance(Duration::from_secs(60));
    wait(other.verify(key)).expect("verified");
    let _ = wait(keys.verify(b"no key of ours"));
    wait(keys.revoke(id)).expect("revoked");
    let _ = wait(keys.verify(key));
    assert_eq!(wait(keys.usage(id)).expect("usage").total, 6, "the other has not yet written");
    wait(other.flush()).expect("written");
    let listed = wait(keys.list()).expect("a list");
    assert_eq!(listed[0].1, Usage::new(7, Some(at(START + 60))));
}

fn a_failed_flush_is_shown_and_then_written_once(place: &dyn Place) {
    let (store, behind) = (FaultyStore::new(place.open()), place.open());
    let keys = engine(store.clone(), &fake_clock());
    let issued = issue(&keys);
    let (key, id) = (issued.key.expose().as_bytes(), issued.record.id);
    let fail = |fault| *store.faults.lock().expect("the faults") = vec![Some(fault)];

    wait(keys.verify(key)).expect("verified");
    fail(Fault::Before);
    assert_eq!(wait(keys.list()).expect("a list")[0].1.total, 1, "shown though not written");
    assert_eq!(total(&behind, id), 0);
    wait(keys.verify(key)).expect("verified");
    fail(Fault::Before);
    assert_eq!(wait(keys.usage(id)).expect("usage").total, 2, "what came after is shown too");
    assert_eq!(total(&behind, id), 0);
    wait(keys.flush()).expect("written");
    assert_eq!(total(&behind, id), 2);

    wait(keys.verify(key)).expect("verified");
    fail(Fault::After);
    assert!(wait(keys.flush()).is_err());
    assert_eq!(total(&behind, id), 3, "written, though the answer was lost");
    wait(keys.verify(key)).expect("verified");
    assert_eq!(wait(keys.list()).expect("a list")[0].1.total, 4, "and not again");
    assert_eq!(total(&behind, id), 4);
}

fn counts_that_wait_are_listed_in_their_order(place: &dyn Place) {
    let (clock, store) = (fake_clock(), FaultyStore::new(place.open()));
    let keys = engine(store.clone(), &clock);
    let issued: Vec<_> = (0..3).map(|_| issue(&keys)).collect();
    let mut ids: Vec<_> = issued.iter().map(|issued| issued.record.id).collect();
    for issued in &issued {
        clock.advance(Duration::from_secs(1));
        wait(keys.verify(issued.key.expose().as_bytes())).expect("verified");
    }
    ids.reverse();
    *store.faults.lock().expect("the faults") = vec![Some(Fault::Before)];
    let waiting = wait(keys.list()).expect("a list");
    let written = wait(keys.list()).expect("a list");
    assert_eq!(waiting, written);
    assert_eq!(waiting.iter().map(|(record, _)| record.id).collect::<Vec<_>>(), ids);
}

fn no_fault_doubles_or_loses_a_count(place: &dyn Place) {
    let (store, behind) = (FaultyStore::new(place.open()), place.open());
    let keys = engine(store.clone(), &fake_clock());
    let (one, other) = (issue(&keys), issue(&keys));
    let faults = [None, Some(Fault::Before), Some(Fault::After)];
    let (mut expected, mut failed) = (0, 0);
    // Every three faults in a row, between one and three requests.
    for number in 0..27 {
        let fault = |place: u32| faults[number / 3_usize.pow(place) % 3];
        *store.faults.lock().expect("the faults") = vec![fault(0), fault(1), fault(2)];
        for step in 0..3 {
            for issued in [&one, &other].iter().take(1 + step % 2) {
                wait(keys.verify(issued.key.expose().as_bytes())).expect("verified");
                expected += 1;
            }
            failed += u32::from(wait(keys.flush()).is_err());
            let written = total(&behind, one.record.id) + total(&behind, other.record.id);
            assert!(written <= expected, "a count was doubled after {number}, {step}");
        }
    }
    assert!(failed > 20, "{failed} flushes failed");
    wait(keys.flush()).expect("written");
    assert_eq!(total(&behind, one.record.id) + total(&behind, other.record.id), expected);
    assert_eq!(total(&behind, other.record.id), 27);
}

fn closing_writes_all_that_was_counted(place: &dyn Place) {
    let (keys, behind) = (engine(place.open(), &fake_clock()), place.open());
    let issued = issue(&keys);
    for _ in 0..3 {
        wait(keys.verify(issued.key.expose().as_bytes())).expect("verified");
    }
    assert_eq!(total(&behind, issued.record.id), 0, "the flush interval is an hour");
    keys.close();
    assert_eq!(total(&behind, issued.record.id), 3);
    keys.close();
}

fn what_closing_could_not_write_is_said(place: &dyn Place) {
    let (store, behind) = (FaultyStore::new(place.open()), place.open());
    let keys = engine(store.clone(), &fake_clock());
    let issued = issue(&keys);
    let count = || drop(wait(keys.verify(issued.key.expose().as_bytes())).expect("verified"));
    let failing = |what: &dyn Fn()| {
        store.faults.lock().expect("the faults").push(Some(Fault::Outage));
        logged(what)
    };
    for _ in 0..3 {
        count();
    }
    let said = failing(&|| drop(wait(keys.flush()).expect_err("an outage")));
    assert!(!said.contains("ERROR"), "it is tried again: {said}");
    count();
    let said = failing(&|| keys.close());
    assert!(said.contains("ERROR") && said.contains("requests=4"), "{said}");
    let said = failing(&|| keys.close());
    assert!(said.contains("ERROR") && said.contains("requests=4"), "{said}");
    assert_eq!(total(&behind, issued.record.id), 0);
    let said = logged(|| keys.close());
    assert!(!said.contains("ERROR"), "{said}");
    assert_eq!(total(&behind, issued.record.id), 4);
}

fn dropping_writes_all_that_was_counted(place: &dyn Place) {
    let (keys, behind) = (engine(place.open(), &fake_clock()), place.open());
    let issued = issue(&keys);
    wait(keys.verify(issued.key.expose().as_bytes())).expect("verified");
    drop(keys);
    assert_eq!(total(&behind, issued.record.id), 1);
}

fn what_is_counted_after_closing_is_written_too(place: &dyn Place) {
    let (keys, behind) = (engine(place.open(), &fake_clock()), place.open());
    let issued = issue(&keys);
    keys.close();
    wait(keys.verify(issued.key.expose().as_bytes())).expect("verified");
    wait(keys.flush()).expect("written");
    assert_eq!(total(&behind, issued.record.id), 1);
    wait(keys.verify(issued.key.expose().as_bytes())).expect("verified");
    keys.close();
    assert_eq!(total(&behind, issued.record.id), 2);
    wait(keys.verify(issued.key.expose().as_bytes())).expect("verified");
    drop(keys);
    assert_eq!(total(&behind, issued.record.id), 3);
}

fn flushes_at_once_write_each_count_once(place: &dyn Place) {
    let (store, behind) = (FaultyStore::new(place.open()), place.open());
    let keys = engine(store.clone(), &fake_clock());
    let issued = issue(&keys);
    let (key, id) = (issued.key.expose().as_bytes(), issued.record.id);
    wait(keys.verify(key)).expect("verified");
    store.hold_batches.store(true, Ordering::SeqCst);
    let mut slow = Box::pin(keys.flush());
    assert!(poll(&mut slow).is_pending());
    wait(keys.verify(key)).expect("verified");
    let mut given_up = Box::pin(keys.flush());
    assert!(poll(&mut given_up).is_pending());
    drop(given_up);
    store.hold_batches.store(false, Ordering::SeqCst);
    wait(keys.flush()).expect("it does not wait for the slow one");
    assert_eq!(total(&behind, id), 2);
    wait(keys.verify(key)).expect("verified");
    store.release();
    ready(&mut slow).expect("written");
    wait(keys.flush()).expect("written");
    assert_eq!(total(&behind, id), 3);
}

fn nothing_is_written_when_nothing_was_counted(place: &dyn Place) {
    let store = FaultyStore::new(place.open());
    let keys = engine(store.clone(), &fake_clock());
    let issued = issue(&keys);
    wait(keys.flush()).expect("written");
    wait(keys.list()).expect("a list");
    assert_eq!(store.batches.load(Ordering::SeqCst), 0);
    wait(keys.verify(issued.key.expose().as_bytes())).expect("verified");
    for _ in 0..3 {
        wait(keys.flush()).expect("written");
    }
    keys.close();
    assert_eq!(store.batches.load(Ordering::SeqCst), 1);
}

fn often(store: Arc<dyn KeyStore>) -> ApiKeysBuilder<'static> {
    engine_builder(store, &Arc::new(SystemClock)).flush_interval(Duration::from_millis(1))
}

fn a_thread_writes_without_being_asked(place: &dyn Place) {
    let (store, behind) = (FaultyStore::new(place.open()), place.open());
    let keys = often(store.clone()).build().expect("an engine");
    let issued = issue(&keys);
    let faults = [Fault::After, Fault::Before].map(Some);
    for count in 1..=5 {
        // Also after a failure, without a further request that would wake it.
        *store.faults.lock().expect("the faults") = faults.to_vec();
        wait(keys.verify(issued.key.expose().as_bytes())).expect("verified");
        until("the count is written", || total(&behind, issued.record.id) == count);
        until("the answers came", || store.faults.lock().expect("the faults").is_empty());
    }
}

fn totals_are_exact_under_threads(place: &dyn Place) {
    const THREADS: usize = 8;
    let engines: Vec<ApiKeys> = (0..2)
        .map(|_| often(place.open()).cache_capacity(3, 3).build().expect("an engine"))
        .collect();
    let issued: Vec<_> = (0..8).map(|_| issue(&engines[0])).collect();
    let accepted: Vec<_> = issued.iter().map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (keys, issued, accepted) = (&engines[thread % 2], &issued, &accepted);
            scope.spawn(move || {
                for number in 0..rounds(1000) as usize {
                    // One key in half of the requests, so that it is mostly cached.
                    let key = if number % 2 == 0 { 0 } else { (number / 2 + thread) % 8 };
                    let presented = issued[key].key.expose().as_bytes();
                    let held = wait(keys.verify(presented)).expect("verified");
                    accepted[key].fetch_add(1, Ordering::SeqCst);
                    if number % 100 == thread {
                        wait(keys.flush()).expect("written");
                    }
                    drop(held);
                }
            });
        }
    });
    let behind = place.open();
    drop(engines);
    for (issued, accepted) in issued.iter().zip(accepted) {
        assert_eq!(total(&behind, issued.record.id), accepted.into_inner());
    }
}
