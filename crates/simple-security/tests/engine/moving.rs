//! Many keys: taken in at once, and handed out page by page.

use simple_security::clock::Clock as _;
use simple_security::store::{Existing, StoreError};
use simple_security::testing::Place;
use simple_security::{
    ImportedKey, InvalidImport, KeyDigest, KeyError, KeyMaterial, StoredKey, Timestamp, Usage,
    VerifyError,
};

use super::{DAY, LEASE, START, at, engine, fake_clock, issue, on_every_store, wait};

on_every_store!(
    what_is_not_known_of_a_key_is_made_up,
    a_key_of_ours_keeps_its_id,
    many_keys_work_in_every_process_after_one_wait,
    what_is_exported_is_taken_in_as_it_was,
);

fn used(text: &str) -> ImportedKey {
    ImportedKey::new(KeyMaterial::Plain(text.into()))
}

fn text(number: u32) -> String {
    format!("an-imported-key-of-some-length-{number}")
}

fn what_is_not_known_of_a_key_is_made_up(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let key = keys.prepare_import(used(&text(1))).expect("a key");
    assert_eq!(key.digest, KeyDigest::of(text(1).as_bytes()));
    assert_eq!((key.record.created_at, key.record.expires_at), (at(START), at(START + 15 * DAY)));
    assert_ne!(key.record.id, keys.prepare_import(used(&text(1))).expect("a key").record.id);
    let digest = KeyDigest::from_bytes([7; 32]);
    let id = "0123456789a".parse().expect("an id");
    let usage = Usage::new(5, Some(at(9)));
    let mut known = ImportedKey::new(KeyMaterial::Digest(digest));
    known.id = Some(id);
    known.created_at = Some(at(1));
    known.expires_at = Some(at(2));
    known.never_expires = true;
    known.revoked_at = Some(at(3));
    known.usage = usage;
    let StoredKey { digest: kept, record, usage: counted, .. } =
        keys.prepare_import(known).expect("a key");
    assert_eq!((kept, record.id, counted), (digest, id, usage));
    assert_eq!((record.created_at, record.expires_at), (at(1), at(2)));
    assert!(record.never_expires && record.revoked_at == Some(at(3)));
    assert!(wait(keys.list()).expect("a list").is_empty(), "nothing is stored yet");
}

fn a_key_of_ours_keeps_its_id(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let elsewhere = issue(&engine(place.another().open(), &fake_clock()));
    let (key, id) = (elsewhere.key.expose(), elsewhere.record.id);
    let mut same = used(key);
    same.id = Some(id);
    for taken in [used(key), same] {
        assert_eq!(keys.prepare_import(taken).expect("a key").record.id, id);
    }
    let mut other = used(key);
    other.id = Some("00000000000".parse().expect("an id"));
    let refused = [
        keys.prepare_import(other),
        keys.prepare_import(used(&key[..54])),
        keys.prepare_import(used("short")),
    ];
    assert!(
        matches!(
            refused,
            [
                Err(KeyError::InvalidImport(InvalidImport::OtherId)),
                Err(KeyError::InvalidImport(InvalidImport::NotOurs(_))),
                Err(KeyError::InvalidImport(InvalidImport::Length(5))),
            ]
        ),
        "{refused:?}"
    );
}

fn many_keys_work_in_every_process_after_one_wait(place: &dyn Place) {
    let clock = fake_clock();
    let (keys, other) = (engine(place.open(), &clock), engine(place.open(), &clock));
    assert!(matches!(wait(other.verify(text(7).as_bytes())), Err(VerifyError::Unknown)));
    let stored: Vec<_> =
        (0..50).map(|number| keys.prepare_import(used(&text(number))).expect("a key")).collect();
    assert!(!wait(keys.has(&stored[7])).expect("a lookup"));
    let before = clock.uptime().nanoseconds();
    let source = Box::new(stored.clone().into_iter().map(Ok));
    let inserted = wait(keys.import_all(source, Existing::Refuse)).expect("added");
    assert_eq!((inserted.added, inserted.skipped), (50, 0));
    let waited = u128::from(clock.uptime().nanoseconds() - before);
    let bound = LEASE.as_nanos();
    assert!((bound + bound / 1000..2 * bound).contains(&waited), "waited {waited} ns");
    for number in 0..50 {
        assert!(wait(other.verify(text(number).as_bytes())).is_ok(), "{number}");
    }
    assert!(wait(keys.has(&stored[7])).expect("a lookup"));
    wait(keys.revoke(stored[7].record.id)).expect("revoked");
    let mut again = stored.clone();
    again[7].record.revoked_at = None;
    let source = Box::new(again.clone().into_iter().skip(7).map(Ok));
    let refused = wait(keys.import_all(source, Existing::Refuse));
    let at_once = matches!(refused, Err(KeyError::Store(StoreError::Duplicate { position: 0 })));
    assert!(at_once, "{refused:?}");
    let skipped = wait(keys.import_all(Box::new(again.into_iter().map(Ok)), Existing::Skip));
    assert_eq!(skipped.expect("skipped").skipped, 50);
    assert!(matches!(wait(other.verify(text(7).as_bytes())), Err(VerifyError::Revoked(_))));
}

fn what_is_exported_is_taken_in_as_it_was(place: &dyn Place) {
    let clock = fake_clock();
    let keys = engine(place.open(), &clock);
    let issued: Vec<_> = (0..7).map(|_| issue(&keys)).collect();
    wait(keys.revoke(issued[3].record.id)).expect("revoked");
    wait(keys.verify(issued[4].key.expose().as_bytes())).expect("verified");
    let export = |keys| {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let (page, next) =
                wait(simple_security::ApiKeys::export(keys, after, 3)).expect("a page");
            all.extend(page);
            after = next;
            if after.is_none() {
                return all;
            }
        }
    };
    let exported = export(&keys);
    assert_eq!(exported.len(), 7);
    assert_eq!(
        exported.iter().map(|key| key.usage.total).sum::<u64>(),
        1,
        "counts of this process"
    );
    let elsewhere = place.another();
    let copy = engine(elsewhere.open(), &clock);
    let source = Box::new(exported.clone().into_iter().map(Ok));
    wait(copy.import_all(source, Existing::Refuse)).expect("added");
    assert_eq!(export(&copy), exported);
    for (number, issued) in issued.iter().enumerate() {
        let verified = wait(copy.verify(issued.key.expose().as_bytes()));
        assert_eq!(verified.is_ok(), number != 3, "{verified:?}");
    }
    assert!(exported.iter().all(|key| key.record.created_at <= Timestamp::from_seconds(START + 1)));
}
