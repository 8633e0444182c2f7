//! Keys that are edited or deleted.

use std::sync::Arc;

use simple_security::testing::Place;
use simple_security::{Expiry, KeyEdit, KeyError, KeyName, KeyState, NewKey, Renewal, VerifyError};
use test_support::FaultyStore;

use super::{DAY, START, at, engine, fake_clock, issue, on_every_store, wait};

on_every_store!(
    an_edit_is_known_to_all_when_it_returns,
    a_renewal_changes_whether_a_key_expires_only_when_told,
    a_deleted_key_is_unknown_to_all_when_it_is_gone,
    counts_of_a_deleted_key_go_with_it,
);

fn an_edit_is_known_to_all_when_it_returns(place: &dyn Place) {
    let clock = fake_clock();
    let (one, other) = (engine(place.open(), &clock), engine(place.open(), &clock));
    let issued = issue(&one);
    let (key, id) = (issued.key.expose().as_bytes(), issued.record.id);
    wait(other.verify(key)).expect("it is cached");
    let edit = |edit| wait(one.edit(id, edit)).expect("edited");
    let name = KeyName::new("the shop").expect("a name");
    edit(KeyEdit::default().with_name(name.clone()));
    assert_eq!(wait(other.verify(key)).expect("verified").record().name, name);
    edit(KeyEdit::default().with_expiry(Expiry::At(at(START))));
    assert!(matches!(wait(other.verify(key)), Err(VerifyError::Expired(_))));
    let edited = edit(KeyEdit::default().with_expiry(Expiry::Never));
    assert_eq!((&edited.name, edited.expiry()), (&name, Expiry::Never));
    assert!(wait(other.verify(key)).is_ok());
    wait(other.revoke(id)).expect("revoked");
    edit(KeyEdit::default().with_expiry(Expiry::At(at(START + DAY))));
    assert!(
        matches!(wait(one.verify(key)), Err(VerifyError::Revoked(_))),
        "an edit revives no key"
    );
}

fn a_renewal_changes_whether_a_key_expires_only_when_told(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let id = issue(&keys).record.id;
    let renew = |renewal| wait(keys.renew(id, renewal)).expect("renewed").record;
    assert_eq!(renew(Renewal::Until(Expiry::Never)).expiry(), Expiry::Never);
    let kept = renew(Renewal::Date(at(START + 5)));
    assert_eq!((kept.never_expires, kept.expires_at), (true, at(START + 5)));
    let date = Expiry::At(at(START + 7));
    assert_eq!(renew(Renewal::Until(date)).expiry(), date);
    assert_eq!(renew(Renewal::DefaultLifetime).expiry(), Expiry::At(at(START + 15 * DAY)));
}

fn a_deleted_key_is_unknown_to_all_when_it_is_gone(place: &dyn Place) {
    let clock = fake_clock();
    let (one, other) = (engine(place.open(), &clock), engine(place.open(), &clock));
    let issued = issue(&one);
    let (key, id) = (issued.key.expose().as_bytes(), issued.record.id);
    for keys in [&one, &other] {
        wait(keys.verify(key)).expect("it is cached");
    }
    wait(one.delete(id)).expect("deleted");
    for keys in [&one, &other] {
        assert!(matches!(wait(keys.verify(key)), Err(VerifyError::Unknown)));
        assert!(matches!(wait(keys.find(id)), Err(KeyError::NotFound)));
        assert!(matches!(wait(keys.delete(id)), Err(KeyError::NotFound)));
        assert!(matches!(wait(keys.renew(id, Renewal::DefaultLifetime)), Err(KeyError::NotFound)));
    }
}

fn counts_of_a_deleted_key_go_with_it(place: &dyn Place) {
    let (clock, store) = (fake_clock(), FaultyStore::new(place.open()));
    let keys = engine(Arc::clone(&store) as Arc<_>, &clock);
    let (gone, stays) = (issue(&keys), issue(&keys));
    for key in [&gone.key, &stays.key] {
        wait(keys.verify(key.expose().as_bytes())).expect("verified");
    }
    wait(keys.delete(gone.record.id)).expect("deleted");
    wait(keys.flush()).expect("written");
    let listed = wait(keys.list()).expect("a list");
    assert_eq!(listed.iter().map(|(record, _)| record.id).collect::<Vec<_>>(), [stays.record.id]);
    assert_eq!(listed[0].1.total, 1);
    let new = wait(keys.issue(NewKey::default())).expect("a key").record.id;
    assert_eq!(wait(keys.find(new)).expect("the key").state, KeyState::Active);
}
