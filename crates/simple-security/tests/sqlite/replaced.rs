//! The file is replaced, restored or taken away while it is open.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use simple_security::store::StoreError;
use simple_security::{ApiKeys, Denied, IssuedKey, KeyError, NewKey};

use super::{Folder, LEASE, by_hand, engine, fake_clock, issue, open, real_engine, verify, wait};

/// A database elsewhere with one key in it.
fn other_database(folder: &Folder) -> (std::path::PathBuf, IssuedKey) {
    let path = folder.path().join("other.db");
    let keys = real_engine(&path);
    let issued = issue(&keys);
    drop(keys);
    (path, issued)
}

fn copy(from: &Path, to: &Path) {
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
    let keys = engine(open(&path), &clock);
    let old = issue(&keys);
    verify(&keys, &old).expect("verified");
    let (other, new) = other_database(&folder);
    std::fs::rename(other, &path).expect("a new file");
    clock.advance(LEASE);
    assert!(matches!(verify(&keys, &old), Err(Denied::Unknown)), "{:?}", verify(&keys, &old));
    verify(&keys, &new).expect("the key in the new file");
    let later = issue(&keys);
    assert_eq!(wait(keys.list()).expect("a list").len(), 2);
    let fresh = engine(open(&path), &clock);
    for issued in [&new, &later] {
        verify(&fresh, issued).expect("verified");
    }
    drop((keys, fresh));
    assert!(whole(&path));
}
