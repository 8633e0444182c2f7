//! Opening: by many at once, by two versions, and where something is wrong.

use futures_util::FutureExt;
use simple_security::Actor;
use simple_security::store::{OpenError, Operation, StoreError};

use super::servers::hand::Hand;
use super::servers::postgres::Postgres;
use super::servers::waiting::until;
use super::{KeyChange, KeyReference, Keys, at, digest, digests, id};

#[test]
fn ten_open_an_empty_database_at_once() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let opened: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..10).map(|_| scope.spawn(|| Keys::open(&url))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it opens")).collect()
    });
    let mut mark = opened[0].mark();
    opened[3].insert(1);
    for keys in &opened {
        assert_eq!(keys.changed(&mut mark.clone()), digests([1]));
        assert!(keys.try_find(1).expect("found").is_some());
    }
    assert_eq!(opened[9].changed(&mut mark), digests([1]));
    let settings = Hand::on(&url).ask("SELECT store_id FROM simple_security.settings");
    assert_eq!(settings.len(), 1);
}

#[test]
fn one_that_only_opens_holds_up_nobody_and_waits_for_nobody() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    drop(Keys::open(&url));
    let hand = Hand::on(&url);
    // The lock of those that make tables, and the one of those that change keys.
    hand.run(
        "BEGIN; SELECT pg_advisory_xact_lock(8316298516539598179);
         SELECT FROM simple_security.change_head FOR UPDATE;
         SELECT FROM simple_security.settings FOR UPDATE",
    );
    let keys = Keys::open(&url);
    assert!(keys.try_find(1).expect("found").is_none());
}

#[test]
fn versions_work_side_by_side_as_far_as_the_tables_allow() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (before, hand) = (Keys::open(&url), Hand::on(&url));
    hand.run(
        "UPDATE simple_security.settings SET schema = 99, minimum_reader = 1;
         ALTER TABLE simple_security.api_keys ADD COLUMN colour text;
         ALTER TABLE simple_security.settings ADD COLUMN colour text",
    );
    let older = Keys::open(&url);
    let mut mark = before.mark();
    older.insert(1);
    assert_eq!(before.changed(&mut mark), digests([1]));
    assert_eq!(hand.ask("SELECT schema FROM simple_security.settings"), ["99"]);
    hand.run("UPDATE simple_security.settings SET minimum_reader = 98");
    let refused = Keys::refused(&url);
    assert!(matches!(refused, OpenError::NewerSchema { found: 99, .. }), "{refused:?}");
    assert!(refused.to_string().contains("Install the newer version"), "{refused}");
}

#[test]
fn a_store_that_has_lost_its_tables_says_so() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    keys.insert(1);
    let mark = keys.mark();
    for loss in [
        "ALTER SCHEMA simple_security RENAME TO elsewhere",
        "ALTER SCHEMA elsewhere RENAME TO simple_security;
         DELETE FROM simple_security.settings",
        "DROP SCHEMA simple_security CASCADE",
    ] {
        hand.run(loss);
        for refused in [
            keys.try_find(1).err(),
            keys.try_find(2).err(),
            keys.try_read(Some(mark)).err(),
            keys.try_revoke(1).err(),
            keys.try_add(1, 1, 1).err(),
        ] {
            let refused = refused.expect("an error, and not an unknown key");
            let is_clear = match &refused {
                StoreError::Unusable(cause) => matches!(**cause, OpenError::NotMade { .. }),
                refused => matches!(refused, StoreError::AnotherStore { .. }),
            };
            assert!(is_clear && !refused.is_outage(), "{loss}: {refused:?}");
        }
    }
}

#[test]
fn another_store_at_the_place_is_noticed() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    keys.insert(1);
    let mark = keys.mark();
    hand.run("DROP SCHEMA simple_security CASCADE");
    let other = Keys::open(&url);
    other.insert(1);
    let is_another = |error: Option<StoreError>| {
        assert!(matches!(error, Some(StoreError::AnotherStore { .. })), "{error:?}");
    };
    is_another(keys.try_find(1).err());
    is_another(keys.try_find(2).err());
    is_another(keys.try_read(Some(mark)).err());
    is_another(keys.try_revoke(1).err());
    is_another(keys.try_add(1, 1, 1).err());
    assert_eq!(other.try_find(1).expect("found").expect("the record").revoked_at, None);
    assert_eq!(other.usage(1).expect("usage").total, 0);
}

#[test]
fn bounds_are_kept_for_all() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let first = Keys::open(&format!("{url}?max_staleness=5&stale_if_error=2.5"));
    let other = Keys::open(&url);
    assert_eq!(first.0.lease(), other.0.lease());
    assert_eq!(other.0.stale_if_error().as_millis(), 2500);
    drop(Keys::open(&format!("{url}?max_staleness=5")));
    let refused = Keys::refused(&format!("{url}?max_staleness=4"));
    assert!(matches!(refused, OpenError::OtherBound { .. }), "{refused:?}");
}

#[test]
fn what_is_wrong_with_a_place_is_said_without_the_password() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    Hand::on(&url).run("CREATE ROLE someone LOGIN PASSWORD 'hunter2right'");
    let database = url.rsplit('/').next().expect("a database");
    let host = format!("127.0.0.1:{}", server.port());
    for (url, expected) in [
        (format!("postgres://someone:hunter2wrong@{host}/{database}"), "password"),
        (format!("postgres://someone:hunter2right@{host}/{database}"), "CREATE SCHEMA"),
        (format!("postgres://someone@{host}/{database}"), "password"),
        (format!("postgres://postgres:hunter2@{host}/no_such_database"), "no_such_database"),
        (format!("postgres://someone:hunter2@{host}/{database}?a_hunter2_b=1"), "cannot be read"),
    ] {
        let refused = Keys::refused(&url);
        assert!(matches!(refused, OpenError::Unsuitable { .. }), "{url}: {refused:?}");
        let said = format!("{refused} {refused:?}");
        assert!(said.contains(expected) && !said.contains("hunter2"), "{said}");
    }
    let refused = Keys::refused("postgres://someone:hunter2@127.0.0.1:1/keys");
    assert!(refused.is_transient() && !format!("{refused} {refused:?}").contains("hunter2"));
}

#[test]
fn who_may_not_make_a_schema_has_it_made() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let hand = Hand::on(&url);
    hand.run(
        "CREATE ROLE keeper LOGIN PASSWORD 'kept'; CREATE SCHEMA simple_security AUTHORIZATION keeper",
    );
    let keys = Keys::open(&url.replace("postgres@", "keeper:kept@"));
    let mut mark = keys.mark();
    keys.insert(1);
    hand.run(
        "CREATE ROLE clerk; GRANT USAGE ON SCHEMA simple_security TO clerk;
         GRANT SELECT, UPDATE ON simple_security.api_keys TO clerk;
         SET ROLE clerk; UPDATE simple_security.api_keys SET revoked_at = 5",
    );
    assert_eq!(keys.changed(&mut mark), digests([1, 1]), "also of one who may not write the log");
}

#[test]
fn any_runtime_and_none_can_wait_for_it() {
    let server = Postgres::shared();
    let keys = Keys::open(&server.fresh_database());
    keys.insert(1);
    // One that has neither a clock nor sockets of its own.
    let bare = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for _ in 0..2 {
        let found = bare.block_on(keys.0.find(KeyReference::Digest(digest(1))));
        assert!(found.expect("found").is_some());
        assert!(bare.block_on(keys.0.changes_since(None)).is_ok());
        assert!(keys.try_find(1).expect("found").is_some());
    }
    // Who gives up takes nothing back: what was begun is done.
    let revoke = Operation::change(id(1), KeyChange::revoke(at(200)));
    let revoked = keys.0.commit(vec![revoke], &Actor::Program);
    assert!(revoked.now_or_never().is_none(), "it was begun, and is not done yet");
    until("the change is made", || {
        keys.try_find(1).expect("found").is_some_and(|record| record.revoked_at.is_some())
    });
}
