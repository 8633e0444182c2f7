//! Pages: every key that stays is met once, in one order.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use super::handle::{Handle, at, digest, id, name_of, record, rename, revoke};
use super::place::Place;
use crate::key::KeyId;
use crate::page::{Cursor, KeyFilter, PageRequest};
use crate::record::{KeyRecord, KeyState, Timestamp, Usage};

impl Handle {
    /// All pages of `limit` keys, one after the other.
    fn pages(&self, limit: u32, filter: &KeyFilter, now: i64) -> Vec<Vec<(KeyRecord, Usage)>> {
        let mut request = PageRequest { filter: filter.clone(), after: None, limit };
        let mut pages = Vec::new();
        loop {
            let page = self.page(&request, now);
            let Some((last, _)) = page.last() else { return pages };
            let next = Cursor::of(last);
            assert!(request.after.is_none_or(|after| next < after), "the pages do not go on");
            request.after = Some(next);
            pages.push(page);
        }
    }

    fn ids(&self, limit: u32, filter: &KeyFilter) -> Vec<KeyId> {
        self.pages(limit, filter, 0).into_iter().flatten().map(|(record, _)| record.id).collect()
    }
}

fn created(number: u32, seconds: i64) -> KeyRecord {
    KeyRecord { created_at: at(seconds), ..record(number) }
}

pub(super) fn a_page_has_the_newest_keys_first(place: &dyn Place) {
    let handle = Handle::on(place);
    let made = [created(1, 300), created(2, 100), created(3, 200), created(0, 200), created(4, -5)];
    for record in [&made[..], &[created(5, Timestamp::MAX.seconds())]].concat() {
        let number: u32 = record.id.as_str().parse().expect("a number");
        handle.try_insert(digest(number), &record).expect("insert");
    }
    handle.add(1, 1, &[(3, 7, 400)]);
    let page = handle.page(&PageRequest::default(), 0);
    let ids: Vec<_> = page.iter().map(|(record, _)| record.id).collect();
    assert_eq!(ids, [5, 1, 3, 0, 2, 4].map(id));
    assert_eq!(page[2], (created(3, 200), Usage { total: 7, last_used_at: Some(at(400)) }));
    assert_eq!(page[0].1, Usage::default());
}

pub(super) fn pages_that_follow_each_other_have_every_key_once(place: &dyn Place) {
    let handle = Handle::on(place);
    for number in 0..23 {
        // Five of each second.
        handle.try_insert(digest(number), &created(number, (number / 5).into())).expect("insert");
    }
    let all = handle.ids(1000, &KeyFilter::default());
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 23);
    for limit in [1, 2, 5, 7, 22, 23, 24] {
        assert_eq!(handle.ids(limit, &KeyFilter::default()), all, "{limit} a page");
        let full = handle.pages(limit, &KeyFilter::default(), 0);
        let (last, before) = full.split_last().expect("a page");
        assert!(before.iter().all(|page| page.len() == limit as usize), "{limit} a page");
        assert!(last.len() <= limit as usize);
    }
}

pub(super) fn a_page_has_the_keys_that_pass_its_filter(place: &dyn Place) {
    let handle = Handle::on(place);
    let expiring = |number, seconds| KeyRecord { expires_at: at(seconds), ..record(number) };
    let records = [
        KeyRecord { name: name_of("Shop one"), ..expiring(1, 100) },
        KeyRecord { name: name_of("shop two"), ..expiring(2, 101) },
        KeyRecord { never_expires: true, name: name_of("100 % _shop_"), ..expiring(3, 5) },
        KeyRecord { revoked_at: Some(at(50)), name: name_of("Ünï shop"), ..expiring(4, 5) },
        KeyRecord { revoked_at: Some(at(50)), never_expires: true, ..expiring(5, 500) },
        KeyRecord { name: name_of(""), ..expiring(6, 5) },
    ];
    for (record, number) in records.iter().zip(1..) {
        handle.try_insert(digest(number), record).expect("insert");
    }
    let check = |state: Option<KeyState>, name: Option<&str>, expected: &[u32]| {
        let filter = KeyFilter::new(state, name.map(str::to_owned));
        for limit in [1, 2, 10] {
            let pages = handle.pages(limit, &filter, 100);
            let found: Vec<_> =
                pages.iter().flatten().map(|(record, _)| record.id.to_string()).collect();
            let expected: Vec<_> = expected.iter().map(|number| id(*number).to_string()).collect();
            assert_eq!(found, expected, "{filter:?}, {limit} a page");
        }
    };
    check(None, None, &[6, 5, 4, 3, 2, 1]);
    check(Some(KeyState::Active), None, &[3, 2]);
    check(Some(KeyState::Expired), None, &[6, 1]);
    check(Some(KeyState::Revoked), None, &[5, 4]);
    check(None, Some("shop"), &[4, 3, 2]);
    check(None, Some("Shop"), &[1]);
    check(None, Some(""), &[6, 5, 4, 3, 2, 1]);
    check(None, Some("%"), &[3]);
    check(None, Some("_"), &[3]);
    check(None, Some("Ünï"), &[4]);
    check(None, Some("\0"), &[]);
    check(None, Some("' OR 1=1 --"), &[]);
    check(Some(KeyState::Active), Some("shop"), &[3, 2]);
    check(Some(KeyState::Revoked), Some("two"), &[]);
}

/// The even keys stay. Meanwhile the odd ones are deleted and new ones made, before and behind the
/// place where the pages are; names and states change.
pub(super) fn keys_that_come_and_go_do_not_shift_the_pages(place: &dyn Place) {
    let (reader, writer) = (Handle::on(place), Handle::on(place));
    for number in 0..60 {
        reader.try_insert(digest(number), &created(number, (number / 4).into())).expect("insert");
    }
    let (done, writing) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        // Also where a comparison fails: the scope waits for the writer.
        let _stop = SetWhenDropped(&done);
        scope.spawn(|| {
            for turn in 0.. {
                let odd = (turn * 2 + 1) % 60;
                writer.delete(odd);
                writer.change((turn * 14) % 60, rename(&format!("turn {turn}")));
                writer.change((turn * 22) % 60, revoke(5));
                // Somewhere between the others, and with an id that may be used again.
                let back = created(odd, (turn * 7 % 15).into());
                writer.try_insert(digest(odd), &back).expect("insert");
                writing.store(true, Ordering::SeqCst);
                if done.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        while !writing.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        for round in 0..place.rounds().min(100) {
            let met = reader.ids(1 + round % 9, &KeyFilter::default());
            let even = |number: &KeyId| {
                number.as_str().parse::<u32>().is_ok_and(|number| number.is_multiple_of(2))
            };
            let met: Vec<_> = met.into_iter().filter(even).collect();
            let expected: Vec<_> = (0..30).rev().map(|number| id(number * 2)).collect();
            let mut sorted = met.clone();
            sorted.sort();
            sorted.reverse();
            assert_eq!(sorted, expected, "round {round}: one is lost or met twice: {met:?}");
        }
    });
}

struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
