//! The triggers that write the change log: missing, disabled, or evaded.

use simple_security::store::{Changed, Existing, StoreError};
use simple_security::{Actor, StoredKey};
use test_support::commits;

use super::servers::hand::Hand;
use super::servers::postgres::Postgres;
use super::{Keys, digest, digests, id, record, wait};

const TABLE: &str = "simple_security.api_keys";
const STATES: &str = "SELECT string_agg(tgenabled::text, '' ORDER BY tgname) FROM pg_trigger
    WHERE tgrelid = 'simple_security.api_keys'::regclass AND tgname LIKE 'log\\_%'";

fn stored(number: u32) -> StoredKey {
    StoredKey::new(digest(number), record(number))
}

fn is_not_logged<T>(changed: Result<T, StoreError>) -> bool {
    matches!(changed, Err(StoreError::NotLogged { .. }))
}

#[test]
fn a_change_that_is_not_logged_is_an_error_and_changes_nothing() {
    let server = Postgres::shared();
    for damage in ["DROP TRIGGER log_{} ON", "ALTER TABLE {table} DISABLE TRIGGER log_{} --"] {
        let damage =
            |verb| format!("{} {TABLE}", damage.replace("{}", verb).replace("{table}", TABLE));
        let url = server.fresh_database();
        let (keys, hand) = (Keys::open(&url), Hand::on(&url));
        keys.insert(1);
        let mut mark = keys.mark();
        let before = wait(keys.0.list()).expect("a list");
        hand.run(&damage("update"));
        assert!(is_not_logged(keys.try_revoke(1)));
        hand.run(&damage("delete"));
        assert!(is_not_logged(commits::delete(&*keys.0, id(1))));
        hand.run(&damage("insert"));
        assert!(is_not_logged(commits::insert(&*keys.0, digest(2), &record(2))));
        let many = (3..2_000).map(stored).map(Ok);
        let many = keys.0.insert_all(Box::new(many), Existing::Refuse, &Actor::Program);
        assert!(is_not_logged(wait(many)));
        assert_eq!(wait(keys.0.list()).expect("a list"), before);
        assert_eq!(keys.changed(&mut mark), []);
        assert!(keys.try_add(1, 1, 5).is_ok(), "counting is no change");
    }
}

#[test]
fn a_change_that_another_trigger_suppresses_is_an_error() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    keys.insert(1);
    hand.run(
        "CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER suppress BEFORE INSERT OR UPDATE OR DELETE ON simple_security.api_keys
             FOR EACH ROW EXECUTE FUNCTION suppress()",
    );
    assert!(is_not_logged(keys.try_revoke(1)));
    assert!(is_not_logged(commits::delete(&*keys.0, id(1))));
    assert!(is_not_logged(commits::insert(&*keys.0, digest(2), &record(2))));
    assert_eq!(wait(keys.0.list()).expect("a list").len(), 1);
}

#[test]
fn triggers_are_restored_when_the_store_is_opened() {
    let server = Postgres::shared();
    for damage in [
        "DROP TRIGGER log_update ON simple_security.api_keys",
        "ALTER TABLE simple_security.api_keys DISABLE TRIGGER ALL",
        "CREATE OR REPLACE TRIGGER log_update AFTER UPDATE OF name ON simple_security.api_keys
             FOR EACH STATEMENT EXECUTE FUNCTION simple_security.log_update();
         ALTER TABLE simple_security.api_keys ENABLE ALWAYS TRIGGER log_update",
        "DROP TRIGGER log_update ON simple_security.api_keys;
         CREATE TRIGGER log_update AFTER UPDATE ON simple_security.api_keys
             REFERENCING OLD TABLE AS removed NEW TABLE AS added
             FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION simple_security.log_update();
         ALTER TABLE simple_security.api_keys ENABLE ALWAYS TRIGGER log_update",
        // It would not fire for a session in the role `replica`.
        "ALTER TABLE simple_security.api_keys ENABLE TRIGGER log_update; SET session_replication_role = replica",
    ] {
        let url = server.fresh_database();
        let (keys, hand) = (Keys::open(&url), Hand::on(&url));
        keys.insert(1);
        let mut mark = keys.mark();
        hand.run(damage);
        hand.run("UPDATE simple_security.api_keys SET revoked_at = 5");
        assert_eq!(keys.changed(&mut mark), [], "{damage}: no log tells of it");
        Keys::open(&url);
        let reading = wait(keys.0.changes_since(Some(mark))).expect("a reading");
        assert_eq!(reading.changed, Changed::Anything, "{damage}: everybody forgets");
        assert_eq!(hand.ask(STATES), ["AAAA"], "{damage}");
        let mut mark = reading.end;
        keys.try_revoke(1).expect("revoked").expect("the key");
        assert_eq!(keys.changed(&mut mark), digests([1]));
        Keys::open(&url);
        assert_eq!(keys.changed(&mut mark), [], "{damage}: the log goes on");
    }
}

#[test]
fn a_replica_role_is_logged_too() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let hand = Hand::on(&url);
    let database = hand.ask("SELECT current_database()").remove(0);
    hand.run(&format!("ALTER DATABASE {database} SET session_replication_role = replica"));
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    assert_eq!(hand.ask("SHOW session_replication_role"), ["replica"]);
    keys.insert(1);
    let mut mark = keys.mark();
    keys.try_revoke(1).expect("revoked").expect("the key");
    assert_eq!(keys.changed(&mut mark), digests([1]));
    hand.run("UPDATE simple_security.api_keys SET name = 'by hand'");
    assert_eq!(keys.changed(&mut mark), digests([1]));
}

#[test]
fn a_key_that_was_revoked_unseen_is_logged_by_the_next_revocation() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    keys.insert(1);
    let mut mark = keys.mark();
    hand.run(
        "ALTER TABLE simple_security.api_keys DISABLE TRIGGER log_update;
         UPDATE simple_security.api_keys SET revoked_at = 5;
         ALTER TABLE simple_security.api_keys ENABLE ALWAYS TRIGGER log_update",
    );
    assert_eq!(keys.changed(&mut mark), []);
    let before = keys.try_revoke(1).expect("revoked").expect("the key");
    assert_eq!(before.revoked_at.map(|at| at.seconds()), Some(5));
    assert_eq!(keys.changed(&mut mark), digests([1]));
}

#[test]
fn a_user_who_may_not_restore_them_is_told_who_may() {
    let server = Postgres::shared();
    let url = server.fresh_database();
    let (keys, hand) = (Keys::open(&url), Hand::on(&url));
    hand.run(
        "CREATE ROLE visitor LOGIN PASSWORD 'visits'; GRANT USAGE ON SCHEMA simple_security TO visitor;
         GRANT ALL ON ALL TABLES IN SCHEMA simple_security TO visitor",
    );
    let visiting = url.replace("postgres@", "visitor:visits@");
    Keys::open(&visiting);
    hand.run("ALTER TABLE simple_security.api_keys DISABLE TRIGGER log_update");
    let refused = Keys::refused(&visiting).to_string();
    for word in ["triggers", "missing or disabled", "owner"] {
        assert!(refused.contains(word), "{refused}");
    }
    drop(keys);
}
