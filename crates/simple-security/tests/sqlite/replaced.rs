//! The file is replaced, removed or restored while it is open.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rusqlite::backup::Backup;
use simple_security::clock::FakeClock;
use simple_security::store::{Existing, StoreError};
use simple_security::{Actor, ApiKeys, IssuedKey, KeyError, NewKey, VerifyError};
use test_support::Log;

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

fn rename(from: &Path, to: &Path) {
    std::fs::rename(from, to).expect("renamed");
}

/// Nothing is answered, neither from the old file nor from the one that is at the path, and nothing is
/// written to the latter.
#[track_caller]
fn assert_outage(keys: &ApiKeys, issued: &[&IssuedKey], path: &Path) {
    let files = || [path, &beside(path, "wal")].map(|file| std::fs::read(file).ok());
    let before = files();
    for _ in 0..2 {
        let presented = issued.iter().map(|issued| issued.key.expose().as_bytes());
        for key in presented.chain([&b"not issued here"[..]]) {
            let denied = wait(keys.verify(key)).expect_err("a rejection");
            let VerifyError::Unavailable(error) = denied else { panic!("{denied}") };
            assert!(matches!(*error, StoreError::Replaced { .. }), "{error}");
        }
        for issued in issued {
            let revoked = wait(keys.revoke(issued.record.id)).err();
            assert!(matches!(revoked, Some(KeyError::Store(StoreError::Replaced { .. }))));
        }
        let made = wait(keys.issue(NewKey::default()));
        assert!(matches!(made, Err(KeyError::Store(StoreError::Replaced { .. }))), "{made:?}");
        assert!(matches!(wait(keys.list()), Err(KeyError::Store(StoreError::Replaced { .. }))));
    }
    assert!(files() == before, "a file at the path was written or created");
}

#[test]
fn a_file_that_was_replaced_is_an_outage_until_the_original_is_back() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let (path, kept) = (folder.database(), folder.path().join("kept.db"));
    let engines = [engine(open(&path), &clock), engine(open(&path), &clock)];
    let old = issue(&engines[0]);
    let (other, new) = other_database(&folder, &clock);
    for keys in &engines {
        verify(keys, &old).expect("verified");
    }
    let bytes = std::fs::read(&other).expect("the file");
    rename(&path, &kept);
    rename(&other, &path);
    verify(&engines[0], &old).expect("the lease holds");
    clock.advance(LEASE);
    for keys in &engines {
        assert_outage(keys, &[&old, &new], &path);
    }
    assert_eq!(std::fs::read(&path).expect("the file"), bytes);
    rename(&path, &other);
    rename(&kept, &path);
    for keys in &engines {
        verify(keys, &old).expect("verified");
        assert!(matches!(verify(keys, &new), Err(VerifyError::Unknown)));
    }
    wait(engines[1].revoke(old.record.id)).expect("revoked");
    for keys in &engines {
        assert!(matches!(verify(keys, &old), Err(VerifyError::Revoked(_))));
    }
    drop(engines);
    assert!(whole(&path) && whole(&other));
    verify(&engine(open(&other), &clock), &new).expect("the other file was left as it was");
}

#[test]
fn a_change_is_not_made_in_the_new_file() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let path = folder.database();
    let keys = engine(open(&path), &clock);
    issue(&keys);
    let (other, new) = other_database(&folder, &clock);
    rename(&other, &path);
    let revoked = wait(keys.revoke(new.record.id)).err();
    assert!(
        matches!(revoked, Some(KeyError::Store(StoreError::Replaced { .. }))),
        "the first call"
    );
    assert_outage(&keys, &[&new], &path);
}

#[test]
fn a_file_that_is_replaced_while_a_writer_waits_for_another_is_not_written() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let (path, kept) = (folder.database(), folder.path().join("kept.db"));
    let keys = engine(open(&path), &clock);
    let old = issue(&keys);
    let (other, new) = other_database(&folder, &clock);
    let lock = lock_file(&path);
    lock.lock().expect("the lock");
    let (begun, has_begun) = mpsc::channel();
    let revoked = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            begun.send(()).expect("sent");
            wait(keys.revoke(old.record.id))
        });
        has_begun.recv().expect("received");
        (0..1000).for_each(|_| std::thread::yield_now());
        rename(&path, &kept);
        rename(&other, &path);
        lock.unlock().expect("unlocked");
        waiting.join().expect("it ended").err()
    });
    assert!(matches!(revoked, Some(KeyError::Store(StoreError::Replaced { .. }))), "{revoked:?}");
    clock.advance(LEASE);
    assert_outage(&keys, &[&old, &new], &path);
    rename(&kept, &path);
    verify(&keys, &old).expect("the change was not made");
}

#[test]
fn a_change_that_was_committed_to_a_replaced_file_is_an_error_and_not_lost() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let (path, kept) = (folder.database(), folder.path().join("kept.db"));
    let store = open(&path);
    let keys = engine(Arc::clone(&store), &clock);
    let old = issue(&keys);
    let (other, new) = other_database(&folder, &clock);
    let added = {
        let (path, kept) = (path.clone(), kept.clone());
        // The transaction takes the keys from here.
        std::iter::once_with(move || {
            rename(&path, &kept);
            rename(&other, &path);
            Ok(super::bulk::key(1))
        })
    };
    let error = wait(store.insert_all(Box::new(added), Existing::Refuse, &Actor::Program))
        .expect_err("an error");
    assert!(matches!(error, StoreError::Replaced { .. }), "{error}");
    assert_outage(&keys, &[&old, &new], &path);
    rename(&kept, &path);
    verify(&keys, &old).expect("verified");
    assert_eq!(wait(keys.list()).expect("a list").len(), 2);
    drop((keys, store));
    assert!(whole(&path));
}

/// The file that writers lock.
fn lock_file(database: &Path) -> File {
    File::options().write(true).open(beside(database, "write-lock")).expect("the side file")
}

#[test]
fn a_file_that_was_replaced_across_a_fork_is_not_opened() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let (path, kept) = (folder.database(), folder.path().join("kept.db"));
    let keys = engine(open(&path), &clock);
    let old = issue(&keys);
    verify(&keys, &old).expect("verified");
    let (other, new) = other_database(&folder, &clock);
    keys.suspend();
    rename(&path, &kept);
    rename(&other, &path);
    keys.resume();
    clock.advance(LEASE);
    assert_outage(&keys, &[&old, &new], &path);
    keys.suspend();
    keys.resume();
    assert_outage(&keys, &[&old, &new], &path);
    rename(&path, &other);
    rename(&kept, &path);
    verify(&keys, &old).expect("verified");
    drop(keys);
    assert!(whole(&path) && whole(&other));
}

/// A file system may give the number of a deleted file to the next one that is created.
#[test]
fn a_copy_that_replaces_a_deleted_file_across_a_fork_is_another_file() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let path = folder.database();
    let keys = engine(open(&path), &clock);
    let old = issue(&keys);
    let (other, new) = other_database(&folder, &clock);
    keys.suspend();
    std::fs::remove_file(&path).expect("deleted");
    std::fs::copy(&other, &path).expect("a copy");
    keys.resume();
    clock.advance(LEASE);
    assert_outage(&keys, &[&old, &new], &path);
}

#[test]
fn a_file_that_was_removed_is_no_empty_store() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let (path, away) = (folder.database(), folder.path().join("away.db"));
    let keys = engine(open(&path), &clock);
    let issued = issue(&keys);
    verify(&keys, &issued).expect("verified");
    rename(&path, &away);
    verify(&keys, &issued).expect("the lease holds");
    clock.advance(LEASE);
    assert_outage(&keys, &[&issued], &path);
    assert!(!path.exists(), "a new file was created");
    rename(&away, &path);
    verify(&keys, &issued).expect("verified");
    wait(keys.revoke(issued.record.id)).expect("revoked");
    assert!(matches!(verify(&keys, &issued), Err(VerifyError::Revoked(_))));
    drop(keys);
    assert!(whole(&path));
}

#[test]
fn a_file_of_another_application_is_left_as_it_is() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let (path, foreign) = (folder.database(), folder.path().join("foreign.db"));
    let keys = engine(open(&path), &clock);
    let issued = issue(&keys);
    let kept = folder.path().join("kept.db");
    by_hand(&foreign).execute_batch("CREATE TABLE orders (id)").expect("a table");
    let bytes = std::fs::read(&foreign).expect("the file");
    rename(&path, &kept);
    rename(&foreign, &path);
    clock.advance(LEASE);
    assert_outage(&keys, &[&issued], &path);
    assert_eq!(std::fs::read(&path).expect("the file"), bytes);
    rename(&kept, &path);
    verify(&keys, &issued).expect("verified");
    drop(keys);
    assert!(whole(&path));
}

/// The log that is left at the path belongs to the old file. It is left there for the administrator:
/// nothing shows whether another process has opened the new file with it.
#[test]
fn closing_a_replaced_file_touches_neither_the_new_file_nor_the_log() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let (path, kept) = (folder.database(), folder.path().join("kept.db"));
    let keys = engine(open(&path), &clock);
    let old = issue(&keys);
    let (other, new) = other_database(&folder, &clock);
    rename(&path, &kept);
    rename(&other, &path);
    std::fs::remove_file(beside(&path, "write-lock")).expect("removed");
    let before = folder.files();
    drop(keys);
    assert!(folder.files() == before, "a file was written, created or deleted");
    rename(&beside(&path, "wal"), &beside(&kept, "wal"));
    std::fs::remove_file(beside(&path, "shm")).expect("removed");
    let keys = engine(open(&path), &clock);
    verify(&keys, &new).expect("verified");
    assert!(matches!(verify(&keys, &old), Err(VerifyError::Unknown)));
    drop(keys);
    assert!(whole(&path) && whole(&kept));
    let old_keys = engine(open(&kept), &clock);
    verify(&old_keys, &old).expect("what was last written is in the log");
}

#[test]
fn closing_a_replaced_file_leaves_the_log_of_the_new_one() {
    for suspended in [false, true] {
        let (folder, clock) = (Folder::new(), fake_clock());
        let path = folder.database();
        let keys = engine(open(&path), &clock);
        issue(&keys);
        let (other, new) = other_database(&folder, &clock);
        for file in ["wal", "shm"] {
            std::fs::remove_file(beside(&path, file)).expect("removed");
        }
        rename(&other, &path);
        let fresh = engine(open(&path), &clock);
        let later = issue(&fresh);
        let before = folder.files();
        if suspended {
            keys.suspend();
        } else {
            drop(keys);
        }
        assert!(folder.files() == before, "a file was written, created or deleted");
        let latest = issue(&fresh);
        drop(fresh);
        assert!(whole(&path));
        let again = engine(open(&path), &clock);
        for issued in [&new, &later, &latest] {
            verify(&again, issued).expect("verified");
        }
        assert_eq!(wait(again.list()).expect("a list").len(), 3);
    }
}

/// Another SQLite library in the process does it when it closes the file; see `two_libraries.rs`.
#[test]
fn a_log_that_was_deleted_alone_is_no_outage() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let path = folder.database();
    let keys = engine(open(&path), &clock);
    let mut issued = vec![issue(&keys)];
    for change_first in [false, true] {
        by_hand(&path).query_row("PRAGMA wal_checkpoint", [], |_| Ok(())).expect("a checkpoint");
        for file in ["wal", "shm"] {
            std::fs::remove_file(beside(&path, file)).expect("removed");
        }
        if change_first {
            issued.push(issue(&keys));
        }
        clock.advance(LEASE);
        for key in &issued {
            verify(&keys, key).expect("verified");
        }
    }
    drop(keys);
    assert!(whole(&path));
    assert_eq!(wait(engine(open(&path), &clock).list()).expect("a list").len(), issued.len());
}

#[test]
fn an_outage_is_logged_once_with_the_path_and_what_to_do() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let (path, away) = (folder.database(), folder.path().join("away.db"));
    let keys = engine(open(&path), &clock);
    let issued = issue(&keys);
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..2 {
            rename(&path, &away);
            clock.advance(LEASE);
            assert_outage(&keys, &[&issued], &path);
            rename(&away, &path);
            verify(&keys, &issued).expect("verified");
        }
    });
    let log = log.text();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert_eq!(lines.len(), 2, "one line for each outage: {log}");
    for line in lines {
        let says = |text: &str| line.contains(text);
        assert!(says(&path.display().to_string()) && says("replaced") && says("restart"), "{line}");
    }
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
    assert!(matches!(verify(&keys, &early), Err(VerifyError::Revoked(_))));
    verify(&keys, &late).expect("verified");
    restore(&backup, &path);
    clock.advance(LEASE);
    assert!(matches!(verify(&keys, &late), Err(VerifyError::Unknown)), "it was issued later");
    verify(&keys, &early).expect("it was revoked later");
    let newest = issue(&keys);
    verify(&keys, &newest).expect("positions go on from those of the copy, with other marks");
    drop(keys);
    assert!(whole(&path));
}

#[test]
fn a_copy_with_another_lease_is_for_another_process() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let path = folder.database();
    let keys = engine(open(&path), &clock);
    let issued = issue(&keys);
    let (other, new) = other_database(&folder, &clock);
    let shorter = "UPDATE settings SET value = 5000 WHERE name = 'lease_microseconds'";
    by_hand(&other).execute_batch(shorter).expect("a shorter lease");
    verify(&keys, &issued).expect("verified");
    restore(&other, &path);
    for _ in 0..2 {
        let error = wait(keys.revoke(new.record.id)).expect_err("a refusal");
        assert!(matches!(error, KeyError::Store(StoreError::AnotherStore { .. })), "{error}");
        clock.advance(LEASE);
        let denied = verify(&keys, &new).expect_err("a refusal");
        let VerifyError::Unavailable(error) = denied else { panic!("{denied}") };
        assert!(matches!(*error, StoreError::AnotherStore { .. }), "{error}");
    }
    let store = open(&path);
    assert_eq!(store.lease(), Duration::from_millis(5), "a file keeps the lease it was made with");
    verify(&engine(store, &clock), &new).expect("nothing was changed in it");
}
