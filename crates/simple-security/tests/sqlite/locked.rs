//! Others hold locks: changes wait and then fail with a clear error, and reading goes on.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use simple_security::store::{OpenError, SqliteStore, StoreError};
use simple_security::{ApiKeys, KeyError, NewKey, VerifyError};

use super::{
    Folder, LEASE, SHORT, beside, by_hand, engine, fake_clock, issue, open, refusal, verify, wait,
};

/// The lock of our writers, as another process holds it.
fn lock_file(database: &Path) -> File {
    let path = beside(database, "write-lock");
    let file = File::options().read(true).write(true).open(path).expect("the side file");
    file.lock().expect("the lock");
    file
}

fn impatient(path: &Path) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open_with_timeout(path, SHORT).expect("the store opens"))
}

#[track_caller]
fn assert_locked(keys: &ApiKeys) {
    let made = wait(keys.issue(NewKey::default()));
    let Err(KeyError::Store(error @ StoreError::Busy { .. })) = made else { panic!("{made:?}") };
    assert!(error.to_string().starts_with("the database is locked by another program"));
}

/// Reading goes on, changes fail, and all is as before when `unlock` is done.
fn check_while_locked<L>(lock: impl FnOnce(&Path) -> L, unlock: impl FnOnce(L)) {
    let (folder, clock) = (Folder::new(), fake_clock());
    let keys = engine(impatient(&folder.database()), &clock);
    let (cached, other) = (issue(&keys), issue(&keys));
    verify(&keys, &cached).expect("verified");
    let held = lock(&folder.database());
    assert_locked(&keys);
    assert!(wait(keys.revoke(cached.record.id)).is_err());
    clock.advance(LEASE);
    verify(&keys, &cached).expect("the log is read");
    verify(&keys, &other).expect("the key is looked up");
    assert!(matches!(wait(keys.verify(b"not issued here")), Err(VerifyError::Unknown)));
    let listed = wait(keys.list()).expect("a list");
    let total = |listed: &[(_, simple_security::Usage)]| -> u64 {
        listed.iter().map(|(_, usage)| usage.total).sum()
    };
    assert_eq!(total(&listed), 3, "what cannot be written yet is shown");
    unlock(held);
    issue(&keys);
    wait(keys.revoke(cached.record.id)).expect("revoked");
    assert!(matches!(verify(&keys, &cached), Err(VerifyError::Revoked(_))));
    drop(keys);
    let listed = wait(engine(open(&folder.database()), &clock).list()).expect("a list");
    assert_eq!((listed.len(), total(&listed)), (3, 3), "nothing was made, nothing was lost");
}

#[test]
fn another_process_of_ours_writes_for_long() {
    check_while_locked(lock_file, drop);
}

#[test]
fn another_program_writes_for_long() {
    let begin = |path: &Path| {
        let connection = by_hand(path);
        connection.execute_batch("BEGIN IMMEDIATE; DELETE FROM api_keys").expect("a write");
        connection
    };
    check_while_locked(begin, |it: Connection| it.execute_batch("ROLLBACK").expect("it ends"));
}

#[test]
fn another_program_reads_for_long() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let keys = engine(impatient(&folder.database()), &clock);
    let first = issue(&keys);
    let reader = by_hand(&folder.database());
    let count = |reader: &Connection| -> i64 {
        reader.query_row("SELECT count(*) FROM api_keys", [], |row| row.get(0)).expect("a count")
    };
    reader.execute_batch("BEGIN").expect("a transaction");
    assert_eq!(count(&reader), 1);
    for _ in 0..20 {
        verify(&keys, &issue(&keys)).expect("it stops neither changes nor lookups");
    }
    wait(keys.revoke(first.record.id)).expect("revoked");
    assert_eq!(count(&reader), 1, "it reads what was there when it began");
}

#[test]
fn a_database_that_is_locked_is_not_opened() {
    let folder = Folder::new();
    drop(open(&folder.database()));
    let held = lock_file(&folder.database());
    let error = refusal(&folder.database());
    assert!(matches!(error, OpenError::Store(StoreError::Busy { .. })), "{error}");
    drop(held);
    impatient(&folder.database());
    let writing = by_hand(&folder.database());
    writing.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").expect("a lock");
    let error = refusal(&folder.database());
    assert!(matches!(error, OpenError::Store(StoreError::Busy { .. })), "{error}");
    drop(writing);
    impatient(&folder.database());
}

#[test]
fn an_old_file_that_is_in_use_is_not_moved() {
    let folder = Folder::new();
    let old = by_hand(&folder.database());
    old.execute_batch(
        "CREATE TABLE fastapi_simple_security (
             api_key TEXT PRIMARY KEY, is_active INTEGER, never_expire INTEGER,
             expiration_date TEXT, latest_query_date TEXT, total_queries INTEGER, name TEXT);
         INSERT INTO fastapi_simple_security VALUES ('an-old-key', 1, 1, NULL, NULL, 0, NULL);",
    )
    .expect("an old file");
    for lock in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        old.execute_batch(lock).expect("a lock");
        let error = refusal(&folder.database());
        assert!(matches!(error, OpenError::Store(StoreError::Busy { .. })), "{lock}: {error}");
        old.execute_batch("ROLLBACK").expect("no lock");
        let still = "SELECT count(*) FROM fastapi_simple_security";
        let rows: i64 = old.query_row(still, [], |row| row.get(0)).expect("the old table");
        assert_eq!(rows, 1);
    }
    drop(old);
    let keys = engine(open(&folder.database()), &fake_clock());
    wait(keys.verify(b"an-old-key")).expect("the key was moved");
}

#[test]
fn a_side_file_that_was_deleted_does_not_part_the_writers() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let keys = engine(impatient(&folder.database()), &clock);
    issue(&keys);
    std::fs::remove_file(beside(&folder.database(), "write-lock")).expect("it is deleted");
    let other = engine(impatient(&folder.database()), &clock);
    let held = lock_file(&folder.database());
    for keys in [&keys, &other] {
        assert_locked(keys);
    }
    drop(held);
    for keys in [&keys, &other] {
        issue(keys);
    }
}
