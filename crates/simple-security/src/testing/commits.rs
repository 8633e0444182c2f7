//! Commits: several operations in one transaction.

use super::handle::{Handle, at, digest, id, record, rename, renew, revoke};
use super::place::Place;
use crate::record::{KeyReference, Usage};
use crate::store::{KeyImage, Operation, StoreError};

fn insert(number: u32) -> Operation {
    Operation::Insert(KeyImage::new(digest(number), record(number)))
}

fn delete(number: u32) -> Operation {
    Operation::Delete { id: id(number) }
}

pub(super) fn operations_are_made_in_their_order_and_all_are_logged(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    for number in 1..=3 {
        one.insert(number);
    }
    let mut mark = other.mark();
    let operations = vec![
        insert(4),
        Operation::change(id(1), revoke(200)),
        delete(2),
        Operation::change(id(3), rename("three")),
    ];
    let outcomes = one.try_commit(operations).expect("a commit");
    assert_eq!(outcomes.len(), 4);
    assert_eq!(other.changed(&mut mark), [4, 1, 2, 3].map(digest));
    assert_eq!(other.find_id(1).expect("a key").revoked_at, Some(at(200)));
    assert_eq!((other.find_id(2), other.usage(2)), (None, None));
    assert_eq!(other.find_id(3).expect("a key").name.as_str(), "three");
    assert_eq!((other.find_id(4), other.usage(4)), (Some(record(4)), Some(Usage::default())));
    assert_eq!(one.try_commit(Vec::new()).expect("nothing to do"), []);
    assert_eq!(other.changed(&mut mark), []);
    // More than fit into one round trip.
    let many = (10..60).map(insert).chain([Operation::change(id(1), renew(9_000))]);
    assert_eq!(one.try_commit(many.collect()).expect("a commit").len(), 51);
    let logged: Vec<_> = (10..60).chain([1]).map(digest).collect();
    assert_eq!(other.changed(&mut mark), logged);
}

pub(super) fn all_operations_are_made_or_none(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    one.insert(1);
    one.insert(2);
    one.add(1, 1, &[(1, 5, 300)]);
    let (before, mut mark) = (other.list(), other.mark());
    let good = || vec![Operation::change(id(1), revoke(200)), insert(3), delete(2)];
    let taken_id = Operation::Insert(KeyImage::new(digest(8), record(1)));
    let taken_digest = Operation::Insert(KeyImage::new(digest(1), record(8)));
    for (bad, is_found) in [
        (Operation::change(id(9), revoke(200)), false),
        (delete(9), false),
        (Operation::Insert(KeyImage::new(digest(1), record(9))), true),
    ] {
        for position in 0..=3 {
            let mut operations = good();
            operations.insert(position, bad.clone());
            let error = one.try_commit(operations).expect_err("it cannot be made");
            let found = match error {
                StoreError::Duplicate { position } => (true, position),
                StoreError::NotFound { position } => (false, position),
                other => panic!("{other}"),
            };
            assert_eq!(found, (is_found, position as u64));
            assert_eq!(other.list(), before);
            assert_eq!(other.changed(&mut mark), []);
        }
    }
    for bad in [taken_id, taken_digest] {
        let error = one.try_commit(vec![insert(3), bad]).expect_err("it is taken");
        assert!(matches!(error, StoreError::Duplicate { position: 1 }), "{error}");
        assert_eq!(other.find_id(3), None);
    }
    one.try_commit(good()).expect("all can be made");
}

pub(super) fn an_outcome_is_what_the_store_has(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    let image = |number| {
        other.find_id(number).map(|record| {
            let found = other.find(KeyReference::Digest(digest(number)));
            assert_eq!(found.as_ref(), Some(&record));
            KeyImage::new(digest(number), record)
        })
    };
    for operation in [
        insert(1),
        Operation::change(id(1), revoke(200)),
        Operation::change(id(1), revoke(300)),
        Operation::change(id(1), rename("one")),
        Operation::change(id(1), renew(20_000)),
        delete(1),
    ] {
        let before = image(1);
        let outcome = one.make(operation.clone()).expect("it is made");
        assert_eq!((outcome.before, outcome.after), (before, image(1)), "{operation:?}");
    }
}

pub(super) fn two_operations_on_one_key_are_an_error(place: &dyn Place) {
    let handle = Handle::on(place);
    handle.insert(1);
    let before = handle.list();
    let same_digest = Operation::Insert(KeyImage::new(digest(2), record(3)));
    for operations in [
        vec![Operation::change(id(1), revoke(200)), delete(1)],
        vec![insert(2), Operation::change(id(2), revoke(200))],
        vec![insert(2), same_digest],
    ] {
        let error = handle.try_commit(operations).expect_err("they are about one key");
        assert!(error.to_string().contains("the same key"), "{error}");
        assert_eq!(handle.list(), before);
    }
}
