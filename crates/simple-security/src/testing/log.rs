//! The change log: every change of the state of a key, once, in the order of commits.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use super::handle::{Handle, digest, record, rename, renew, revoke};
use super::place::Place;
use crate::store::{Changed, LogPosition, PollOutcome};

pub(super) fn without_a_mark_anything_may_have_changed(place: &dyn Place) {
    let handle = Handle::on(place);
    assert_eq!(handle.changes_since(None).changed, Changed::Anything, "of an empty store");
    handle.insert(1);
    assert_eq!(handle.changes_since(None).changed, Changed::Anything);
    let mut mark = handle.mark();
    assert_eq!(handle.changed(&mut mark), [], "the mark that came with it is the newest");
}

pub(super) fn every_change_is_read_once(place: &dyn Place) {
    let (one, other, reader) = (Handle::on(place), Handle::on(place), Handle::on(place));
    let mut mark = reader.mark();
    let mut own = one.mark();
    one.insert(1);
    assert_eq!(reader.changed(&mut mark), [digest(1)], "an insertion");
    other.change(1, revoke(200));
    assert_eq!(reader.changed(&mut mark), [digest(1)], "a revocation");
    one.change(1, renew(20_000));
    assert_eq!(reader.changed(&mut mark), [digest(1)], "a renewal");
    other.change(1, rename("another"));
    assert_eq!(reader.changed(&mut mark), [digest(1)], "an edit");
    other.change(1, rename("another"));
    assert_eq!(reader.changed(&mut mark), [digest(1)], "an edit that changes nothing");
    one.change(1, revoke(300));
    assert_eq!(reader.changed(&mut mark), [digest(1)], "a revocation");
    one.change(1, revoke(400));
    assert_eq!(reader.changed(&mut mark), [digest(1)], "a second revocation");
    other.delete(1);
    assert_eq!(reader.changed(&mut mark), [digest(1)], "a deletion");
    assert_eq!(reader.changed(&mut mark), [], "nothing");
    one.insert(2);
    other.insert(3);
    one.change(2, revoke(300));
    other.insert(4);
    assert_eq!(reader.changed(&mut mark), [2, 3, 2, 4].map(digest), "several, in their order");
    assert_eq!(reader.changed(&mut mark), []);
    assert_eq!(
        one.changed(&mut own),
        [1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 2, 4].map(digest),
        "by one that changed some"
    );
}

pub(super) fn positions_grow_with_every_change(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    let mut last = one.mark();
    for number in 0..20 {
        let handle = if number % 3 == 0 { &one } else { &other };
        handle.insert(number);
        let mark = one.mark();
        assert!(mark.position > last.position, "{mark:?} after {last:?}");
        assert_eq!(other.mark(), mark, "all handles read one log");
        last = mark;
    }
}

pub(super) fn what_was_refused_is_no_change(place: &dyn Place) {
    let handle = Handle::on(place);
    handle.insert(1);
    let mut mark = handle.mark();
    assert!(handle.try_insert(digest(2), &record(1)).is_err());
    assert!(handle.try_insert(digest(1), &record(2)).is_err());
    assert_eq!(handle.change(2, revoke(200)), None);
    assert_eq!(handle.changed(&mut mark), []);
    handle.insert(2);
    assert_eq!(handle.changed(&mut mark), [digest(2)]);
}

pub(super) fn usage_is_no_change(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    one.insert(1);
    let before = other.mark();
    let mut mark = before;
    for number in 1..=10 {
        one.add(1, number, &[(1, 3, 300), (2, 1, 300)]);
        assert_eq!(other.changed(&mut mark), []);
    }
    assert_eq!(mark, before);
}

pub(super) fn a_row_that_the_log_lacks_means_anything(place: &dyn Place) {
    let handle = Handle::on(place);
    for number in 0..5 {
        handle.insert(number);
    }
    let mark = handle.mark();
    let lacking = [
        LogPosition { position: mark.position + 1, ..mark },
        LogPosition { position: mark.position + 1_000_000, ..mark },
        LogPosition { position: u64::MAX, ..mark },
        LogPosition { mark: mark.mark ^ 1, ..mark },
        LogPosition { mark: !mark.mark, ..mark },
        LogPosition { position: mark.position - 1, mark: !mark.mark },
    ];
    for after in lacking {
        // Twice, and after a good one: nothing that is remembered may stand in for the row.
        for _ in 0..2 {
            assert_eq!(handle.changes_since(Some(mark)).changed, Changed::Keys(Vec::new()));
            let reading = handle.changes_since(Some(after));
            assert_eq!((reading.changed, reading.end), (Changed::Anything, mark), "{after:?}");
        }
    }
    let elsewhere = place.another();
    let other_log = Handle::on(&*elsewhere).changes_since(Some(mark));
    assert_eq!(other_log.changed, Changed::Anything, "the log of another store");
}

pub(super) fn a_reading_sees_all_that_was_committed_before_it(place: &dyn Place) {
    const WRITERS: u32 = 3;
    let each = place.rounds();
    let (readers, committed) = (2, Mutex::new(HashSet::new()));
    let writing = AtomicUsize::new(WRITERS as usize);
    let opened = Handle::on(place);
    let start = opened.mark();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (handle, committed, writing) = (Handle::on(place), &committed, &writing);
            scope.spawn(move || {
                let _done = Done(writing);
                for number in (0..each).map(|number| number * WRITERS + writer) {
                    handle.insert(number);
                    committed.lock().expect("the set").insert(digest(number));
                }
            });
        }
        for _ in 0..readers {
            let (handle, committed, writing) = (Handle::on(place), &committed, &writing);
            scope.spawn(move || {
                let (mut mark, mut seen) = (start, HashSet::new());
                loop {
                    let last = writing.load(Ordering::SeqCst) == 0;
                    let before = committed.lock().expect("the set").clone();
                    for digest in handle.changed(&mut mark) {
                        assert!(seen.insert(digest), "a change was read twice");
                    }
                    assert!(before.is_subset(&seen), "a change was missed");
                    if last {
                        break;
                    }
                }
                assert_eq!(seen.len() as u32, each * WRITERS);
            });
        }
    });
}

pub(super) fn a_change_is_hinted_at(place: &dyn Place) {
    let (hinted, other) = (Handle::on(place), Handle::on(place));
    if hinted.store.is_embedded() {
        return;
    }
    let (called, calls) = mpsc::channel();
    let store = Arc::downgrade(&hinted.store);
    hinted.store.poll_changes(Box::new(move || {
        let (called, store) = (called.clone(), store.upgrade());
        Box::pin(async move {
            let Some(store) = store else { return PollOutcome::Gone };
            // A store may hear of changes by the connection that it reads with.
            let read = store.changes_since(None).await;
            let _ = called.send(());
            read.map_or(PollOutcome::Failed, |_| PollOutcome::Fresh)
        })
    }));
    let lease = hinted.store.lease();
    // A hint may be lost, and comes sooner than the call that is due without one. On a machine
    // that is busy one of some must do.
    let is_hinted = (0..10).any(|number| {
        calls.recv_timeout(lease).expect("no call before the lease ends");
        while calls.try_recv().is_ok() {}
        other.insert(number);
        calls.recv_timeout(lease / 4).is_ok()
    });
    assert!(is_hinted, "nothing was called soon after a change");
}

/// Counts a writer off, also when it fails: the readers would wait for it for ever.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
