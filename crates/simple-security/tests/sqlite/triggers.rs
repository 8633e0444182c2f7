//! The triggers that write the change log: missing, changed, switched off, or evaded.

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use simple_security::store::{Existing, StoreError};
use simple_security::{
    ApiKeys, ImportedKey, IssuedKey, KeyEdit, KeyError, KeyMaterial, KeyName, NewKey, Renewal,
    VerifyError,
};

use super::{Folder, LEASE, by_hand, engine, fake_clock, issue, open, verify, wait};

const TRIGGERS: &str = include_str!("../../src/store/sqlite/migrations/triggers.sql");

/// Another program, which has switched triggers off for itself.
fn without_triggers(folder: &Folder) -> Connection {
    let connection = by_hand(&folder.database());
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)
        .expect("triggers are off");
    connection
}

fn is_not_logged<T: std::fmt::Debug>(changed: Result<T, KeyError>) -> bool {
    matches!(&changed, Err(KeyError::Store(StoreError::NotLogged { place })) if place.ends_with("keys.db"))
}

#[test]
fn a_change_that_is_not_logged_is_an_error_and_changes_nothing() {
    type Verb = fn(&ApiKeys, &IssuedKey) -> bool;
    let verbs: [(&str, Verb); 6] = [
        ("api_keys_update", |keys, key| is_not_logged(wait(keys.revoke(key.record.id)))),
        ("api_keys_update", |keys, key| {
            is_not_logged(wait(keys.renew(key.record.id, Renewal::DefaultLifetime)))
        }),
        ("api_keys_update", |keys, key| {
            let edit = KeyEdit::default().with_name(KeyName::new("x").expect("a name"));
            is_not_logged(wait(keys.edit(key.record.id, edit)))
        }),
        ("api_keys_delete", |keys, key| is_not_logged(wait(keys.delete(key.record.id)))),
        ("api_keys_insert", |keys, _| is_not_logged(wait(keys.issue(NewKey::default())))),
        ("api_keys_insert", |keys, _| {
            is_not_logged(wait(
                keys.import("a-key-of-32-characters-or-a-few-more", NewKey::default()),
            ))
        }),
    ];
    for (trigger, verb) in verbs {
        let (folder, clock) = (Folder::new(), fake_clock());
        let keys = engine(open(&folder.database()), &clock);
        let issued = issue(&keys);
        by_hand(&folder.database())
            .execute_batch(&format!("DROP TRIGGER {trigger}"))
            .expect("gone");
        let before = wait(keys.list()).expect("a list");
        assert!(verb(&keys, &issued), "{trigger}");
        assert_eq!(wait(keys.list()).expect("a list"), before, "{trigger}");
        verify(&keys, &issued).expect("the error says that it is as it was");
    }
}

/// SQLite reports no row as changed then, and no error.
#[test]
fn a_change_that_another_trigger_suppresses_is_an_error() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let keys = engine(open(&folder.database()), &clock);
    let issued = issue(&keys);
    let hand = by_hand(&folder.database());
    for verb in ["INSERT", "UPDATE", "DELETE"] {
        let create = format!(
            "CREATE TRIGGER suppress_{verb} BEFORE {verb} ON api_keys BEGIN SELECT RAISE(IGNORE); END"
        );
        hand.execute_batch(&create).expect("a trigger");
    }
    let before = wait(keys.list()).expect("a list");
    assert!(is_not_logged(wait(keys.issue(NewKey::default()))));
    assert!(is_not_logged(wait(keys.revoke(issued.record.id))));
    assert!(is_not_logged(wait(keys.delete(issued.record.id))));
    assert_eq!(wait(keys.list()).expect("a list"), before);
}

#[test]
fn many_keys_that_are_not_logged_are_not_added() {
    let folder = Folder::new();
    let keys = engine(open(&folder.database()), &fake_clock());
    by_hand(&folder.database()).execute_batch("DROP TRIGGER api_keys_insert").expect("gone");
    let texts = ["a-first-key-of-32-characters-or-more", "a-second-key-of-32-characters-or-more"];
    let used = texts.map(|text| {
        keys.prepare_import(ImportedKey::new(KeyMaterial::Plain(text.into()))).expect("a key")
    });
    let source = Box::new(used.into_iter().map(Ok));
    assert!(is_not_logged(wait(keys.import_all(source, Existing::Refuse))));
    assert!(wait(keys.list()).expect("a list").is_empty());
}

#[test]
fn triggers_are_restored_when_the_database_is_opened() {
    for damage in [
        "DROP TRIGGER api_keys_update",
        "DROP TRIGGER api_keys_update;
         CREATE TRIGGER api_keys_update AFTER UPDATE ON api_keys BEGIN SELECT 1; END",
        // As tools rebuild a table of which they change a column.
        "CREATE TABLE rebuilt AS SELECT * FROM api_keys; DROP TABLE api_keys;
         ALTER TABLE rebuilt RENAME TO api_keys",
    ] {
        let (folder, clock) = (Folder::new(), fake_clock());
        let keys = engine(open(&folder.database()), &clock);
        let issued = issue(&keys);
        verify(&keys, &issued).expect("it is cached");
        let hand = by_hand(&folder.database());
        hand.execute_batch(&format!("PRAGMA foreign_keys = OFF; {damage}")).expect(damage);
        hand.execute_batch("UPDATE api_keys SET revoked_at = 5").expect("revoked unseen");
        clock.advance(LEASE);
        verify(&keys, &issued).expect("no log tells of it");
        let other = engine(open(&folder.database()), &clock);
        clock.advance(LEASE);
        for keys in [&keys, &other] {
            assert!(matches!(verify(keys, &issued), Err(VerifyError::Revoked(_))), "{damage}");
        }
        let renewed = wait(other.renew(issued.record.id, Renewal::DefaultLifetime))
            .expect("it is logged again");
        assert!(renewed.was_revoked);
        verify(&keys, &issued).expect("all see it");
    }
}

#[test]
fn triggers_that_are_right_are_left_alone() {
    let folder = Folder::new();
    let store = open(&folder.database());
    let mark = wait(store.changes_since(None)).expect("a reading").end;
    let again = open(&folder.database());
    let reading = wait(again.changes_since(Some(mark))).expect("a reading");
    assert_eq!(reading.end, mark, "the log goes on");
}

/// Whatever the row says already, a change by the engine reaches everybody.
#[test]
fn a_key_that_was_revoked_unseen_is_revoked_for_all_by_the_next_revocation() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let keys = engine(open(&folder.database()), &clock);
    let other = engine(open(&folder.database()), &clock);
    let issued = issue(&keys);
    without_triggers(&folder).execute("UPDATE api_keys SET revoked_at = 5", []).expect("unseen");
    for keys in [&keys, &other] {
        assert!(matches!(verify(keys, &issued), Err(VerifyError::Revoked(_))), "it was not cached");
    }
    without_triggers(&folder).execute("UPDATE api_keys SET revoked_at = NULL", []).expect("unseen");
    wait(keys.renew(issued.record.id, Renewal::DefaultLifetime)).expect("renewed");
    for keys in [&keys, &other] {
        verify(keys, &issued).expect("renewed");
    }
    without_triggers(&folder).execute("UPDATE api_keys SET revoked_at = 5", []).expect("unseen");
    clock.advance(LEASE);
    verify(&other, &issued).expect("it is cached, and no log tells of the change");
    wait(keys.revoke(issued.record.id)).expect("revoked");
    for keys in [&keys, &other] {
        assert!(matches!(verify(keys, &issued), Err(VerifyError::Revoked(_))));
    }
}

#[test]
fn rows_that_or_replace_takes_away_are_seen() {
    let columns = "id, digest, name, created_at, expires_at, never_expires, revoked_at";
    let others = "zeroblob(32), 'by hand', 1, 9000000000, 1, NULL";
    let statements = [
        format!(
            "INSERT OR REPLACE INTO api_keys ({columns})
             SELECT id, {others} FROM api_keys WHERE id = ?1"
        ),
        format!(
            "INSERT OR REPLACE INTO api_keys (rowid, {columns})
             SELECT rowid, 'abcdefghijk', {others} FROM api_keys WHERE id = ?1"
        ),
        format!(
            "INSERT OR REPLACE INTO api_keys ({columns})
             SELECT 'abcdefghijk', digest, name, 1, 2, 0, 5 FROM api_keys WHERE id = ?1"
        ),
        "UPDATE OR REPLACE api_keys SET id = ?1 WHERE id <> ?1".to_owned(),
        "UPDATE OR REPLACE api_keys SET rowid = (SELECT rowid FROM api_keys WHERE id = ?1)
         WHERE id <> ?1"
            .to_owned(),
        "UPDATE OR REPLACE api_keys
         SET digest = (SELECT digest FROM api_keys WHERE id = ?1), revoked_at = 5 WHERE id <> ?1"
            .to_owned(),
    ];
    for statement in statements {
        let (folder, clock) = (Folder::new(), fake_clock());
        let keys = engine(open(&folder.database()), &clock);
        let (issued, other) = (issue(&keys), issue(&keys));
        verify(&keys, &issued).expect("it is cached");
        verify(&keys, &other).expect("it is cached");
        let hand = by_hand(&folder.database());
        assert_eq!(hand.execute(&statement, [issued.record.id.as_str()]).expect(&statement), 1);
        clock.advance(LEASE);
        let left = verify(&keys, &issued);
        assert!(
            matches!(left, Err(VerifyError::Unknown | VerifyError::Revoked(_))),
            "{statement}: {left:?}"
        );
    }
}

#[test]
fn the_file_of_triggers_can_be_run_again() {
    let folder = Folder::new();
    drop(open(&folder.database()));
    let hand = by_hand(&folder.database());
    for _ in 0..2 {
        hand.execute_batch(TRIGGERS).expect("the triggers");
    }
}
