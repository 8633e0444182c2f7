//! Any calls in any order, through two handles, against a model that is too small to be wrong.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, FailurePersistence, RngSeed, TestRunner};

use super::handle::{Handle, at, digest, id, name_of, record, renew, revoke};
use super::owner::owner_of;
use super::place::Place;
use crate::key::{KeyDigest, KeyId};
use crate::page::{Cursor, KeyFilter, PageRequest};
use crate::random;
use crate::record::{
    KeyChange, KeyEdit, KeyRecord, KeyReference, KeyState, StoredKey, Timestamp, Usage,
};
use crate::store::{
    Changed, Existing, Inserted, KeyImage, LogPosition, Operation, Outcome, StoreError,
};

#[derive(Debug, Clone)]
enum Call {
    Insert { id: u32, digest: u32, created: i64 },
    InsertAll { keys: Vec<(u32, u32, u64)>, skip: bool },
    FindId(u32),
    FindDigest(u32),
    Change(u32, KeyChange),
    Delete(u32),
    Page(PageRequest, i64),
    List,
    Usage(u32),
    Add { writer: u8, number: u64, counts: Vec<(u32, u64, i64)> },
    Read,
}

/// What a store must do, in memory and in one thread.
#[derive(Default)]
struct Model {
    keys: BTreeMap<KeyId, (KeyDigest, KeyRecord, Usage)>,
    batches: HashMap<u8, u64>,
    /// Each change, also one that left its key as it was.
    log: Vec<KeyDigest>,
}

impl Model {
    fn insert(&mut self, digest: KeyDigest, record: &KeyRecord) -> bool {
        let taken = self.keys.iter().any(|(id, (other, ..))| *id == record.id || *other == digest);
        if !taken {
            self.keys.insert(record.id, (digest, record.clone(), Usage::default()));
            self.log.push(digest);
        }
        !taken
    }

    /// Where the position of the first that is taken is given back, nothing has changed.
    fn insert_all(&mut self, keys: &[StoredKey], skip: bool) -> Result<Inserted, u64> {
        let (before, log) = (self.keys.clone(), self.log.len());
        let mut done = Inserted::default();
        for (position, key) in (0..).zip(keys) {
            if self.insert(key.digest, &key.record) {
                done.added += 1;
                if let Some((.., usage)) = self.keys.get_mut(&key.record.id) {
                    *usage = key.usage;
                }
            } else if skip {
                done.skipped += 1;
            } else {
                self.keys = before;
                self.log.truncate(log);
                return Err(position);
            }
        }
        Ok(done)
    }

    fn image(&self, id: KeyId) -> Option<KeyImage> {
        self.keys.get(&id).map(|(digest, record, _)| KeyImage::new(*digest, record.clone()))
    }

    fn change(&mut self, id: KeyId, change: KeyChange) -> Option<Outcome> {
        let before = self.image(id)?;
        if let Some((digest, record, _)) = self.keys.get_mut(&id) {
            change.apply(record);
            self.log.push(*digest);
        }
        Some(Outcome::new(Some(before), self.image(id)))
    }

    fn delete(&mut self, id: KeyId) -> Option<Outcome> {
        let before = self.image(id)?;
        self.keys.remove(&id);
        self.log.push(before.digest);
        Some(Outcome::new(Some(before), None))
    }

    fn page(&self, request: &PageRequest, now: i64) -> Vec<(KeyRecord, Usage)> {
        let mut rows = self.list();
        rows.retain(|(record, _)| {
            let PageRequest { filter: KeyFilter { state, name, .. }, after, .. } = request;
            let expired = !record.never_expires && record.expires_at <= at(now);
            let is = match (record.revoked_at, expired) {
                (Some(_), _) => KeyState::Revoked,
                (None, true) => KeyState::Expired,
                (None, false) => KeyState::Active,
            };
            state.is_none_or(|state| state == is)
                && name.as_ref().is_none_or(|name| record.name.as_str().contains(name))
                && request.filter.owner.as_ref().is_none_or(|owner| record.owner == *owner)
                && after.is_none_or(|after| {
                    (record.created_at, record.id) < (after.created_at, after.id)
                })
        });
        rows.sort_by_key(|(record, _)| Reverse((record.created_at, record.id)));
        rows.truncate(request.limit as usize);
        rows
    }

    fn add(&mut self, writer: u8, number: u64, counts: &[(u32, u64, i64)]) {
        let last = self.batches.entry(writer).or_insert(0);
        if number > *last {
            *last = number;
            for (key, count, used_at) in counts {
                if let Some((.., usage)) = self.keys.get_mut(&id(*key)) {
                    usage.total += count;
                    usage.last_used_at = usage.last_used_at.max(Some(at(*used_at)));
                }
            }
        }
    }

    fn list(&self) -> Vec<(KeyRecord, Usage)> {
        let rows = self.keys.values().map(|(_, record, usage)| (record.clone(), *usage));
        let mut rows: Vec<_> = rows.collect();
        rows.sort_by_key(|(record, usage)| {
            (Reverse(usage.last_used_at), record.created_at, record.id)
        });
        rows
    }
}

/// A handle, and how far it has read the log.
struct Reader {
    handle: Handle,
    mark: Option<LogPosition>,
    read: usize,
}

pub(super) fn any_order_of_calls_does_what_the_model_does(place: &dyn Place) {
    let mut config = Config { cases: place.rounds(), ..Config::default() };
    config.failure_persistence = None::<Box<dyn FailurePersistence>>;
    if let RngSeed::Random = config.rng_seed {
        config.rng_seed = RngSeed::Fixed(u64::from_ne_bytes(random::bytes().expect("a seed")));
    }
    let seed = format!("{:?}", config.rng_seed);
    let calls = proptest::collection::vec((0..2_usize, call()), 1..40);
    let checked = TestRunner::new(config).run(&calls, |calls| {
        let (place, mut model) = (place.another(), Model::default());
        let reader = || Reader { handle: Handle::on(&*place), mark: None, read: 0 };
        let mut readers = [reader(), reader()];
        for (reader, call) in calls {
            compare(&mut readers[reader], &mut model, call)?;
        }
        prop_assert_eq!(readers[0].handle.list(), model.list());
        Ok(())
    });
    if let Err(failure) = checked {
        panic!("{failure}\nto run it again: PROPTEST_RNG_SEED, with {seed}");
    }
}

fn compare(reader: &mut Reader, model: &mut Model, call: Call) -> Result<(), TestCaseError> {
    let handle = &reader.handle;
    match call {
        Call::Insert { id, digest: key, created } => {
            let record = KeyRecord { created_at: at(created), ..record(id) };
            let inserted = match handle.try_insert(digest(key), &record) {
                Ok(()) => true,
                Err(StoreError::Duplicate { .. }) => false,
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            prop_assert_eq!(inserted, model.insert(digest(key), &record));
        }
        Call::InsertAll { keys, skip } => {
            let all = keys.into_iter().map(|(id, key, total)| {
                let last_used_at = (total > 0).then(|| at(5));
                let usage = Usage { total, last_used_at };
                StoredKey { digest: digest(key), record: record(id), usage }
            });
            let all: Vec<_> = all.collect();
            let existing = if skip { Existing::Skip } else { Existing::Refuse };
            let inserted =
                match handle.try_insert_all(all.iter().cloned().map(Ok).collect(), existing) {
                    Ok(inserted) => Ok(inserted),
                    Err(StoreError::Duplicate { position }) => Err(position),
                    Err(error) => return Err(TestCaseError::fail(error.to_string())),
                };
            prop_assert_eq!(inserted, model.insert_all(&all, skip));
        }
        Call::FindId(number) => {
            let expected = model.keys.get(&id(number)).map(|(_, record, _)| record.clone());
            prop_assert_eq!(handle.find_id(number), expected);
        }
        Call::FindDigest(number) => {
            let mut all = model.keys.values();
            let expected = all.find(|(known, ..)| *known == digest(number));
            let found = handle.find(KeyReference::Digest(digest(number)));
            prop_assert_eq!(found, expected.map(|(_, record, _)| record.clone()));
        }
        Call::Change(number, change) => {
            let made = handle.make(Operation::change(id(number), change.clone()));
            prop_assert_eq!(made, model.change(id(number), change));
        }
        Call::Delete(number) => {
            let made = handle.make(Operation::Delete { id: id(number) });
            prop_assert_eq!(made, model.delete(id(number)));
        }
        Call::Page(request, now) => {
            prop_assert_eq!(handle.page(&request, now), model.page(&request, now));
        }
        Call::List => prop_assert_eq!(handle.list(), model.list()),
        Call::Usage(number) => {
            let expected = model.keys.get(&id(number)).map(|(.., usage)| *usage);
            prop_assert_eq!(handle.usage(number), expected);
        }
        Call::Add { writer, number, counts } => {
            handle.add(writer, number, &counts);
            model.add(writer, number, &counts);
        }
        Call::Read => {
            let reading = handle.changes_since(reader.mark);
            match (reading.changed, reader.mark) {
                (Changed::Anything, None) => {}
                (Changed::Keys(found), Some(_)) => {
                    let since: HashSet<_> = model.log[reader.read..].iter().copied().collect();
                    prop_assert_eq!(found.into_iter().collect::<HashSet<_>>(), since);
                }
                (changed, mark) => prop_assert!(false, "{changed:?} after {mark:?}"),
            }
            (reader.mark, reader.read) = (Some(reading.end), model.log.len());
        }
    }
    Ok(())
}

fn call() -> impl Strategy<Value = Call> {
    let key = 0..5_u32;
    let seconds =
        prop_oneof![0..20_i64, Just(Timestamp::MIN.seconds()), Just(Timestamp::MAX.seconds()),];
    let counts = proptest::collection::vec((0..6_u32, 1..1000_u64, seconds.clone()), 0..4);
    prop_oneof![
        3 => (key.clone(), key.clone(), seconds.clone())
            .prop_map(|(id, digest, created)| Call::Insert { id, digest, created }),
        2 => (proptest::collection::vec((key.clone(), key.clone(), 0..3_u64), 0..4), any::<bool>())
            .prop_map(|(keys, skip)| Call::InsertAll { keys, skip }),
        1 => key.clone().prop_map(Call::FindId),
        1 => key.clone().prop_map(Call::FindDigest),
        2 => (key.clone(), seconds.clone())
            .prop_map(|(key, seconds)| Call::Change(key, revoke(seconds))),
        2 => (key.clone(), seconds.clone())
            .prop_map(|(key, seconds)| Call::Change(key, renew(seconds))),
        2 => (key.clone(), edit(seconds.clone()))
            .prop_map(|(key, edit)| Call::Change(key, edit.into())),
        2 => (key.clone(), edit(seconds.clone()), owner()).prop_map(|(key, edit, owner)| {
            Call::Change(key, edit.with_owner(owner_of(&owner)).into())
        }),
        1 => key.clone().prop_map(Call::Delete),
        2 => page(seconds.clone()).prop_map(|(request, now)| Call::Page(request, now)),
        2 => (page(seconds.clone()), owner()).prop_map(|((request, now), owner)| {
            let filter = request.filter.clone().with_owner(owner_of(&owner));
            Call::Page(request.with_filter(filter), now)
        }),
        1 => Just(Call::List),
        1 => key.prop_map(Call::Usage),
        2 => (0..3_u8, 1..6_u64, counts)
            .prop_map(|(writer, number, counts)| Call::Add { writer, number, counts }),
        3 => Just(Call::Read),
    ]
}

fn owner() -> impl Strategy<Value = String> {
    "[ab]{0,1}"
}

fn edit(seconds: impl Strategy<Value = i64>) -> impl Strategy<Value = KeyEdit> {
    let name = proptest::option::of("[ab]{0,3}").prop_map(|name| name.map(|name| name_of(&name)));
    (name, proptest::option::of(seconds.prop_map(at)), proptest::option::of(any::<bool>()))
        .prop_map(|(name, expires_at, never_expires)| KeyEdit {
            name,
            expires_at,
            never_expires,
            ..KeyEdit::default()
        })
}

fn page(seconds: impl Strategy<Value = i64> + Clone) -> impl Strategy<Value = (PageRequest, i64)> {
    let state = proptest::option::of(proptest::sample::select(&KeyState::ALL[..]));
    let name = proptest::option::of("[ab]{0,2}");
    let after = proptest::option::of((seconds.clone(), 0..5_u32)).prop_map(|after| {
        after.map(|(seconds, key)| Cursor { created_at: at(seconds), id: id(key) })
    });
    (state, name, after, 1..4_u32, seconds).prop_map(|(state, name, after, limit, now)| {
        (PageRequest { filter: KeyFilter::new(state, name), after, limit }, now)
    })
}
