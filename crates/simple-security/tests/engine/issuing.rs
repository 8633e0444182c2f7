//! Keys, the ids that people name them by, and the admin secret.

use std::collections::HashSet;

use simple_security::testing::Place;
use simple_security::{
    Actor, AdminError, Expiry, InvalidImport, KeyDigest, KeyEdit, KeyError, KeyName, KeyReference,
    NewKey, OpenError, Renewal, VerifyError,
};
use test_support::{commits, engine_without_secret};

use super::{engine, engine_builder, fake_clock, issue, on_every_store, wait};

on_every_store!(
    keys_differ_and_only_their_digest_is_kept,
    a_key_is_identified_by_its_id_or_by_itself,
    the_unknown_cannot_be_changed,
    a_key_of_the_callers_own_is_taken_in,
    what_cannot_be_taken_in_changes_nothing,
    keys_without_our_shape_are_verified_by_their_digest,
    the_secret_that_is_set_is_the_admin_secret,
    an_empty_secret_opens_no_engine,
    a_generated_secret_is_shown_to_the_first_alone,
);

fn keys_differ_and_only_their_digest_is_kept(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let name = KeyName::new("<b>for</b> the shop").expect("a name");
    let new = NewKey::named(name.clone());
    let issued = wait(keys.issue(new)).expect("a key");
    assert_eq!((&issued.record.name, issued.record.revoked_at), (&name, None));
    assert!(issued.key.expose().starts_with(&format!("fss_{}_", issued.record.id)));
    let digest = KeyDigest::of(issued.key.expose().as_bytes());
    let found = wait(place.open().find(KeyReference::Digest(digest))).expect("a lookup");
    assert_eq!(found, Some(issued.record));
    let (mut texts, mut ids) = (HashSet::new(), HashSet::new());
    for _ in 0..50 {
        let issued = issue(&keys);
        assert!(texts.insert(issued.key.expose().to_owned()) && ids.insert(issued.record.id));
        assert!(wait(keys.verify(issued.key.expose().as_bytes())).is_ok());
    }
}

fn a_key_is_identified_by_its_id_or_by_itself(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let issued = issue(&keys);
    let id = issued.record.id;
    assert_eq!(wait(keys.identify(id.as_str())).expect("an id"), id);
    assert_eq!(wait(keys.identify(issued.key.expose())).expect("an id"), id);
    let long = "x".repeat(10_000);
    for text in ["", "00000000000", "fss_", " ", "no such key", "\0", "🔑🔑", &long] {
        assert!(matches!(wait(keys.identify(text)), Err(KeyError::NotFound)), "{text:?}");
    }
    let upper = issued.key.expose().to_uppercase();
    assert!(matches!(wait(keys.identify(&upper)), Err(KeyError::NotFound)));
}

fn the_unknown_cannot_be_changed(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let unknown = "00000000000".parse().expect("an id");
    assert!(matches!(wait(keys.revoke(unknown)), Err(KeyError::NotFound)));
    assert!(matches!(wait(keys.renew(unknown, Renewal::DefaultLifetime)), Err(KeyError::NotFound)));
    assert!(matches!(wait(keys.edit(unknown, KeyEdit::default())), Err(KeyError::NotFound)));
    assert!(matches!(wait(keys.delete(unknown)), Err(KeyError::NotFound)));
    assert!(matches!(wait(keys.find(unknown)), Err(KeyError::NotFound)));
    assert!(matches!(wait(keys.usage(unknown)), Err(KeyError::NotFound)));
    assert!(wait(keys.list()).expect("a list").is_empty());
}

fn a_key_of_the_callers_own_is_taken_in(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let issued = issue(&keys);
    let texts = [
        "4e1b2a73-0d7e-4d3f-8a51-5a1b7f0e3c",
        "~!@#$%^&*()_+{}|:<>?fss_,./;'[]=",
        &"k".repeat(255),
    ];
    for text in texts {
        assert!(matches!(wait(keys.verify(text.as_bytes())), Err(VerifyError::Unknown)));
        let name = KeyName::new("of our own").expect("a name");
        let new = NewKey::named(name).with_expiry(Expiry::Never);
        let record = wait(keys.import(text, new)).expect("taken in");
        assert_eq!((record.name.as_str(), record.expiry()), ("of our own", Expiry::Never));
        assert_eq!(wait(keys.verify(text.as_bytes())).expect("verified").id(), record.id);
        let again = wait(keys.import(text, NewKey::default()));
        assert!(matches!(again, Err(KeyError::Exists)), "{again:?}");
        wait(keys.revoke(record.id)).expect("revoked");
        let again = wait(keys.import(text, NewKey::default()));
        assert!(matches!(again, Err(KeyError::Exists)), "an import takes back no revocation");
        assert!(matches!(wait(keys.verify(text.as_bytes())), Err(VerifyError::Revoked(_))));
    }
    assert!(wait(keys.verify(issued.key.expose().as_bytes())).is_ok());
}

fn what_cannot_be_taken_in_changes_nothing(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let ours = issue(&keys).key;
    let fill = |text: &str| format!("{text}{}", "k".repeat(40));
    for (text, why) in [
        (String::new(), InvalidImport::Length(0)),
        ("k".repeat(31), InvalidImport::Length(31)),
        ("k".repeat(256), InvalidImport::Length(256)),
        (fill(" "), InvalidImport::NotVisible),
        (fill("\0"), InvalidImport::NotVisible),
        (fill("\n"), InvalidImport::NotVisible),
        (fill("\x7f"), InvalidImport::NotVisible),
        (fill("é"), InvalidImport::NotVisible),
        (fill("fss_"), InvalidImport::OurPrefix("fss_".to_owned())),
        (ours.expose().to_owned(), InvalidImport::OurPrefix("fss_".to_owned())),
    ] {
        let refused = wait(keys.import(&text, NewKey::default()));
        let Err(KeyError::InvalidImport(said)) = refused else { panic!("{text:?}: {refused:?}") };
        assert_eq!(said, why, "{text:?}");
        assert!(text.is_empty() || !said.to_string().contains(&text), "{said}");
    }
    assert_eq!(wait(keys.list()).expect("a list").len(), 1);
}

fn keys_without_our_shape_are_verified_by_their_digest(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let other_place = place.another();
    let elsewhere = engine(other_place.open(), &fake_clock());
    let longest = vec![b'k'; 255];
    for text in [&b"c7f8e1f2-0d7e-4d3f-8a51-5a1b7f0e3c99"[..], b"k", &longest, b"\xFF\0 \n"] {
        let record = issue(&elsewhere).record;
        commits::insert(&*place.open(), KeyDigest::of(text), &record).expect("added");
        assert_eq!(wait(keys.verify(text)).expect("verified").id(), record.id);
        let other_case: Vec<u8> = text.iter().map(u8::to_ascii_uppercase).collect();
        if other_case != text {
            assert!(matches!(wait(keys.verify(&other_case)), Err(VerifyError::Unknown)));
        }
    }
}

fn the_secret_that_is_set_is_the_admin_secret(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let admin = keys.authenticate_admin(b"an admin secret of 31 characters").expect("the secret");
    assert_eq!(Actor::from(&admin), Actor::Secret);
    for wrong in [&b""[..], b"an admin secret of 31 character", b"AN ADMIN SECRET", b"\xFF"] {
        assert_eq!(keys.authenticate_admin(wrong).err(), Some(AdminError::Wrong));
    }
}

fn an_empty_secret_opens_no_engine(place: &dyn Place) {
    let builder = engine_builder(place.open(), &fake_clock()).admin_secret("".into());
    assert!(matches!(builder.build(), Err(OpenError::EmptyAdminSecret)));
}

fn a_generated_secret_is_shown_to_the_first_alone(place: &dyn Place) {
    use secrecy::ExposeSecret;

    let open = || engine_without_secret(place.open(), &fake_clock());
    let (first, shown) = open();
    let shown = shown.expect("the first shows it");
    let (second, not_shown) = open();
    assert!(not_shown.is_none());
    for keys in [&first, &second] {
        keys.authenticate_admin(shown.expose_secret().as_bytes()).expect("the secret");
        assert_eq!(keys.authenticate_admin(b"").err(), Some(AdminError::Wrong));
    }
    drop(first);
    assert!(open().1.is_none(), "one that knows it still lives");
    drop(second);
    let (third, shown_anew) = open();
    let shown_anew = shown_anew.expect("all were gone");
    assert_ne!(shown_anew.expose_secret(), shown.expose_secret());
    let earlier = third.authenticate_admin(shown.expose_secret().as_bytes());
    assert_eq!(earlier.err(), Some(AdminError::Wrong));
}
