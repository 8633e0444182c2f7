//! What the store is asked, and what is kept of its answers.

use std::sync::Arc;

use simple_security::clock::FakeClock;
use simple_security::store::KeyStore;
use simple_security::testing::Place;
use simple_security::{ApiKeys, KeyFormat, Malformed, VerifyError};
use test_support::FaultyStore;

use super::{LEASE, engine, engine_builder, fake_clock, issue, on_every_store, wait};

on_every_store!(
    what_cannot_be_a_key_is_refused_without_asking,
    unknown_keys_do_not_push_out_known_ones,
    the_cache_of_unknown_keys_is_bounded,
    the_cache_of_known_keys_is_bounded,
    keys_in_use_stay_in_a_full_cache,
);

fn invented(count: usize) -> Vec<String> {
    let format = KeyFormat::default();
    let key = || format.generate().expect("random bytes").0.expose().to_owned();
    (0..count).map(|_| key()).collect()
}

fn small(store: Arc<dyn KeyStore>, clock: &Arc<FakeClock>) -> ApiKeys {
    engine_builder(store, clock).cache_capacity(10, 10).build().expect("an engine")
}

fn what_cannot_be_a_key_is_refused_without_asking(place: &dyn Place) {
    let (clock, store) = (fake_clock(), FaultyStore::new(place.open()));
    let keys = engine(store.clone(), &clock);
    let good = issue(&keys).key.expose().to_owned();
    let wrong_end = if good.ends_with('0') { "1" } else { "0" };
    let wrong_checksum = good[..54].to_owned() + wrong_end;
    let cases: [(&[u8], Malformed); 6] = [
        (b"", Malformed::Empty),
        (&[b'x'; 256], Malformed::TooLong),
        (&[b'x'; 10_000], Malformed::TooLong),
        (b"fss_", Malformed::Shape),
        (&good.as_bytes()[..54], Malformed::Shape),
        (wrong_checksum.as_bytes(), Malformed::Checksum),
    ];
    for (presented, why) in cases {
        assert!(
            matches!(wait(keys.verify(presented)), Err(VerifyError::Malformed(said)) if said == why)
        );
        let cached = keys.try_verify(presented);
        assert!(matches!(cached, Some(Err(VerifyError::Malformed(said))) if said == why));
    }
    assert_eq!(store.asked(), (0, 0));
    for strange in [&b"x"[..], b"a\0b", b"\xFF\xFE", &[b'x'; 255], good.to_uppercase().as_bytes()] {
        assert!(matches!(wait(keys.verify(strange)), Err(VerifyError::Unknown)));
    }
    assert_eq!(store.asked(), (5, 1));
}

fn unknown_keys_do_not_push_out_known_ones(place: &dyn Place) {
    let (clock, store) = (fake_clock(), FaultyStore::new(place.open()));
    let keys = small(store.clone(), &clock);
    let known: Vec<_> = (0..10).map(|_| issue(&keys).key).collect();
    for key in &known {
        wait(keys.verify(key.expose().as_bytes())).expect("verified");
    }
    for key in invented(1000) {
        assert!(matches!(wait(keys.verify(key.as_bytes())), Err(VerifyError::Unknown)));
    }
    let before = store.asked();
    for key in &known {
        assert!(matches!(keys.try_verify(key.expose().as_bytes()), Some(Ok(_))));
    }
    assert_eq!(store.asked(), before);
}

fn the_cache_of_unknown_keys_is_bounded(place: &dyn Place) {
    let clock = fake_clock();
    let keys = small(place.open(), &clock);
    let invented = invented(200);
    for key in &invented {
        assert!(matches!(wait(keys.verify(key.as_bytes())), Err(VerifyError::Unknown)));
    }
    let cached = invented.iter().filter(|key| keys.try_verify(key.as_bytes()).is_some());
    assert!((1..=10).contains(&cached.count()));
}

fn the_cache_of_known_keys_is_bounded(place: &dyn Place) {
    let clock = fake_clock();
    let keys = small(place.open(), &clock);
    let issued: Vec<_> = (0..40).map(|_| issue(&keys)).collect();
    for issued in &issued {
        wait(keys.verify(issued.key.expose().as_bytes())).expect("verified");
    }
    let cached = issued.iter().filter(|one| keys.try_verify(one.key.expose().as_bytes()).is_some());
    assert!((1..=10).contains(&cached.count()));
    // Each was counted, also those that have left the cache before their counts were written.
    let listed = wait(keys.list()).expect("a list");
    assert_eq!(listed.len(), 40);
    assert!(listed.iter().all(|(_, usage)| (1..=2).contains(&usage.total)));
    assert_eq!(listed.iter().filter(|(_, usage)| usage.total == 2).count(), 10);
}

fn keys_in_use_stay_in_a_full_cache(place: &dyn Place) {
    let (clock, store) = (fake_clock(), FaultyStore::new(place.open()));
    let keys = small(store.clone(), &clock);
    let in_use = issue(&keys).key;
    let in_use = in_use.expose().as_bytes();
    let others: Vec<_> = (0..40).map(|_| issue(&keys).key).collect();
    wait(keys.verify(in_use)).expect("verified");
    for key in &others {
        wait(keys.verify(key.expose().as_bytes())).expect("verified");
        assert!(matches!(keys.try_verify(in_use), Some(Ok(_))));
    }
    clock.advance(LEASE);
    let (finds, readings) = store.asked();
    wait(keys.verify(in_use)).expect("verified");
    assert_eq!(store.asked(), (finds, readings + 1));
}
