//! Dates of expiry, and clocks that are set.

use std::time::Duration;

use simple_security::clock::Clock;
use simple_security::testing::Place;
use simple_security::{Expiry, KeyState, NewKey, PageRequest, Renewal, Timestamp, VerifyError};

use super::{DAY, LEASE, START, at, engine, fake_clock, on_every_store, wait};

on_every_store!(
    a_key_expires_in_the_very_second,
    a_cached_key_expires_too,
    a_clock_that_is_set_back_revives_no_key,
    a_clock_that_was_wrong_once_does_no_harm_when_it_is_right_again,
    a_key_without_end_never_expires,
    dates_are_what_the_caller_or_the_settings_say,
    a_renewed_key_expires_at_its_new_date,
);

fn until(seconds: i64) -> NewKey {
    NewKey::default().with_expiry(Expiry::At(at(seconds)))
}

fn a_key_expires_in_the_very_second(place: &dyn Place) {
    let clock = fake_clock();
    let keys = engine(place.open(), &clock);
    let issued = wait(keys.issue(until(START + 100))).expect("a key");
    let key = issued.key.expose().as_bytes();
    clock.set(at(START + 99));
    assert!(wait(keys.verify(key)).is_ok());
    clock.set(at(START + 100));
    clock.advance(LEASE);
    let answer = wait(keys.verify(key));
    assert!(
        matches!(answer, Err(VerifyError::Expired(id)) if id == issued.record.id),
        "{answer:?}"
    );
    let usage = wait(keys.usage(issued.record.id)).expect("usage");
    assert_eq!((usage.total, usage.last_used_at), (1, Some(at(START + 99))));
}

fn a_cached_key_expires_too(place: &dyn Place) {
    let clock = fake_clock();
    let keys = engine(place.open(), &clock);
    let issued = wait(keys.issue(until(START + 100))).expect("a key");
    let key = issued.key.expose().as_bytes();
    assert!(wait(keys.verify(key)).is_ok());
    clock.set(at(START + 100));
    assert!(matches!(keys.try_verify(key), Some(Err(VerifyError::Expired(_)))));
}

fn a_clock_that_is_set_back_revives_no_key(place: &dyn Place) {
    let clock = fake_clock();
    let keys = engine(place.open(), &clock);
    let issued = wait(keys.issue(until(START + 100))).expect("a key");
    let other = wait(keys.issue(until(START + 10_000))).expect("a key");
    let (key, other_key) = (issued.key.expose().as_bytes(), other.key.expose().as_bytes());
    assert!(wait(keys.verify(key)).is_ok());
    clock.advance(Duration::from_secs(200));
    assert!(wait(keys.verify(other_key)).is_ok(), "this call alone has seen the time");
    for past in [START + 99, START, 0, Timestamp::MIN.seconds()] {
        clock.set(at(past));
        assert!(matches!(keys.try_verify(key), Some(Err(VerifyError::Expired(_)))));
        clock.advance(LEASE);
        assert!(matches!(wait(keys.verify(key)), Err(VerifyError::Expired(_))));
        assert!(wait(keys.verify(other_key)).is_ok());
    }
    let usage = wait(keys.usage(other.record.id)).expect("usage");
    assert_eq!(usage.last_used_at, Some(at(START + 200)), "nor does the date of last use go back");
    wait(keys.renew(issued.record.id, Renewal::Date(at(START + 150)))).expect("renewed");
    assert!(matches!(wait(keys.verify(key)), Err(VerifyError::Expired(_))));
    clock.set(at(START + 50));
    let made = wait(keys.issue(NewKey::default())).expect("a key").record;
    assert_eq!(made.created_at, at(START + 50), "what is stored is the date that the clock shows");
}

/// 75 years forward and back, several times, under a running engine.
fn a_clock_that_was_wrong_once_does_no_harm_when_it_is_right_again(place: &dyn Place) {
    const FUTURE: i64 = START + 75 * 365 * DAY;
    let clock = fake_clock();
    let keys = engine(place.open(), &clock);
    let issued = wait(keys.issue(until(START + DAY))).expect("a key");
    let key = issued.key.expose().as_bytes();
    for round in 0..3 {
        clock.set(at(FUTURE));
        for _ in 0..100 {
            assert!(
                matches!(wait(keys.verify(key)), Err(VerifyError::Expired(_))),
                "by this clock"
            );
        }
        clock.set(at(START + 100 * round));
        assert!(wait(keys.verify(key)).is_ok(), "round {round}");
        assert!(matches!(keys.try_verify(key), Some(Ok(_))));
        let made = wait(keys.issue(NewKey::default())).expect("a key").record;
        let now = clock.now();
        assert_eq!((made.created_at, made.expires_at), (now, now.plus_days(15)));
        let revoked = wait(keys.revoke(made.id)).expect("revoked");
        assert_eq!(revoked.revoked_at, Some(now));
        let renewed = wait(keys.renew(made.id, Renewal::DefaultLifetime)).expect("renewed").record;
        assert_eq!(renewed.expires_at, now.plus_days(15));
        let listed = wait(keys.page(PageRequest::default())).expect("a page");
        assert!(listed.keys.iter().all(|key| key.state == KeyState::Active));
    }
}

fn a_key_without_end_never_expires(place: &dyn Place) {
    let clock = fake_clock();
    let keys = engine(place.open(), &clock);
    let new = NewKey::default().with_expiry(Expiry::Never);
    let issued = wait(keys.issue(new)).expect("a key");
    let key = issued.key.expose().as_bytes();
    for now in [START, START + 100 * 365 * DAY, Timestamp::MAX.seconds()] {
        clock.set(at(now));
        assert!(wait(keys.verify(key)).is_ok());
    }
    let renewed =
        wait(keys.renew(issued.record.id, Renewal::Date(at(START)))).expect("renewed").record;
    assert!(
        renewed.never_expires
            && renewed.expires_at == at(START)
            && renewed.expiry() == Expiry::Never
    );
    assert!(wait(keys.verify(key)).is_ok(), "it stays so when it is renewed");
}

fn dates_are_what_the_caller_or_the_settings_say(place: &dyn Place) {
    let clock = fake_clock();
    let keys = engine(place.open(), &clock);
    let made = wait(keys.issue(NewKey::default())).expect("a key").record;
    assert_eq!((made.created_at, made.expires_at), (at(START), at(START + 15 * DAY)));
    let dated = wait(keys.issue(until(START + 1))).expect("a key").record;
    assert_eq!((dated.expires_at, dated.never_expires), (at(START + 1), false));
    let past = wait(keys.issue(until(START - 1))).expect("a key");
    assert!(matches!(
        wait(keys.verify(past.key.expose().as_bytes())),
        Err(VerifyError::Expired(_))
    ));
    clock.set(at(START + DAY));
    let renewed = wait(keys.renew(made.id, Renewal::DefaultLifetime)).expect("renewed").record;
    assert_eq!((renewed.created_at, renewed.expires_at), (at(START), at(START + 16 * DAY)));
    clock.set(Timestamp::MAX);
    let last = wait(keys.renew(made.id, Renewal::DefaultLifetime)).expect("renewed").record;
    assert_eq!(last.expires_at, Timestamp::MAX, "there is nothing after it");
}

fn a_renewed_key_expires_at_its_new_date(place: &dyn Place) {
    let clock = fake_clock();
    let keys = engine(place.open(), &clock);
    let issued = wait(keys.issue(until(START + 100))).expect("a key");
    let key = issued.key.expose().as_bytes();
    clock.set(at(START + 500));
    assert!(matches!(wait(keys.verify(key)), Err(VerifyError::Expired(_))));
    let renewed =
        wait(keys.renew(issued.record.id, Renewal::Date(at(START + 600)))).expect("renewed");
    assert!(!renewed.was_revoked);
    assert!(wait(keys.verify(key)).is_ok());
    clock.set(at(START + 600));
    assert!(matches!(wait(keys.verify(key)), Err(VerifyError::Expired(_))));
    wait(keys.renew(issued.record.id, Renewal::Date(at(START)))).expect("renewed");
    assert!(matches!(wait(keys.verify(key)), Err(VerifyError::Expired(_))));
}
