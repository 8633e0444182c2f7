//! A server that has lost its keys never says that a key is unknown.

use simple_security::store::{OpenError, Operation, StoreError};
use simple_security::{Actor, KeyEdit, PageRequest};

use super::servers::redis::Redis;
use super::servers::waiting::eventually;
use super::{Store, at, every_call, find, id, import, insert, make, open, record, revoke, wait};

/// Every call fails, each with the error that `is` knows, once the server is there again.
fn every_call_fails(store: &Store, is: impl Fn(&StoreError) -> bool) {
    eventually("an answer of the server", || match find(store, 1) {
        Err(StoreError::Unreachable { .. }) => None,
        answer => Some(answer),
    })
    .expect_err("a key is unknown");
    eventually("an answer of the server", || match insert(store, 5) {
        Err(StoreError::Unreachable { .. }) => None,
        answer => Some(answer),
    })
    .expect_err("a key is added");
    for (call, done) in every_call(store) {
        let error = done.expect_err(call);
        assert!(is(&error), "{call}: {error}");
    }
}

#[test]
fn a_server_that_comes_back_empty_is_no_store_and_then_another() {
    let mut server = Redis::start_with(&["--appendonly", "no"]);
    let url = format!("{}?may_lose=true", server.url());
    let store = make(&url);
    insert(&store, 1).expect("a key");
    assert_eq!(find(&store, 1).expect("found"), Some(record(1)));
    server.restart();
    every_call_fails(&store, is_not_made);

    let another = make(&url);
    insert(&another, 2).expect("a key");
    every_call_fails(&store, |error| matches!(error, StoreError::AnotherStore { .. }));
    assert_eq!(find(&another, 2).expect("found"), Some(record(2)));
}

#[test]
fn keys_that_are_flushed_while_it_is_open_are_not_unknown() {
    let server = Redis::start();
    let store = make(&server.url());
    insert(&store, 1).expect("a key");
    server.ask(&["FLUSHALL"]);
    every_call_fails(&store, is_not_made);
    assert_eq!(server.ask(&["DBSIZE"]), ":0\r\n", "something was written");
}

fn is_not_made(error: &StoreError) -> bool {
    matches!(error, StoreError::Unusable(cause) if matches!(**cause, OpenError::NotMade { .. }))
}

/// It says that something was lost, and what to do.
fn is_damaged(error: &StoreError) -> bool {
    let StoreError::Unusable(cause) = error else { return false };
    matches!(**cause, OpenError::Unsuitable { .. }) && error.to_string().contains("backup")
}

#[test]
fn digests_that_were_lost_alone_make_no_key_unknown() {
    let server = Redis::start();
    let store = make(&server.url());
    insert(&store, 1).expect("a key");
    assert_eq!(server.ask(&["DEL", "simple-security:digests"]), ":1\r\n");
    for _ in 0..2 {
        for number in [1, 2] {
            let error = find(&store, number).expect_err("a key is unknown");
            assert!(is_damaged(&error), "{error}");
        }
        for error in
            [insert(&store, 2).expect_err("added"), import(&store, 3..5).expect_err("added")]
        {
            assert!(is_damaged(&error), "{error}");
        }
    }
    // A key that is known is revoked all the same.
    assert_eq!(revoke(&store, 1).expect("revoked"), Some(record(1)));
}

#[test]
fn a_record_that_was_lost_alone_makes_no_key_unknown() {
    let server = Redis::start();
    let store = make(&server.url());
    insert(&store, 1).expect("a key");
    insert(&store, 2).expect("a key");
    let key = "simple-security:key:00000000001";
    assert_eq!(server.ask(&["DEL", key]), ":1\r\n");
    let error = find(&store, 1).expect_err("a key is unknown");
    assert!(is_damaged(&error), "{error}");
    assert!(is_damaged(&wait(store.list()).expect_err("a key is left out")));
    assert_eq!(find(&store, 2).expect("found"), Some(record(2)));
    assert_eq!(find(&store, 3).expect("found"), None);
    server.ask(&["COPY", "simple-security:key:00000000002", key]);
    let error = find(&store, 1).expect_err("it is another key");
    assert!(is_damaged(&error), "{error}");
}

#[test]
fn a_commit_with_a_key_that_lost_a_field_changes_nothing() {
    let server = Redis::start();
    for field in ["digest", "name", "created_at", "expires_at", "never_expires"] {
        server.ask(&["FLUSHALL"]);
        let store = make(&server.url());
        insert(&store, 1).expect("a key");
        insert(&store, 2).expect("a key");
        assert_eq!(server.ask(&["HDEL", "simple-security:key:00000000002", field]), ":1\r\n");
        let before = server.ask(&["XLEN", "simple-security:changes"]);
        for last in [Operation::change(id(2), KeyEdit::default()), Operation::Delete { id: id(2) }]
        {
            let operations = vec![Operation::Delete { id: id(1) }, last];
            let error = wait(store.commit(operations, &Actor::Program)).expect_err(field);
            assert!(is_damaged(&error), "{field}: {error}");
        }
        assert_eq!(find(&store, 1).expect("found"), Some(record(1)));
        assert_eq!(server.ask(&["XLEN", "simple-security:changes"]), before, "nothing was logged");
    }
}

#[test]
fn a_list_that_was_lost_alone_is_not_empty() {
    let server = Redis::start();
    let store = make(&server.url());
    for number in 0..2 {
        assert_eq!(wait(store.list()).expect("a list").len(), number as usize);
        insert(&store, number).expect("a key");
    }
    server.ask(&["DEL", "simple-security:by-age"]);
    insert(&store, 5).expect("a key");
    assert!(is_damaged(&wait(store.list()).expect_err("keys are left out")));
    let page = wait(store.page(&PageRequest::default(), at(0)));
    assert!(is_damaged(&page.expect_err("keys are left out")));
    assert_eq!(find(&store, 1).expect("found"), Some(record(1)));
}

#[test]
fn a_store_whose_last_key_was_deleted_is_not_damaged() {
    let server = Redis::start();
    let store = make(&server.url());
    insert(&store, 1).expect("a key");
    assert!(super::commits::delete(&*store, id(1)).expect("deleted").is_some());
    assert_eq!(find(&store, 1).expect("found"), None);
    assert_eq!(wait(store.list()).expect("a list"), []);
    insert(&store, 1).expect("a key");
}

#[test]
fn scripts_that_the_server_has_forgotten_are_sent_again() {
    let server = Redis::start();
    let store = make(&server.url());
    for round in 0..2 {
        for (call, done) in every_call(&store) {
            if round == 0 || !call.starts_with("insert_all") {
                done.expect(call);
            }
            server.ask(&["SCRIPT", "FLUSH"]);
        }
    }
    assert_eq!(find(&open(&server.url()), 1001).expect("found"), Some(record(1001)));
}

#[test]
fn a_primary_that_became_a_replica_is_not_read_from() {
    let (primary, other) = (Redis::start(), Redis::start());
    let store = make(&primary.url());
    insert(&store, 1).expect("a key");
    primary.ask(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
    // Before it has taken over the data of the other, and after.
    for _ in 0..2 {
        for (call, done) in every_call(&store) {
            let error = done.expect_err(call);
            assert!(error.is_outage() || is_not_made(&error), "{call}: {error}");
        }
        eventually("data of the primary", || {
            primary.ask(&["INFO", "replication"]).contains("master_link_status:up").then_some(())
        });
    }
    primary.ask(&["REPLICAOF", "NO", "ONE"]);
    assert!(is_not_made(&find(&store, 1).expect_err("its keys are gone")));
}

#[test]
fn a_primary_that_sees_too_few_replicas_is_not_read_from() {
    let server = Redis::start();
    let store = make(&server.url());
    insert(&store, 1).expect("a key");
    server.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let error = find(&store, 1).expect_err("it may be the wrong half of a network");
    assert!(error.is_outage() && error.to_string().contains("NOREPLICAS"), "{error}");
    server.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    eventually("answer", || find(&store, 1).ok().flatten());
}
