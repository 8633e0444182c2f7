//! Many keys at once: all of them, or none.

use super::handle::{Handle, at, digest, id, record, revoke, stored};
use super::place::Place;
use crate::page::PageRequest;
use crate::record::{KeyRecord, KeyReference, StoredKey, Timestamp, Usage};
use crate::store::{Changed, Existing, Inserted, StoreError};

pub(super) fn many_keys_are_added_with_their_usage(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    let used = Usage { total: 7, last_used_at: Some(at(400)) };
    let full = Usage { total: i64::MAX as u64, last_used_at: Some(Timestamp::MIN) };
    let counted = Usage { total: 3, last_used_at: None };
    let revoked = KeyRecord { revoked_at: Some(at(500)), never_expires: true, ..record(2) };
    let keys = [
        StoredKey { usage: used, ..stored(1) },
        StoredKey { record: revoked, usage: full, ..stored(2) },
        StoredKey { usage: counted, ..stored(3) },
        stored(4),
    ];
    let inserted = one.try_insert_all(keys.iter().cloned().map(Ok).collect(), Existing::Refuse);
    assert_eq!(inserted.expect("added"), Inserted { added: 4, skipped: 0 });
    let request = PageRequest::default();
    let mut page = other.wait(other.store.page(&request, at(0))).expect("page");
    page.reverse();
    assert_eq!(page, keys);
    for (key, number) in keys.iter().zip(1..) {
        assert_eq!(other.find(KeyReference::Digest(digest(number))).as_ref(), Some(&key.record));
        assert_eq!(other.usage(number), Some(key.usage));
    }
    other.add(1, 1, &[(1, 2, 300), (3, 1, 600)]);
    assert_eq!(one.usage(1), Some(Usage { total: 9, last_used_at: Some(at(400)) }));
    assert_eq!(one.usage(3), Some(Usage { total: 4, last_used_at: Some(at(600)) }));
    let nothing = one.try_insert_all(Vec::new(), Existing::Refuse);
    assert_eq!(nothing.expect("nothing"), Inserted::default());
}

pub(super) fn many_keys_are_added_or_none(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    one.insert(1);
    one.change(1, revoke(200));
    let before = other.list();
    let mut mark = other.mark();
    let same_id = StoredKey { digest: digest(9), ..stored(1) };
    let same_digest = StoredKey { record: record(9), ..stored(1) };
    let twice = |key: StoredKey| vec![stored(2), stored(3), key, stored(4)];
    let same_id_twice = StoredKey { digest: digest(9), ..stored(2) };
    let same_digest_twice = StoredKey { record: record(9), ..stored(3) };
    for taken in [same_id, same_digest, stored(1), same_id_twice, same_digest_twice, stored(2)] {
        let keys = twice(taken).into_iter().map(Ok).collect();
        let refused = one.try_insert_all(keys, Existing::Refuse);
        assert!(matches!(refused, Err(StoreError::Duplicate { position: 2 })), "{refused:?}");
        assert_eq!(other.list(), before);
        assert_eq!(other.changed(&mut mark), []);
        for number in [2, 3, 4, 9] {
            assert_eq!(one.find_id(number), None);
            assert_eq!(one.find(KeyReference::Digest(digest(number))), None);
            assert_eq!(one.usage(number), None);
        }
    }
    other.insert(2);
    assert_eq!(one.changed(&mut mark), [digest(2)], "what came to nothing is in no log");
}

pub(super) fn a_key_that_exists_stays_as_it_is(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    one.insert(1);
    one.insert(2);
    one.add(1, 1, &[(1, 7, 400)]);
    one.change(1, revoke(200));
    let used = Usage { total: 1000, last_used_at: Some(at(9000)) };
    let keys = [
        StoredKey { usage: used, ..stored(1) },
        stored(3),
        StoredKey { record: record(8), usage: used, ..stored(2) },
        StoredKey { digest: digest(9), usage: used, ..stored(2) },
        StoredKey { usage: used, ..stored(3) },
    ];
    let skipped = other.try_insert_all(keys.map(Ok).into(), Existing::Skip);
    assert_eq!(skipped.expect("added"), Inserted { added: 1, skipped: 4 });
    let revoked = KeyRecord { revoked_at: Some(at(200)), ..record(1) };
    assert_eq!(one.find_id(1), Some(revoked), "an import takes back no revocation");
    assert_eq!(one.usage(1), Some(Usage { total: 7, last_used_at: Some(at(400)) }));
    assert_eq!((one.find_id(2), one.usage(2)), (Some(record(2)), Some(Usage::default())));
    assert_eq!((one.find_id(3), one.usage(3)), (Some(record(3)), Some(Usage::default())));
    assert_eq!(one.find_id(8), None);
    assert_eq!(one.find(KeyReference::Digest(digest(9))), None);
}

pub(super) fn a_source_that_fails_adds_nothing(place: &dyn Place) {
    let handle = Handle::on(place);
    let mut mark = handle.mark();
    let broken = StoreError::Failed { reason: "the tape is torn".to_owned(), source: None };
    let keys = vec![Ok(stored(1)), Ok(stored(2)), Err(broken), Ok(stored(3))];
    let failed = handle.try_insert_all(keys, Existing::Skip);
    let Err(error) = failed else { panic!("{failed:?}") };
    assert!(error.to_string().contains("the tape is torn"), "{error}");
    assert!(handle.list().is_empty());
    assert_eq!(handle.changed(&mut mark), []);
    let added = handle.try_insert_all(vec![Ok(stored(1))], Existing::Refuse);
    assert_eq!(added.expect("added").added, 1);
}

/// However long the log is that a store keeps.
pub(super) fn many_keys_are_read_in_the_log_or_anything_is(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    other.insert(0);
    for (keys, kept) in [(1..20, true), (20..25_000, false)] {
        let mark = other.mark();
        let digests: Vec<_> = keys.clone().map(digest).collect();
        let keys = keys.map(|number| Ok(stored(number))).collect();
        one.try_insert_all(keys, Existing::Refuse).expect("added");
        match other.changes_since(Some(mark)).changed {
            Changed::Keys(changed) => assert_eq!(changed, digests),
            Changed::Anything => assert!(!kept, "a short log is kept"),
        }
        assert_eq!(other.changes_since(Some(other.mark())).changed, Changed::Keys(Vec::new()));
    }
    assert_eq!(other.find_id(24_999), Some(record(24_999)));
}

pub(super) fn two_sources_at_once_are_added_one_after_the_other(place: &dyn Place) {
    let handles = [Handle::on(place), Handle::on(place)];
    for round in 0..place.rounds().min(20) {
        let first = round * 100;
        let inserted = std::thread::scope(|scope| {
            let run = |handle| {
                let keys = (first..first + 100).map(|number| Ok(stored(number))).collect();
                Handle::try_insert_all(handle, keys, Existing::Refuse)
            };
            let threads = handles.each_ref().map(|handle| scope.spawn(move || run(handle)));
            threads.map(|thread| thread.join().expect("a thread"))
        });
        let won = inserted.iter().filter(|inserted| inserted.is_ok()).count();
        assert_eq!(won, 1, "{inserted:?}");
        assert_eq!(handles[0].list().len() as u32, first + 100);
        assert_eq!(handles[1].find_id(first).map(|record| record.id), Some(id(first)));
    }
}
