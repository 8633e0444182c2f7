//! Keys as they are shown: one, and page by page.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use simple_security::testing::Place;
use simple_security::{
    ApiKeys, Cursor, Expiry, KeyDetails, KeyEdit, KeyFilter, KeyId, KeyState, Page, PageRequest,
    Usage,
};
use test_support::{Fault, FaultyStore};

use super::{START, at, engine, fake_clock, issue, on_every_store, wait};

on_every_store!(
    a_key_is_shown_as_it_is_now,
    pages_end_where_the_keys_do,
    a_limit_out_of_range_is_taken_for_the_nearest,
    what_is_not_written_yet_is_shown_all_the_same,
    a_change_is_shown_where_the_store_is_down_after_it,
);

fn page(keys: &ApiKeys, request: PageRequest) -> Page {
    wait(keys.page(request)).expect("a page")
}

/// All ids, by pages of so many keys, and how many keys each page has.
fn all(keys: &ApiKeys, limit: u32) -> (Vec<KeyId>, Vec<usize>) {
    let (mut ids, mut sizes, mut after) = (Vec::new(), Vec::new(), None::<Cursor>);
    loop {
        let page = page(keys, PageRequest::default().after(after).with_limit(limit));
        ids.extend(page.keys.iter().map(|key| key.record.id));
        sizes.push(page.keys.len());
        assert!(sizes.len() < 100, "the pages do not end");
        // As it comes back from a client.
        after = page.next.map(|next| next.to_string().parse().expect("a cursor"));
        if after.is_none() {
            return (ids, sizes);
        }
    }
}

fn a_change_is_shown_where_the_store_is_down_after_it(place: &dyn Place) {
    let store = FaultyStore::new(place.open());
    let keys = engine(store.clone(), &fake_clock());
    let issued = issue(&keys);
    let (key, id) = (issued.key.expose().as_bytes(), issued.record.id);
    wait(keys.verify(key)).expect("verified");
    let revoked = wait(keys.revoke(id)).expect("revoked");
    let usage = Usage::new(1, Some(at(START)));
    let expected = KeyDetails::new(revoked.clone(), KeyState::Revoked, usage);
    store.down.store(true, Ordering::SeqCst);
    assert!(wait(keys.find(id)).is_err());
    assert_eq!(wait(keys.details_after(revoked.clone())), expected, "what waits to be written");
    store.down.store(false, Ordering::SeqCst);
    assert_eq!(wait(keys.details_after(revoked)), expected);
    assert_eq!(wait(keys.find(id)).expect("the key"), expected);
}

fn a_key_is_shown_as_it_is_now(place: &dyn Place) {
    let clock = fake_clock();
    let keys = engine(place.open(), &clock);
    let issued = issue(&keys);
    let (key, id) = (issued.key.expose().as_bytes(), issued.record.id);
    let find = || wait(keys.find(id)).expect("the key");
    let made = KeyDetails::new(issued.record.clone(), KeyState::Active, Usage::default());
    assert_eq!(find(), made);
    wait(keys.verify(key)).expect("verified");
    assert_eq!((find().usage.total, find().usage.last_used_at), (1, Some(at(START))));
    let expired = KeyEdit::default().with_expiry(Expiry::At(at(START)));
    wait(keys.edit(id, expired)).expect("edited");
    assert_eq!(find().state, KeyState::Expired);
    wait(keys.revoke(id)).expect("revoked");
    assert_eq!(find().state, KeyState::Revoked);
    assert_eq!(page(&keys, PageRequest::default()).keys, [find()]);
    let active = KeyFilter::new(Some(KeyState::Active), None);
    let none = page(&keys, PageRequest::default().with_filter(active));
    assert_eq!((none.keys.len(), none.next), (0, None));
}

fn pages_end_where_the_keys_do(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    let empty = page(&keys, PageRequest::default());
    assert_eq!((empty.keys, empty.next), (Vec::new(), None));
    let made: HashSet<_> = (0..12).map(|_| issue(&keys).record.id).collect();
    for (limit, expected) in
        [(5, vec![5, 5, 2]), (6, vec![6, 6]), (11, vec![11, 1]), (12, vec![12]), (13, vec![12])]
    {
        let (ids, sizes) = all(&keys, limit);
        assert_eq!(sizes, expected, "{limit} a page");
        assert_eq!((ids.len(), ids.into_iter().collect::<HashSet<_>>()), (12, made.clone()));
    }
}

fn a_limit_out_of_range_is_taken_for_the_nearest(place: &dyn Place) {
    let keys = engine(place.open(), &fake_clock());
    for _ in 0..3 {
        issue(&keys);
    }
    assert_eq!(all(&keys, 0).1, [1, 1, 1]);
    assert_eq!(all(&keys, u32::MAX).1, [3]);
}

fn what_is_not_written_yet_is_shown_all_the_same(place: &dyn Place) {
    let (clock, store) = (fake_clock(), FaultyStore::new(place.open()));
    let keys = engine(Arc::clone(&store) as Arc<_>, &clock);
    let issued = issue(&keys);
    for total in 1..4 {
        wait(keys.verify(issued.key.expose().as_bytes())).expect("verified");
        let fail = || *store.faults.lock().expect("the faults") = vec![Some(Fault::Before); 2];
        fail();
        let shown = page(&keys, PageRequest::default()).keys;
        assert_eq!((shown.len(), shown[0].usage.total), (1, total));
        fail();
        assert_eq!(wait(keys.find(issued.record.id)).expect("the key").usage.total, total);
    }
}
