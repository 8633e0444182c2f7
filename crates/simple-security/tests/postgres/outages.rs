//! Servers that do not answer, that die, and that are not the right one.

use std::sync::Arc;
use std::time::Duration;

use simple_security::store::{OpenError, PollOutcome, StoreError};
use tokio::sync::Notify;

use super::servers::hand::Hand;
use super::servers::postgres::Postgres;
use super::servers::proxy::{Proxy, Way};
use super::servers::waiting::until;
use super::{Keys, digests, is_unreachable, timed};

#[test]
fn a_server_that_does_not_answer_is_not_waited_for() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let proxy = Proxy::to(server.port());
    let keys = Keys::open(&proxy.through(&url));
    keys.insert(1);
    let hand = Hand::on(&url);
    let connections =
        || hand.ask("SELECT pid FROM pg_stat_activity WHERE datname = current_database()");
    let mark = keys.mark();
    let before = connections();
    assert!(keys.try_find(1).expect("found").is_some());
    assert_eq!(connections().len(), before.len(), "readings and lookups are made on one");
    let this = hand.ask("SELECT pg_backend_pid()");
    let hanging: Vec<_> =
        before.into_iter().filter(|connection| !this.contains(connection)).collect();
    proxy.set(Way::Stalled);
    for _ in 0..2 {
        let (found, took) = timed(|| keys.try_find(1));
        assert!(is_unreachable(&found), "{found:?}");
        assert!(took < Duration::from_secs(3), "{took:?}");
        let (read, took) = timed(|| keys.try_read(Some(mark)));
        assert!(is_unreachable(&read), "{read:?}");
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    proxy.set(Way::Open);
    until("it is found again", || keys.try_find(1).is_ok_and(|found| found.is_some()));
    until("the log is read again", || keys.try_read(Some(mark)).is_ok());
    until("all that hung are closed", || {
        connections().iter().all(|connection| !hanging.contains(connection))
    });
}

#[test]
fn a_server_that_was_killed_comes_back_as_it_was() {
    let server = Postgres::start();
    let url = server.fresh_database();
    let keys = Keys::open(&url);
    keys.insert(1);
    let mut mark = keys.mark();
    server.kill();
    for _ in 0..2 {
        let found = keys.try_find(1);
        assert!(is_unreachable(&found), "{found:?}");
        let read = keys.try_read(Some(mark));
        assert!(is_unreachable(&read), "{read:?}");
        let revoked = keys.try_revoke(1);
        assert!(is_unreachable(&revoked), "{revoked:?}");
        let added = keys.try_add(1, 1, 1);
        assert!(is_unreachable(&added), "{added:?}");
    }
    let refused = Keys::refused(&url);
    assert!(refused.is_transient(), "{refused}");
    server.restart();
    until("it is found again", || keys.try_find(1).is_ok_and(|found| found.is_some()));
    keys.insert(2);
    assert_eq!(keys.changed(&mut mark), digests([2]));
    keys.try_add(1, 1, 1).expect("added");
    assert_eq!(keys.usage(1).expect("usage").total, 1);
}

#[test]
fn connections_that_the_server_ends_are_made_anew() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    keys.insert(1);
    let mark = keys.mark();
    let others = "FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(hand.ask(&format!("SELECT pid {others}")).len() <= 3, "at most three connections");
    hand.ask(&format!("SELECT pg_terminate_backend(pid) {others}"));
    until("it is found again", || keys.try_find(1).is_ok());
    until("the log is read again", || keys.try_read(Some(mark)).is_ok());
    until("it is changed again", || keys.try_revoke(1).is_ok());
}

#[test]
fn a_batch_whose_commit_was_not_confirmed_is_added_once() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let proxy = Proxy::to(server.port());
    let (keys, beside) = (Keys::open(&proxy.through(&url)), Keys::open(&url));
    keys.insert(1);
    proxy.set(Way::LosesCommit);
    let added = keys.try_add(1, 1, 5);
    assert!(is_unreachable(&added), "{added:?}");
    let total = || beside.usage(1).expect("usage").total;
    until("the commit that was not confirmed", || total() == 5);
    keys.try_add(1, 1, 5).expect("added");
    assert_eq!(total(), 5);
    keys.try_add(2, 1, 1).expect("added");
    assert_eq!(total(), 6);
}

#[test]
fn a_change_whose_commit_was_not_confirmed_is_an_error() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let proxy = Proxy::to(server.port());
    let (keys, beside) = (Keys::open(&proxy.through(&url)), Keys::open(&url));
    keys.insert(1);
    proxy.set(Way::LosesCommit);
    let revoked = keys.try_revoke(1);
    assert!(is_unreachable(&revoked), "{revoked:?}");
    until("the commit that was not confirmed", || {
        beside.try_find(1).expect("found").is_some_and(|record| record.revoked_at.is_some())
    });
}

#[test]
fn a_change_is_heard_of() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    // By the lease alone the store would ask each 30 seconds.
    let keys = Keys::open(&format!("{url}?max_staleness=60"));
    let (asked, refreshed) = (Arc::new(Notify::new()), tokio_count());
    let count = Arc::clone(&refreshed);
    let store = Arc::downgrade(&keys.0);
    let told = Arc::clone(&asked);
    keys.0.poll_changes(Box::new(move || {
        let (store, count, told) = (store.clone(), Arc::clone(&count), Arc::clone(&told));
        Box::pin(async move {
            let Some(store) = store.upgrade() else { return PollOutcome::Gone };
            let fresh = store.changes_since(None).await.is_ok();
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            told.notify_one();
            if fresh { PollOutcome::Fresh } else { PollOutcome::Failed }
        })
    }));
    let count = || refreshed.load(std::sync::atomic::Ordering::SeqCst);
    until("the first reading", || count() > 0);
    let before = count();
    let ((), took) = timed(|| {
        Keys::open(&url).insert(1);
        until("a reading for the change", || count() > before);
    });
    assert!(took < Duration::from_secs(10), "{took:?}");
}

fn tokio_count() -> Arc<std::sync::atomic::AtomicU32> {
    Arc::new(std::sync::atomic::AtomicU32::new(0))
}

#[test]
fn a_standby_is_not_asked() {
    let server = Postgres::start();
    let url = server.fresh_database();
    let keys = Keys::open(&url);
    keys.insert(1);
    let mark = keys.mark();
    server.become_standby();
    for _ in 0..2 {
        let found = keys.try_find(1);
        assert!(is_unreachable(&found), "{found:?}");
        let read = keys.try_read(Some(mark));
        assert!(is_unreachable(&read), "{read:?}");
    }
    let refused = Keys::refused(&url);
    assert!(refused.is_transient(), "{refused:?}");
    let primary = Postgres::shared();
    let other = primary.fresh_database();
    let database = other.rsplit('/').next().expect("a database");
    let both = format!(
        "postgres://postgres@127.0.0.1:{},127.0.0.1:{}/{database}?target_session_attrs=any",
        server.port(),
        primary.port()
    );
    Keys::open(&both).insert(1);
    assert!(Keys::open(&other).try_find(1).expect("found").is_some(), "the primary was asked");
}

#[test]
fn a_store_error_names_the_place() {
    let refused = Keys::refused("postgres://someone:secret@127.0.0.1:1/keys");
    let OpenError::Store(StoreError::Unreachable { place, .. }) = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!(place, "postgres://127.0.0.1:1/keys");
}
