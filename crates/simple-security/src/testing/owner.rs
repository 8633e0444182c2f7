//! Owners: kept, changed and searched for as they are written.

use super::handle::{Handle, at, digest, id, record, rename, renew, revoke};
use super::place::Place;
use crate::page::{KeyFilter, PageRequest};
use crate::record::{KeyChange, KeyEdit, KeyRecord, KeyReference, KeyState, Owner, StoredKey};
use crate::store::Existing;

pub(super) fn owner_of(owner: &str) -> Owner {
    Owner::new(owner).expect("an owner")
}

fn owned(number: u32, owner: &str) -> KeyRecord {
    record(number).with_owner(owner_of(owner))
}

fn give(owner: &str) -> KeyChange {
    KeyEdit::default().with_owner(owner_of(owner)).into()
}

pub(super) fn an_owner_is_found_as_it_was_stored(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    let longest = "🔑".repeat(Owner::MAX_LENGTH);
    let owners = ["acme", "", "<b>Ünï</b> \"quoted\" 'owner' ; -- %_", " ", &longest];
    let records: Vec<_> = (1..).zip(owners).map(|(number, owner)| owned(number, owner)).collect();
    let (alone, many) = records.split_at(2);
    for (record, number) in alone.iter().zip(1..) {
        one.try_insert(digest(number), record).expect("insert");
    }
    let many = many.iter().zip(3..).map(|(it, number)| StoredKey::new(digest(number), it.clone()));
    one.try_insert_all(many.map(Ok).collect(), Existing::Refuse).expect("added");
    for (record, number) in records.iter().zip(1..) {
        assert_eq!(other.find_id(number).as_ref(), Some(record));
        assert_eq!(other.find(KeyReference::Digest(digest(number))).as_ref(), Some(record));
    }
    let mut listed: Vec<_> = other.list().into_iter().map(|(record, _)| record).collect();
    listed.sort_by_key(|record| record.id);
    assert_eq!(listed, records);
}

pub(super) fn an_edit_of_the_owner_changes_nothing_else(place: &dyn Place) {
    let (one, other) = (Handle::on(place), Handle::on(place));
    one.try_insert(digest(1), &owned(1, "acme")).expect("insert");
    let mut mark = other.mark();
    for change in [rename("another"), renew(20_000), revoke(200)] {
        one.change(1, change);
        assert_eq!(other.find_id(1).expect("the record").owner, owner_of("acme"));
    }
    for owner in ["globex", "globex", ""] {
        let before = other.find_id(1);
        assert_eq!(one.change(1, give(owner)), before);
        let expected = before.map(|before| before.with_owner(owner_of(owner)));
        assert_eq!(other.find_id(1), expected);
    }
    assert_eq!(other.changed(&mut mark).last(), Some(&digest(1)), "an edit is logged");
}

pub(super) fn a_page_has_the_keys_of_an_owner(place: &dyn Place) {
    let handle = Handle::on(place);
    let owners = ["acme", "Acme", "acme ", "", "acme", "globex", "", "acme"];
    for (number, owner) in (1..).zip(owners) {
        let record = KeyRecord { created_at: at((number / 3).into()), ..owned(number, owner) };
        handle.try_insert(digest(number), &record).expect("insert");
    }
    handle.change(5, revoke(50));
    let check = |filter: KeyFilter, expected: &[u32]| {
        for limit in [1, 2, 10] {
            let mut request = PageRequest::default().with_filter(filter.clone()).with_limit(limit);
            let mut found = Vec::new();
            loop {
                let page = handle.page(&request, 0);
                let Some((last, _)) = page.last() else { break };
                request = request.after(crate::page::Cursor::of(last));
                found.extend(page.into_iter().map(|(record, _)| record.id));
            }
            let expected: Vec<_> = expected.iter().map(|number| id(*number)).collect();
            assert_eq!(found, expected, "{filter:?}, {limit} a page");
        }
    };
    let of = |owner: &str| KeyFilter::default().with_owner(owner_of(owner));
    check(of("acme"), &[8, 5, 1]);
    check(of("Acme"), &[2]);
    check(of("acme "), &[3]);
    check(of("acm"), &[]);
    check(of("' OR 1=1 --"), &[]);
    check(of(""), &[7, 4]);
    let active = KeyFilter::new(Some(KeyState::Active), Some("number".to_owned()));
    check(active.with_owner(owner_of("acme")), &[8, 1]);
    handle.change(5, give(""));
    handle.change(7, give("acme"));
    check(of("acme"), &[8, 7, 1]);
    check(of(""), &[5, 4]);
}
