//! Keys that have an owner.

use simple_security::store::Existing;
use simple_security::testing::Place;
use simple_security::{
    ImportedKey, KeyDigest, KeyEdit, KeyFilter, KeyId, KeyMaterial, KeyName, NewKey, Owner,
    PageRequest, Renewal,
};

use super::{engine, fake_clock, issue, on_every_store, wait};

on_every_store!(
    a_key_has_the_owner_that_it_was_issued_with,
    an_edit_of_the_owner_is_known_to_all_when_it_returns,
    an_owner_is_imported_and_exported,
    a_page_shows_the_keys_of_one_owner,
);

fn owner(text: &str) -> Owner {
    Owner::new(text).expect("an owner")
}

fn new(text: &str) -> NewKey {
    NewKey::named(KeyName::new("shop").expect("a name")).with_owner(owner(text))
}

fn a_key_has_the_owner_that_it_was_issued_with(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let issued = wait(keys.issue(new("acme"))).expect("issued");
    assert_eq!((&issued.record.owner, issued.record.name.as_str()), (&owner("acme"), "shop"));
    let verified = wait(keys.verify(issued.key.expose().as_bytes())).expect("verified");
    assert_eq!((verified.owner(), verified.record()), ("acme", &issued.record));
    assert_eq!(wait(keys.find(issued.record.id)).expect("the key").record, issued.record);
    let without = issue(&keys);
    let verified = wait(keys.verify(without.key.expose().as_bytes())).expect("verified");
    assert_eq!((verified.owner(), without.record.owner.is_empty()), ("", true));
    let imported = wait(keys.import("an-imported-key-of-some-length-1", new("globex")));
    assert_eq!(imported.expect("imported").owner, owner("globex"));
}

fn an_edit_of_the_owner_is_known_to_all_when_it_returns(place: &dyn Place) {
    let clock = fake_clock();
    let (one, other) = (engine(place.open(), &clock), engine(place.open(), &clock));
    let issued = wait(one.issue(new("acme"))).expect("issued");
    let id = issued.record.id;
    let seen = || {
        let verified = wait(other.verify(issued.key.expose().as_bytes())).expect("verified");
        verified.owner().to_owned()
    };
    assert_eq!(seen(), "acme");
    let edit = |edit: KeyEdit| wait(one.edit(id, edit)).expect("edited");
    assert_eq!(edit(KeyEdit::default().with_owner(owner("globex"))).name.as_str(), "shop");
    assert_eq!(seen(), "globex");
    edit(KeyEdit::default().with_name(KeyName::default()));
    wait(one.renew(id, Renewal::default())).expect("renewed");
    assert_eq!(seen(), "globex", "only what an edit names is changed");
    assert!(edit(KeyEdit::default().with_owner(Owner::default())).owner.is_empty());
    assert_eq!(seen(), "");
}

fn an_owner_is_imported_and_exported(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let mut key = ImportedKey::new(KeyMaterial::Digest(KeyDigest::from_bytes([7; 32])));
    key.owner = owner("acme");
    let stored = keys.prepare_import(key).expect("a key");
    assert_eq!(stored.record.owner, owner("acme"));
    let source = Box::new([Ok(stored.clone())].into_iter());
    wait(keys.import_all(source, Existing::Refuse)).expect("imported");
    assert_eq!(wait(keys.export(None, 10)).expect("exported"), (vec![stored], None));
}

fn a_page_shows_the_keys_of_one_owner(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let issued = |text: &str| wait(keys.issue(new(text))).expect("issued").record.id;
    let (mut acme, globex) = ([issued("acme"), issued("acme")], issued("globex"));
    let none = issue(&keys).record.id;
    let of = |text: &str| -> Vec<KeyId> {
        let filter = KeyFilter::default().with_owner(owner(text));
        let page = wait(keys.page(PageRequest::default().with_filter(filter))).expect("a page");
        page.keys.into_iter().map(|key| key.record.id).collect()
    };
    acme.sort_by(|one, other| other.cmp(one));
    assert_eq!(of("acme"), acme);
    assert_eq!((of("globex"), of(""), of("acm")), (vec![globex], vec![none], Vec::new()));
}
