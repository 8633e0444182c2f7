//! Records: what goes in comes out, and nothing else is touched.

use std::sync::atomic::{AtomicU32, Ordering};

use super::handle::{Handle, at, digest, id, name_of, record, rename, renew, revoke};
use super::place::Place;
use crate::record::{KeyChange, KeyEdit, KeyName, KeyRecord, KeyReference, Timestamp, Usage};
use crate::store::StoreError;

pub(super) fn a_record_is_found_by_its_id_and_by_its_digest(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    let plain = record(1);
    let revoked = KeyRecord { revoked_at: Some(at(500)), ..record(2) };
    let lasting = KeyRecord { never_expires: true, ..record(3) };
    let first = KeyRecord { created_at: Timestamp::MIN, expires_at: Timestamp::MIN, ..record(4) };
    let last = KeyRecord { created_at: Timestamp::MAX, expires_at: Timestamp::MAX, ..record(5) };
    let name = "<b>Ünï</b> \"quoted\" 'name' ; -- 🔑".to_owned() + &"x".repeat(160);
    let named = KeyRecord { name: name_of(&name), ..record(6) };
    let nameless = KeyRecord { name: KeyName::default(), ..record(7) };
    let records = [plain, revoked, lasting, first, last, named, nameless];
    for (record, number) in records.iter().zip(1..) {
        one.try_insert(digest(number), record).expect("insert");
        for handle in [&one, &other] {
            assert_eq!(handle.find_id(number).as_ref(), Some(record));
            assert_eq!(handle.find(KeyReference::Digest(digest(number))).as_ref(), Some(record));
        }
    }
    let listed: Vec<_> = other.list().into_iter().map(|(record, _)| record.id).collect();
    assert_eq!(listed.len(), records.len());
}

pub(super) fn a_key_that_is_unknown_is_none(place: &dyn Place) {
    let handle = Handle::on(place);
    handle.insert(1);
    assert_eq!(handle.find_id(2), None);
    assert_eq!(handle.find(KeyReference::Digest(digest(2))), None);
    assert_eq!(handle.change(2, revoke(200)), None);
    assert_eq!(handle.change(2, renew(200)), None);
    assert_eq!(handle.change(2, rename("two")), None);
    assert!(!handle.delete(2));
    assert_eq!(handle.usage(2), None);
    assert_eq!(handle.find_id(1), Some(record(1)));
    assert_eq!(handle.list().len(), 1);
}

pub(super) fn an_insertion_touches_no_other_record(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    one.insert(1);
    one.change(1, revoke(200));
    one.add(1, 1, &[(1, 5, 300)]);
    let before = one.list();
    for handle in [&one, &other] {
        let same_id = handle.try_insert(digest(2), &record(1));
        assert!(matches!(same_id, Err(StoreError::Duplicate { position: 0 })), "{same_id:?}");
        let same_digest = handle.try_insert(digest(1), &record(2));
        assert!(
            matches!(same_digest, Err(StoreError::Duplicate { position: 0 })),
            "{same_digest:?}"
        );
        let the_same = handle.try_insert(digest(1), &record(1));
        assert!(matches!(the_same, Err(StoreError::Duplicate { position: 0 })), "{the_same:?}");
        assert_eq!(handle.list(), before);
        assert_eq!(handle.find(KeyReference::Digest(digest(2))), None);
        assert_eq!(handle.find_id(2), None);
    }
}

pub(super) fn a_change_touches_no_other_field(place: &dyn Place) {
    let handle = Handle::on(place);
    for (number, never_expires) in [(1, false), (2, true)] {
        let original = KeyRecord { never_expires, ..record(number) };
        handle.try_insert(digest(number), &original).expect("insert");
        handle.add(1, number.into(), &[(number, 7, 400)]);
        let used = handle.usage(number);

        handle.change(number, revoke(200));
        let revoked = KeyRecord { revoked_at: Some(at(200)), ..original.clone() };
        assert_eq!(handle.find_id(number), Some(revoked.clone()));

        handle.change(number, renew(50));
        let renewed = KeyRecord { expires_at: at(50), revoked_at: None, ..original };
        assert_eq!(handle.find_id(number), Some(renewed));
        assert_eq!(handle.usage(number), used);
    }
    handle.insert(3);
    handle.change(1, revoke(600));
    assert_eq!(handle.find_id(3), Some(record(3)), "the other keys stay as they are");
}

pub(super) fn a_change_gives_back_the_record_from_before(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    let mut expected = one.insert(1);
    let lasting = |seconds, never_expires| KeyChange::renew(at(seconds), Some(never_expires));
    let changes = [
        revoke(200),
        revoke(300),
        rename("a key that was revoked twice"),
        renew(20_000),
        lasting(30_000, true),
        renew(40_000),
        revoke(400),
        lasting(5, false),
    ];
    for (change, handle) in changes.into_iter().zip([&one, &other].into_iter().cycle()) {
        assert_eq!(handle.change(1, change.clone()), Some(expected.clone()), "{change:?}");
        change.clone().apply(&mut expected);
        assert_eq!(handle.find_id(1), Some(expected.clone()), "{change:?}");
    }
}

pub(super) fn a_second_revocation_keeps_the_first_date(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    one.insert(1);
    one.change(1, revoke(200));
    one.change(1, revoke(300));
    other.change(1, revoke(100));
    let record = one.find_id(1).expect("the record");
    assert_eq!(record.revoked_at, Some(at(200)));
}

pub(super) fn a_renewal_takes_back_a_revocation(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    one.insert(1);
    one.change(1, revoke(200));
    other.change(1, renew(20_000));
    let renewed = one.find_id(1).expect("the record");
    assert_eq!((renewed.revoked_at, renewed.expires_at), (None, at(20_000)));
    one.change(1, revoke(300));
    let revoked = other.find_id(1).expect("the record");
    assert_eq!((revoked.revoked_at, revoked.expires_at), (Some(at(300)), at(20_000)));
}

pub(super) fn an_edit_changes_what_it_names(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    let mut expected = KeyRecord { revoked_at: Some(at(500)), ..record(1) };
    one.try_insert(digest(1), &expected).expect("insert");
    one.add(1, 1, &[(1, 7, 400)]);
    let used = one.usage(1);
    let mut edit = |edit: KeyEdit| {
        let change = KeyChange::from(edit);
        assert_eq!(one.change(1, change.clone()), Some(expected.clone()), "{change:?}");
        change.clone().apply(&mut expected);
        assert_eq!(other.find_id(1), Some(expected.clone()), "{change:?}");
        expected.clone()
    };
    let nothing = KeyEdit::default;
    let edited = edit(KeyEdit { name: Some(name_of("Ünï'; --")), ..nothing() });
    assert_eq!(edited, KeyRecord { name: name_of("Ünï'; --"), ..edited.clone() });
    assert_eq!((edited.expires_at, edited.never_expires), (at(10_000), false));
    let edited = edit(KeyEdit { expires_at: Some(Timestamp::MAX), ..nothing() });
    assert_eq!((edited.expires_at, edited.never_expires), (Timestamp::MAX, false));
    let edited = edit(KeyEdit { never_expires: Some(true), ..nothing() });
    assert_eq!((edited.expires_at, edited.never_expires), (Timestamp::MAX, true));
    edit(nothing());
    edit(KeyEdit { name: Some(KeyName::default()), ..nothing() });
    let several = KeyEdit { name: Some(name_of("all")), expires_at: Some(at(5)), ..nothing() };
    let edited = edit(KeyEdit { never_expires: Some(false), ..several });
    assert_eq!((edited.name.as_str(), edited.expires_at), ("all", at(5)));
    assert_eq!(edited.revoked_at, Some(at(500)), "an edit takes back no revocation");
    assert_eq!(one.usage(1), used);
}

pub(super) fn a_key_that_is_deleted_is_gone(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    one.insert(1);
    one.insert(2);
    one.add(1, 1, &[(1, 7, 400), (2, 3, 400)]);
    assert!(other.delete(1));
    for handle in [&one, &other] {
        assert_eq!(handle.find_id(1), None);
        assert_eq!(handle.find(KeyReference::Digest(digest(1))), None);
        assert_eq!((handle.usage(1), handle.change(1, revoke(200))), (None, None));
        assert!(!handle.delete(1), "a second time");
        assert_eq!(handle.list(), [(record(2), Usage { total: 3, last_used_at: Some(at(400)) })]);
    }
    one.insert(1);
    assert_eq!(other.usage(1), Some(Usage::default()), "a new key begins anew");
}

pub(super) fn a_handle_that_knows_old_fields_does_not_write_them_back(place: &dyn Place) {
    let (slow, quick) = (Handle::on(place), Handle::on(place));
    slow.insert(1);
    slow.find_id(1);
    slow.list();
    slow.mark();
    quick.change(1, renew(20_000));
    slow.change(1, revoke(200));
    let record = quick.find_id(1).expect("the record");
    assert_eq!((record.expires_at, record.revoked_at), (at(20_000), Some(at(200))));
    quick.find_id(1);
    slow.add(1, 1, &[(1, 1, 300)]);
    assert_eq!(quick.find_id(1), Some(record.clone()), "counting writes nothing but counts");
    slow.change(1, rename("another"));
    let renamed = KeyRecord { name: name_of("another"), ..record };
    assert_eq!(quick.find_id(1), Some(renamed), "an edit writes nothing but what it names");
}

pub(super) fn one_of_many_insertions_at_once_wins(place: &dyn Place) {
    let handles: Vec<_> = (0..4).map(|_| Handle::on(place)).collect();
    for round in 0..place.rounds() {
        let won = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for (handle, thread) in handles.iter().zip(1..) {
                let won = &won;
                scope.spawn(move || {
                    let record = KeyRecord { created_at: at(thread.into()), ..record(round) };
                    match handle.try_insert(digest(round), &record) {
                        Ok(()) => assert_eq!(won.swap(thread, Ordering::SeqCst), 0, "two won"),
                        Err(StoreError::Duplicate { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                });
            }
        });
        let record = handles[0].find_id(round).expect("one won");
        assert_eq!(record.created_at, at(won.into_inner().into()), "it is not the winner's");
    }
}

pub(super) fn keys_are_listed_last_used_first(place: &dyn Place) {
    let handle = Handle::on(place);
    let created =
        |number: u32, created: i64| KeyRecord { created_at: at(created), ..record(number) };
    for record in [
        created(1, 300), // never used, younger
        created(2, 100), // never used, older, second by its id
        created(0, 100), // never used, older, first by its id
        created(3, 100), // used long ago
        created(4, 100), // used last
        created(5, 200), // used at the same time as the next, younger
        created(6, 100),
    ] {
        let number: u32 = record.id.as_str().parse().expect("a number");
        handle.try_insert(digest(number), &record).expect("insert");
    }
    handle.add(1, 1, &[(3, 9, -5), (4, 1, 900), (5, 1, 800), (6, 2, 800)]);
    let listed: Vec<_> = handle.list().into_iter().map(|(record, _)| record.id).collect();
    assert_eq!(listed, [4, 6, 5, 3, 0, 2, 1].map(id));
}

pub(super) fn every_handle_has_the_same_bounds(place: &dyn Place) {
    let (one, other) = (place.open(), place.open());
    assert!(!one.lease().is_zero(), "nothing could be cached");
    assert_eq!(one.lease(), other.lease());
    assert_eq!(one.stale_if_error(), other.stale_if_error());
    assert_eq!(one.bound(), other.bound());
    assert!(one.bound() >= one.lease() + one.stale_if_error(), "an answer is used for longer");
    assert_eq!(one.is_embedded(), other.is_embedded());
}

pub(super) fn all_is_there_after_a_fork(place: &dyn Place) {
    let (forked, other) = (Handle::on(place), Handle::on(place));
    forked.insert(1);
    let mut mark = forked.mark();
    forked.store.suspend();
    forked.store.suspend();
    other.change(1, revoke(200));
    forked.store.resume();
    forked.store.resume();
    assert_eq!(forked.changed(&mut mark), [digest(1)]);
    forked.change(1, renew(20_000));
    assert_eq!(other.find_id(1).expect("the record").revoked_at, None);
    assert_eq!(forked.changed(&mut mark), [digest(1)]);
}
