//! The Redis store: what it refuses, what happens to its server, and what is lost on the way.

use std::sync::Arc;

use simple_security::store::Location;
use simple_security::store::{self, Existing, KeyStore, OpenError, StoreError, UsageBatch};
use simple_security::{Actor, KeyChange, KeyRecord, KeyReference, PageRequest, StoredKey};
use test_support::records::{at, digest, id, record};
use test_support::{commits, servers, wait};

mod encrypted;
mod full;
mod hints;
mod killed;
mod lost;
mod opening;
mod proxied;
mod requirements;

type Store = Arc<dyn KeyStore>;

fn location(url: &str) -> Location {
    Location::parse(url).expect("a location")
}

fn try_open(url: &str) -> Result<Store, OpenError> {
    store::open(&location(url))
}

fn try_make(url: &str) -> Result<Store, OpenError> {
    store::make(&location(url))
}

#[track_caller]
fn open(url: &str) -> Store {
    try_open(url).expect("the store opens")
}

#[track_caller]
fn make(url: &str) -> Store {
    try_make(url).expect("the store is made")
}

/// Why it cannot be opened.
#[track_caller]
fn refused(url: &str) -> OpenError {
    match try_open(url) {
        Ok(_) => panic!("{url} is opened"),
        Err(error) => error,
    }
}

fn stored(number: u32) -> StoredKey {
    StoredKey::new(digest(number), record(number))
}

fn insert(store: &Store, number: u32) -> Result<(), StoreError> {
    commits::insert(&**store, digest(number), &record(number))
}

fn revoke(store: &Store, number: u32) -> Result<Option<KeyRecord>, StoreError> {
    let revoked = commits::change(&**store, id(number), KeyChange::revoke(at(200)))?;
    Ok(revoked.and_then(|outcome| outcome.before).map(|image| image.record))
}

fn find(store: &Store, number: u32) -> Result<Option<KeyRecord>, StoreError> {
    wait(store.find(KeyReference::Digest(digest(number))))
}

fn import(store: &Store, numbers: std::ops::Range<u32>) -> Result<u64, StoreError> {
    let keys: Vec<_> = numbers.map(|number| Ok(stored(number))).collect();
    let imported =
        wait(store.insert_all(Box::new(keys.into_iter()), Existing::Refuse, &Actor::Program));
    imported.map(|inserted| inserted.added)
}

/// A batch of one for each of the keys.
fn batch(number: u64, keys: std::ops::Range<u32>) -> UsageBatch {
    let counts = keys.map(|key| (id(key), 1, at(300))).collect();
    UsageBatch { writer: [7; 16], number, made_at: at(1000), counts }
}

/// Every call of a store, and how it went.
fn every_call(store: &Store) -> Vec<(&'static str, Result<(), StoreError>)> {
    let request = PageRequest::default();
    vec![
        ("insert", insert(store, 1000)),
        ("insert_all", import(store, 1001..1003).map(drop)),
        ("insert_all of none", import(store, 0..0).map(drop)),
        ("find", find(store, 1000).map(drop)),
        ("find by id", wait(store.find(KeyReference::Id(id(1000)))).map(drop)),
        ("change", revoke(store, 1000).map(drop)),
        ("page", wait(store.page(&request, at(0))).map(drop)),
        ("list", wait(store.list()).map(drop)),
        ("usage", wait(store.usage(id(1000))).map(drop)),
        ("add_usage", wait(store.add_usage(&batch(1, 1000..1002)))),
        ("reading", wait(store.changes_since(None)).map(drop)),
        ("delete", commits::delete(&**store, id(1000)).map(drop)),
    ]
}
