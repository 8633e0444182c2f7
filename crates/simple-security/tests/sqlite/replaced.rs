//! The file is replaced, restored or taken away while it is open.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::backup::Backup;
use simple_security::clock::FakeClock;
use simple_security::store::StoreError;
use simple_security::{Denied, IssuedKey, KeyError, NewKey};

use super::{Folder, LEASE, beside, by_hand, engine, fake_clock, issue, open, verify, wait};

/// A database elsewhere with one key in it.
fn other_database(folder: &Folder, clock: &Arc<FakeClock>) -> (PathBuf, IssuedKey) {
    let path = folder.path().join("other.db");
    let issued = issue(&engine(open(&path), clock));
    assert!(!beside(&path, "wal").exists(), "it was closed");
    (path, issued)
}

/// What `sqlite3 to ".restore from"` does.
fn restore(from: &Path, to: &Path) {
    let (source, mut target) = (by_hand(from), by_hand(to));
    let backup = Backup::new(&source, &mut target).expect("a backup");
    backup.run_to_completion(100, Duration::ZERO, None).expect("a copy");
}

fn whole(path: &Path) -> bool {
    let check = "PRAGMA integrity_check";
    by_hand(path).query_row(check, [], |row| row.get::<_, String>(0)).expect(check) == "ok"
}

#[test]
fn a_file_that_was_replaced_is_opened_anew() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let path = folder.database();
    let engines = [engine(open(&path), &clock), engine(open(&path), &clock)];
    let old = issue(&engines[0]);
    for keys in &engines {
        verify(keys, &old).expect("verified");
    }
    let (other, new) = other_database(&folder, &clock);
    std::fs::rename(other, &path).expect("a new file");
    for keys in &engines {
        clock.advance(LEASE);
        assert!(matches!(verify(keys, &old), Err(Denied::Unknown)));
        verify(keys, &new).expect("the key in the new file");
    }
    let later = issue(&engines[1]);
    let fresh = engine(open(&path), &clock);
    for keys in engines.iter().chain([&fresh]) {
        assert!(verify(keys, &old).is_err());
        for issued in [&new, &later] {
            verify(keys, issued).expect("verified");
        }
        assert_eq!(wait(keys.list()).expect("a list").len(), 2);
    }
    drop((engines, fresh));
    assert!(whole(&path));
    let again = engine(open(&path), &clock);
    assert_eq!(wait(again.list()).expect("a list").len(), 2);
}

#[test]
fn a_change_goes_to_the_new_file() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let path = folder.database();
    let keys = engine(open(&path), &clock);
    issue(&keys);
    let (other, new) = other_database(&folder, &clock);
    std::fs::rename(other, &path).expect("a new file");
    wait(keys.revoke(new.record.id)).expect("the first call after the file was replaced");
    drop(keys);
    assert!(matches!(verify(&engine(open(&path), &clock), &new), Err(Denied::Revoked(_))));
    assert!(whole(&path));
}

#[test]
fn a_replaced_file_is_not_mixed_with_the_old_log_after_a_stop() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let path = folder.database();
    let keys = engine(open(&path), &clock);
    let old = issue(&keys);
    let (other, new) = other_database(&folder, &clock);
    let kept = folder.path().join("kept.db");
    std::fs::rename(&path, &kept).expect("the old file elsewhere");
    std::fs::rename(other, &path).expect("a new file");
    drop(keys);
    let keys = engine(open(&path), &clock);
    verify(&keys, &new).expect("verified");
    assert!(matches!(verify(&keys, &old), Err(Denied::Unknown)));
    drop(keys);
    assert!(whole(&path) && whole(&kept));
    let old_keys = engine(open(&kept), &clock);
    verify(&old_keys, &old).expect("what was last written was not lost with the log");
}

#[test]
fn a_file_that_is_gone_is_no_empty_store() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let (path, away) = (folder.database(), folder.path().join("away.db"));
    let keys = engine(open(&path), &clock);
    let issued = issue(&keys);
    verify(&keys, &issued).expect("verified");
    std::fs::rename(&path, &away).expect("it is gone");
    verify(&keys, &issued).expect("the lease holds");
    clock.advance(LEASE);
    for _ in 0..2 {
        let denied = verify(&keys, &issued).expect_err("a refusal");
        let Denied::Unavailable(error) = denied else { panic!("{denied}") };
        assert!(matches!(*error, StoreError::Gone { .. }), "{error}");
        let unknown = wait(keys.verify(b"no key of ours"));
        assert!(matches!(unknown, Err(Denied::Unavailable(_))));
        let made = wait(keys.issue(NewKey::default()));
        assert!(matches!(made, Err(KeyError::Store(StoreError::Gone { .. }))), "{made:?}");
        assert!(matches!(wait(keys.list()), Err(KeyError::Store(StoreError::Gone { .. }))));
        assert!(!path.exists(), "a new file was made");
    }
    std::fs::rename(&away, &path).expect("it is back");
    verify(&keys, &issued).expect("verified");
    wait(keys.revoke(issued.record.id)).expect("revoked");
    assert!(matches!(verify(&keys, &issued), Err(Denied::Revoked(_))));
    drop(keys);
    assert!(whole(&path));
}

#[test]
fn an_older_copy_that_is_restored_into_the_file_is_read_anew() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let (path, backup) = (folder.database(), folder.path().join("backup.db"));
    let keys = engine(open(&path), &clock);
    let early = issue(&keys);
    restore(&path, &backup);
    let late = issue(&keys);
    wait(keys.revoke(early.record.id)).expect("revoked");
    assert!(matches!(verify(&keys, &early), Err(Denied::Revoked(_))));
    verify(&keys, &late).expect("verified");
    restore(&backup, &path);
    clock.advance(LEASE);
    assert!(matches!(verify(&keys, &late), Err(Denied::Unknown)), "it was issued later");
    verify(&keys, &early).expect("it was revoked later");
    let newest = issue(&keys);
    verify(&keys, &newest).expect("positions go on from those of the copy, with other marks");
    drop(keys);
    assert!(whole(&path));
}

#[test]
fn a_file_with_another_lease_is_for_another_process() {
    for restored in [false, true] {
        let (folder, clock) = (Folder::new(), fake_clock());
        let path = folder.database();
        let keys = engine(open(&path), &clock);
        let issued = issue(&keys);
        let (other, new) = other_database(&folder, &clock);
        let shorter = "UPDATE settings SET value = 5000 WHERE name = 'lease_microseconds'";
        by_hand(&other).execute_batch(shorter).expect("a shorter lease");
        verify(&keys, &issued).expect("verified");
        if restored {
            restore(&other, &path);
        } else {
            std::fs::rename(&other, &path).expect("a new file");
        }
        for _ in 0..2 {
            let error = wait(keys.revoke(new.record.id)).expect_err("a refusal");
            assert!(matches!(error, KeyError::Store(StoreError::AnotherStore { .. })), "{error}");
            clock.advance(LEASE);
            let denied = verify(&keys, &new).expect_err("a refusal");
            let Denied::Unavailable(error) = denied else { panic!("{denied}") };
            assert!(matches!(*error, StoreError::AnotherStore { .. }), "{error}");
        }
        let store = open(&path);
        assert_eq!(
            store.lease(),
            Duration::from_millis(5),
            "a file keeps the lease it was made with"
        );
        verify(&engine(store, &clock), &new).expect("nothing was changed in it");
    }
}

#[test]
fn a_file_that_is_not_ours_replaces_nothing() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let (path, foreign) = (folder.database(), folder.path().join("foreign.db"));
    let keys = engine(open(&path), &clock);
    let issued = issue(&keys);
    let kept = folder.path().join("kept.db");
    by_hand(&foreign).execute_batch("CREATE TABLE orders (id)").expect("a table");
    let bytes = std::fs::read(&foreign).expect("the file");
    std::fs::rename(&path, &kept).expect("the file elsewhere");
    std::fs::rename(&foreign, &path).expect("a new file");
    clock.advance(LEASE);
    for _ in 0..2 {
        let denied = verify(&keys, &issued).expect_err("a refusal");
        let Denied::Unavailable(error) = denied else { panic!("{denied}") };
        assert!(matches!(*error, StoreError::Foreign { .. }), "{error}");
    }
    assert_eq!(std::fs::read(&path).expect("the file"), bytes);
    std::fs::rename(&kept, &path).expect("it is back");
    verify(&keys, &issued).expect("verified");
    drop(keys);
    assert!(whole(&path));
}
