//! Random stores, random runs: what is there at the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use simple_security::store::{Existing, MemoryStore, Operation, UsageBatch};
use simple_security::{
    Actor, Expiry, KeyChange, KeyDigest, KeyEdit, KeyId, KeyRecord, PageRequest, StoredKey,
    Timestamp, Usage,
};

use super::copying::Copying;
use super::side::Side;
use super::verify::verify;
use super::walk::Walk;
use crate::opening::wait;
use crate::progress::Progress;

/// Far smaller than in earnest, so that there are many.
const PAGE: u32 = 3;

/// What may become of a key between two runs.
#[derive(Debug, Clone)]
enum Event {
    Use(u8, u64),
    Revoke(u8),
    Edit(u8),
    Issue(u8),
    RevokeCopy(u8),
}

pub(super) fn key(number: u8) -> StoredKey {
    let id = format!("{number:011}").parse().expect("an id");
    // Several in one second.
    let created_at = Timestamp::from_seconds(i64::from(number % 4));
    let mut record = KeyRecord::new(id, created_at, Timestamp::from_seconds(1000));
    record.never_expires = number.is_multiple_of(3);
    StoredKey::new(KeyDigest::of(&[number]), record)
}

fn id(number: u8) -> KeyId {
    key(number).record.id
}

pub(super) fn side(name: &str) -> Side {
    Side { store: Arc::new(MemoryStore::new().expect("a store")), name: name.to_owned() }
}

pub(super) fn add(side: &Side, keys: Vec<StoredKey>) {
    let keys = Box::new(keys.into_iter().map(Ok));
    wait(side.store.insert_all(keys, Existing::Skip, &Actor::CommandLine)).expect("added");
}

fn all(side: &Side) -> Vec<StoredKey> {
    let request = PageRequest::default().with_limit(1000);
    wait(side.store.page(&request, Timestamp::MIN)).expect("keys")
}

fn happens(event: &Event, second: i64, from: &Side, to: &Side) {
    let at = Timestamp::from_seconds(second);
    let change = |side: &Side, number: u8, change: KeyChange| {
        // There may be no such key.
        drop(wait(side.store.commit(vec![Operation::change(id(number), change)], &Actor::Program)));
    };
    match *event {
        Event::Use(number, uses) => {
            let batch = UsageBatch::single(at, vec![(id(number), uses, at)]).expect("bytes");
            wait(from.store.add_usage(&batch)).expect("counted");
        }
        Event::Revoke(number) => change(from, number, KeyChange::revoke(at)),
        Event::Edit(number) => {
            let edit = KeyEdit::default().with_expiry(Expiry::At(at));
            change(from, number, edit.into());
        }
        Event::Issue(number) => add(from, vec![key(number)]),
        Event::RevokeCopy(number) => change(to, number, KeyChange::revoke(at)),
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let number = || 0..24u8;
    let event = prop_oneof![
        (number(), 1..5u64).prop_map(|(number, uses)| Event::Use(number, uses)),
        number().prop_map(Event::Revoke),
        number().prop_map(Event::Edit),
        number().prop_map(Event::Issue),
        number().prop_map(Event::RevokeCopy),
    ];
    vec(event, 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Cut off after any page, with all that may happen in between: the last run makes both the
    /// same, but for copies that were revoked.
    #[test]
    fn whatever_happens_between_runs_the_copy_is_exact(
        begin in btree_map(0..24u8, 0..9u64, 0..24),
        runs in vec((0..5usize, events()), 0..4),
    ) {
        let (from, to) = (side("from"), side("to"));
        let used = |(number, total): (u8, u64)| {
            let mut key = key(number);
            key.usage = Usage::new(total, (total > 0).then_some(Timestamp::MIN));
            key
        };
        add(&from, begin.into_iter().map(used).collect());
        let walk = || Walk::new(from.clone(), to.clone(), PAGE);
        let mut second = 0;
        for (pages, events) in runs {
            let mut copying = Copying::new(walk());
            for _ in 0..pages {
                copying.step().expect("a page");
            }
            for event in events {
                second += 1;
                happens(&event, second, &from, &to);
            }
        }
        let revoked: BTreeMap<_, _> = all(&to)
            .into_iter()
            .filter_map(|key| Some((key.record.id, key.record.revoked_at?)))
            .collect();
        let mut copying = Copying::new(walk());
        while copying.step().expect("a page") {}
        let mut expected = all(&from);
        prop_assert_eq!(copying.done().seen, expected.len() as u64);
        let mut same = true;
        for key in &mut expected {
            if let Some(at) = revoked.get(&key.record.id) {
                same &= key.record.revoked_at == Some(*at);
                key.record.revoked_at = Some(*at);
            }
        }
        prop_assert_eq!(all(&to), expected);
        prop_assert_eq!(verify(walk(), Progress::new(false)).is_ok(), same);
        let mut again = Copying::new(walk());
        while again.step().expect("a page") {}
        prop_assert_eq!((again.done().added, again.done().changed), (0, 0));
    }
}
