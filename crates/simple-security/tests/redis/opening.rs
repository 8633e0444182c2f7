//! A store is made once, on purpose, and opened by all.

use std::time::Duration;

use simple_security::KeyReference;
use simple_security::store::{OpenError, StoreError};

use super::servers::redis::Redis;
use super::{digest, every_call, find, insert, make, open, record, refused, try_make};

#[test]
fn a_server_without_a_store_is_not_given_one() {
    let server = Redis::start();
    let error = refused(&server.url());
    assert!(matches!(error, OpenError::NotMade { .. }), "{error}");
    assert_eq!(server.ask(&["DBSIZE"]), ":0\r\n");
}

#[test]
fn a_store_that_is_there_is_not_made_anew() {
    let server = Redis::start();
    let first = make(&server.url());
    insert(&first, 1).expect("a key");
    let second = make(&server.url());
    assert_eq!(find(&second, 1).expect("found"), Some(record(1)));
    for (call, done) in every_call(&first).into_iter().chain(every_call(&open(&server.url()))) {
        // The second time some keys are there already.
        let done = done.or_else(|error| match error {
            StoreError::Duplicate { .. } => Ok(()),
            error => Err(error),
        });
        done.expect(call);
    }
}

#[test]
fn all_have_the_bounds_that_the_store_was_made_with() {
    let server = Redis::start();
    let url = |parameters: &str| format!("{}?{parameters}", server.url());
    let made = make(&url("max_staleness=5&stale_if_error=7"));
    for store in [&made, &open(&server.url()), &open(&url("max_staleness=5"))] {
        assert_eq!(store.lease(), Duration::from_millis(4950));
        assert_eq!(store.stale_if_error(), Duration::from_secs(7));
        assert!(!store.is_embedded());
    }
    for other in ["max_staleness=4", "stale_if_error=8", "max_staleness=5&stale_if_error=0"] {
        let error = refused(&url(other));
        assert!(matches!(error, OpenError::OtherBound { .. }), "{error}");
        let made = try_make(&url(other)).err().expect("others are made");
        assert!(matches!(made, OpenError::OtherBound { .. }), "{made}");
    }
}

#[test]
fn a_store_of_a_newer_format_is_left_as_it_is() {
    let server = Redis::start();
    make(&server.url());
    server.ask(&["HSET", "simple-security:store", "minimum", "2"]);
    let error = refused(&server.url());
    assert!(matches!(error, OpenError::NewerSchema { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn keys_without_their_store_are_no_new_store() {
    let server = Redis::start();
    insert(&make(&server.url()), 1).expect("a key");
    server.ask(&["DEL", "simple-security:store"]);
    assert!(matches!(refused(&server.url()), OpenError::NotMade { .. }));
    let error = try_make(&server.url()).err().expect("it is made");
    assert!(matches!(error, OpenError::Unsuitable { .. }), "{error}");
    assert!(error.to_string().contains("backup"), "{error}");
}

#[test]
fn databases_of_one_server_are_apart() {
    let server = Redis::start();
    let (one, other) = (make(&server.database(0)), make(&server.database(1)));
    insert(&one, 1).expect("a key");
    assert_eq!(find(&other, 1).expect("found"), None);
    let error = refused(&server.database(99_999));
    assert!(error.to_string().contains("DB index"), "{error}");
}

#[test]
fn it_is_asked_from_any_runtime_or_none() {
    let server = Redis::start();
    drop(make(&server.url()));
    let ask = || async {
        // It waits, and is dropped, on the thread of the runtime too.
        let store = open(&server.url());
        store.find(KeyReference::Digest(digest(1))).await.expect("found");
    };
    pollster::block_on(ask());
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(ask());
    tokio::runtime::Builder::new_multi_thread().build().expect("a runtime").block_on(ask());
}
