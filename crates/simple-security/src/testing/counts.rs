//! Usage: every count is added, and none twice.

use super::handle::{Handle, at, digest, id};
use super::place::Place;
use crate::record::Usage;

fn used(total: u64, last: i64) -> Option<Usage> {
    Some(Usage { total, last_used_at: Some(at(last)) })
}

pub(super) fn a_key_that_was_never_used_has_no_date(place: &dyn Place) {
    let handle = Handle::on(place);
    handle.insert(1);
    assert_eq!(handle.usage(1), Some(Usage { total: 0, last_used_at: None }));
    handle.add(1, 1, &[]);
    assert_eq!(handle.list()[0].1, Usage::default());
}

pub(super) fn batches_of_all_writers_add_up(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    one.insert(1);
    one.insert(2);
    one.add(1, 1, &[(1, 2, 300), (2, 10, 300)]);
    other.add(2, 1, &[(1, 3, 400)]);
    one.add(1, 2, &[(1, 4, 500), (2, 1, 600)]);
    other.add(2, 9, &[(1, 1, 500)]);
    for handle in [&one, &other] {
        assert_eq!((handle.usage(1), handle.usage(2)), (used(10, 500), used(11, 600)));
        let listed: Vec<_> =
            handle.list().iter().map(|(record, usage)| (record.id, *usage)).collect();
        assert_eq!(listed.len(), 2);
        assert_eq!((listed[0].0, Some(listed[0].1)), (id(2), used(11, 600)));
        assert_eq!((listed[1].0, Some(listed[1].1)), (id(1), used(10, 500)));
    }
}

pub(super) fn a_batch_is_added_once(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    one.insert(1);
    for handle in [&one, &one, &other, &other, &one] {
        handle.add(1, 1, &[(1, 5, 300)]);
        assert_eq!(handle.usage(1), used(5, 300), "the same batch again");
    }
    other.add(2, 1, &[(1, 5, 300)]);
    assert_eq!(one.usage(1), used(10, 300), "the number is another writer's");
    one.add(1, 2, &[(1, 5, 300)]);
    assert_eq!(one.usage(1), used(15, 300), "the next batch");
}

pub(super) fn a_batch_with_an_older_number_is_dropped(place: &dyn Place) {
    let handle = Handle::on(place);
    handle.insert(1);
    handle.add(1, 7, &[(1, 5, 300)]);
    handle.add(1, 6, &[(1, 100, 900)]);
    handle.add(1, 1, &[(1, 100, 900)]);
    assert_eq!(handle.usage(1), used(5, 300));
    handle.add(1, 8, &[(1, 1, 300)]);
    assert_eq!(handle.usage(1), used(6, 300));
}

pub(super) fn counts_of_a_key_that_is_gone_are_dropped(place: &dyn Place) {
    let handle = Handle::on(place);
    handle.insert(1);
    handle.add(1, 1, &[(8, 5, 300), (1, 2, 300), (9, 5, 300)]);
    assert_eq!(handle.usage(1), used(2, 300), "the others in the batch are added");
    assert_eq!(handle.list().len(), 1);
    handle.insert(9);
    assert_eq!(handle.usage(9), Some(Usage::default()), "a new key begins with nothing");
}

pub(super) fn the_date_of_last_use_never_goes_back(place: &dyn Place) {
    let handle = Handle::on(place);
    handle.insert(1);
    handle.add(1, 1, &[(1, 1, 500)]);
    handle.add(2, 1, &[(1, 1, 400)]);
    assert_eq!(handle.usage(1), used(2, 500));
    handle.add(2, 2, &[(1, 1, 501)]);
    assert_eq!(handle.usage(1), used(3, 501));
}

pub(super) fn totals_are_exact_when_many_add_at_once(place: &dyn Place) {
    let handles: Vec<_> = (0..8).map(|_| Handle::on(place)).collect();
    handles[0].insert(1);
    handles[0].insert(2);
    let batches = u64::from(place.rounds().min(25));
    std::thread::scope(|scope| {
        for (handle, writer) in handles.iter().zip(1..) {
            scope.spawn(move || {
                for number in 1..=batches {
                    handle.add(writer, number, &[(1, 1, 100), (2, u64::from(writer), 200)]);
                }
            });
        }
    });
    assert_eq!(handles[0].usage(1), used(8 * batches, 100));
    assert_eq!(handles[7].usage(2), used(36 * batches, 200));
}

pub(super) fn a_batch_that_many_send_at_once_is_added_once(place: &dyn Place) {
    let handles: Vec<_> = (0..4).map(|_| Handle::on(place)).collect();
    handles[0].insert(1);
    for number in 1..=u64::from(place.rounds().min(25)) {
        std::thread::scope(|scope| {
            for handle in &handles {
                scope.spawn(move || handle.add(1, number, &[(1, 3, 100)]));
            }
        });
        assert_eq!(handles[0].usage(1), used(3 * number, 100));
    }
    // The digest is in no count: counts go by id.
    assert!(handles[0].changed(&mut handles[1].mark()).is_empty(), "{:?}", digest(1));
}
