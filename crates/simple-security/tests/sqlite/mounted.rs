//! Places that cannot be written, and disks that are full.
//!
//! To root every file can be written, so another process makes mounts that only it sees.

use std::fs::{File, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use simple_security::store::{OpenError, SqliteStore, StoreError};
use simple_security::{ApiKeys, IssuedKey, KeyError, NewKey, VerifyError};

use super::{
    Folder, LEASE, SHORT, by_hand, child, engine, fake_clock, issue, open, refusal, verify, wait,
};

/// Says it past the test program, which hides what a test prints.
fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "\n*** NOT TESTED: {why} ***\n");
}

const NO_MOUNTS: &str = "this system gives no namespace of mounts (unshare -Urm)";

/// Says why the database is not opened.
pub fn open_where_nothing_can_be_written(database: &Path) {
    let error = refusal(database);
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error:?}");
    child::say(&error.to_string());
}

/// A folder, with a database or without.
fn prepared(with_database: bool) -> Folder {
    let folder = Folder::new();
    if with_database {
        drop(open(&folder.database()));
        std::fs::remove_file(super::beside(&folder.database(), "write-lock")).expect("no lock");
    }
    folder
}

#[track_caller]
fn assert_refused(folder: &Folder, said: &[String], reason: &str) {
    let [error] = said else { panic!("{said:?}") };
    let path = folder.database().display().to_string();
    for part in
        [&path, "cannot be opened for writing", "folder that this user may write to", reason]
    {
        assert!(error.contains(part), "no {part:?} in {error:?}");
    }
}

#[test]
fn a_file_system_that_is_mounted_read_only() {
    for with_database in [false, true] {
        let folder = prepared(with_database);
        let before = folder.files();
        let path = folder.path().display();
        let mount = format!("mount --bind {path} {path}; mount -o remount,bind,ro {path}");
        let role = "open_where_nothing_can_be_written";
        let Some(said) = child::play_among_own_mounts(&mount, role, &folder.database()) else {
            return skipped(NO_MOUNTS);
        };
        assert_refused(&folder, &said, "Read-only file system");
        assert!(folder.files() == before);
    }
}

#[test]
fn a_folder_or_a_file_that_this_user_may_not_write() {
    const NOBODY: u32 = 65_534;
    for (with_database, folder_mode, file_mode) in
        [(false, 0o555, 0), (true, 0o555, 0o644), (true, 0o777, 0o444)]
    {
        let folder = prepared(with_database);
        let before = folder.files();
        if with_database {
            let mode = Permissions::from_mode(file_mode);
            std::fs::set_permissions(folder.database(), mode).expect("a mode");
        }
        let mode = Permissions::from_mode(folder_mode);
        std::fs::set_permissions(folder.path(), mode).expect("a mode");
        let role = "open_where_nothing_can_be_written";
        // The program may lie where nobody else may read.
        let elsewhere = Folder::new();
        let program = elsewhere.path().join("program");
        std::fs::copy(std::env::current_exe().expect("its path"), &program).expect("a copy");
        for path in [elsewhere.path(), &program] {
            std::fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a mode");
        }
        let become_nobody = format!(
            "cd /; if [ $(id -u) = 0 ]; then
                 shift 0; exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups {} \"$@\"
             fi",
            program.display()
        );
        let said = child::play_to_the_end(&become_nobody, role, &folder.database());
        assert_refused(&folder, &said, "Permission denied");
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("a mode");
        assert!(folder.files() == before);
    }
}

/// Fills the disk on which the folder lies, to the last byte.
fn fill(folder: &Path) {
    let mut file = File::create(folder.join("filler")).expect("a file");
    for size in [1 << 16, 1 << 12, 1 << 8, 1] {
        loop {
            match file.write(&vec![b'x'; size]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn empty(folder: &Path) {
    std::fs::remove_file(folder.join("filler")).expect("the filler");
}

/// Issues keys until the disk is full, and shows that nothing else suffers.
pub fn fill_the_disk(database: &Path) {
    let folder = database.parent().expect("a folder");
    let clock = fake_clock();
    let open = || Arc::new(SqliteStore::open_with_timeout(database, SHORT).expect("a store"));
    let keys = engine(open(), &clock);
    let (cached, other) = (issue(&keys), issue(&keys));
    verify(&keys, &cached).expect("verified");
    fill(folder);
    let mut made: Vec<IssuedKey> = Vec::new();
    let issue_until_full = |keys: &ApiKeys, made: &mut Vec<IssuedKey>| loop {
        match wait(keys.issue(NewKey::default())) {
            Ok(issued) => made.push(issued),
            Err(error) => break error,
        }
    };
    for _ in 0..3 {
        let error = issue_until_full(&keys, &mut made);
        assert!(matches!(error, KeyError::Store(StoreError::DiskFull { .. })), "{error:?}");
    }
    clock.advance(LEASE);
    for issued in made.iter().chain([&cached, &other]) {
        verify(&keys, issued).expect("it was issued");
    }
    assert!(matches!(wait(keys.verify(b"not issued here")), Err(VerifyError::Unknown)));
    assert!(wait(keys.flush()).is_err(), "counts cannot be written either");
    let total = |keys: &ApiKeys| wait(keys.usage(cached.record.id)).expect("usage").total;
    assert_eq!(total(&keys), 2, "and they are shown");
    empty(folder);
    made.push(issue(&keys));
    wait(keys.flush()).expect("written");
    drop(keys);
    let keys = engine(open(), &clock);
    assert_eq!(total(&keys), 2);
    assert_eq!(wait(keys.list()).expect("a list").len(), made.len() + 2);
    let whole: String = by_hand(database)
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("a check");
    child::say(&whole);
}

#[test]
fn a_disk_that_becomes_full_stops_changes_alone() {
    let folder = Folder::new();
    let mount = format!("mount -t tmpfs -o size=1m none {}", folder.path().display());
    match child::play_among_own_mounts(&mount, "fill_the_disk", &folder.database()) {
        Some(said) => assert_eq!(said, ["ok"]),
        None => skipped(NO_MOUNTS),
    }
}

/// Opens a new database and an old one where there is no space for either.
pub fn open_on_a_full_disk(database: &Path) {
    let folder = database.parent().expect("a folder");
    let old = folder.join("old.db");
    by_hand(&old)
        .execute_batch(
            "CREATE TABLE fastapi_simple_security (
                 api_key TEXT PRIMARY KEY, is_active INTEGER, never_expire INTEGER,
                 expiration_date TEXT, latest_query_date TEXT, total_queries INTEGER, name TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
             INSERT INTO fastapi_simple_security
             SELECT 'an-old-key-' || i, 1, 1, NULL, NULL, 0, NULL FROM n;",
        )
        .expect("an old file");
    let bytes = std::fs::read(&old).expect("the old file");
    fill(folder);
    for path in [database, &old] {
        let error = refusal(path);
        assert!(matches!(error, OpenError::Store(StoreError::DiskFull { .. })), "{error:?}");
    }
    assert!(std::fs::read(&old).expect("the old file") == bytes, "it was changed");
    empty(folder);
    issue(&engine(open(database), &fake_clock()));
    let keys = engine(open(&old), &fake_clock());
    wait(keys.verify(b"an-old-key-500")).expect("the keys were moved");
    child::say("ok");
}

#[test]
fn a_database_on_a_full_disk_is_not_opened() {
    let folder = Folder::new();
    let mount = format!("mount -t tmpfs -o size=2m none {}", folder.path().display());
    match child::play_among_own_mounts(&mount, "open_on_a_full_disk", &folder.database()) {
        Some(said) => assert_eq!(said, ["ok"]),
        None => skipped(NO_MOUNTS),
    }
}
