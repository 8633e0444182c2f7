//! Nobody else may read the files, whatever the umask.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use simple_security::store::{OpenError, SqliteStore};
use test_support::engine_without_secret;

use super::{
    Folder, beside, by_hand, child, fake_clock, issue, open, real_engine, refusal, verify, wait,
};

/// Uses the store so that every file is there, and says the modes of them all.
pub fn make_files(database: &Path) {
    let keys = real_engine(database);
    let issued = issue(&keys);
    verify(&keys, &issued).expect("verified");
    wait(keys.flush()).expect("written");
    let secret_made = engine_without_secret(open(database), &fake_clock());
    let folder = database.parent().expect("a folder");
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let entry = entry.expect("an entry");
        let mode = entry.metadata().expect("its metadata").permissions().mode() & 0o7777;
        child::say(&format!("{} {mode:o}", entry.file_name().to_string_lossy()));
    }
    drop((keys, secret_made));
}

#[test]
fn all_files_are_private_whatever_the_umask() {
    for umask in ["022", "000", "077"] {
        let folder = Folder::new();
        let before = format!("umask {umask}");
        let mut said = child::play_to_the_end(&before, "make_files", &folder.database());
        said.sort();
        let all = ["", "-secret-lock", "-shm", "-wal", "-write-lock"];
        assert_eq!(said, all.map(|end| format!("keys.db{end} 600")), "umask {umask}");
    }
}

#[test]
fn a_file_that_was_there_keeps_its_mode() {
    let folder = Folder::new();
    let path = folder.database();
    drop(open(&path));
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("a mode");
    let keys = real_engine(&path);
    issue(&keys);
    for end in ["wal", "shm"] {
        let mode = std::fs::metadata(beside(&path, end)).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o640, "SQLite gives its files the mode of the database");
    }
}

#[test]
fn the_database_says_what_it_is() {
    let folder = Folder::new();
    drop(open(&folder.database()));
    let number = |pragma: &str| -> i64 {
        let text = format!("PRAGMA {pragma}");
        by_hand(&folder.database()).query_row(&text, [], |row| row.get(0)).expect("a number")
    };
    assert_eq!(number("application_id"), i64::from(u32::from_be_bytes(*b"fss1")));
    assert_eq!(number("user_version"), 1);
    let mode: String = by_hand(&folder.database())
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .expect("a mode");
    assert_eq!(mode, "wal");
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("a mode");
}

#[test]
fn a_file_that_everybody_can_write_to_is_not_trusted() {
    for end in ["", "-wal", "-shm", "-journal", "-write-lock", "-secret-lock"] {
        let folder = Folder::new();
        let keys = real_engine(&folder.database());
        let issued = issue(&keys);
        let path = folder.path().join(format!("keys.db{end}"));
        let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
        drop(file.expect("the file"));
        for (mode, remedy) in [(0o666, "chmod o-w"), (0o602, "0602")] {
            set_mode(&path, mode);
            let error = refusal(&folder.database());
            assert!(matches!(error, OpenError::Untrusted { .. }), "{end}: {error}");
            let text = error.to_string();
            assert!(text.contains(remedy) && text.contains(&path.display().to_string()), "{text}");
        }
        set_mode(&path, 0o600);
        verify(&real_engine(&folder.database()), &issued).expect("it is trusted again");
    }
}

#[test]
fn a_link_beside_the_database_is_not_followed() {
    for end in ["wal", "shm", "journal", "write-lock", "secret-lock"] {
        let folder = Folder::new();
        drop(open(&folder.database()));
        let (path, target) = (beside(&folder.database(), end), folder.path().join("target"));
        let _ = std::fs::remove_file(&path);
        symlink(&target, &path).expect("a link");
        let error = refusal(&folder.database());
        assert!(matches!(error, OpenError::Untrusted { .. }), "{end}: {error}");
        assert!(error.to_string().contains("symbolic link"), "{error}");
        assert!(!target.exists(), "{end}: nothing was made where it leads");
    }
}

/// The way of the command line. As root, SQLite would give the log to the owner of the database as soon
/// as it opens one of them.
#[test]
fn a_log_of_another_user_is_not_trusted() {
    let folder = Folder::new();
    let keys = real_engine(&folder.database());
    issue(&keys);
    let log = beside(&folder.database(), "wal");
    for (path, user) in [(folder.database(), 23_456), (log.clone(), 12_345)] {
        if let Err(error) = chown(&path, Some(user), None) {
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
            // Only root can give files to others.
            return;
        }
    }
    let refused = SqliteStore::open_existing(&folder.database()).err().expect("refused");
    assert!(refused.to_string().contains("12345"), "{refused}");
    chown(&log, Some(23_456), None).expect("the owner's");
    SqliteStore::open_existing(&folder.database()).expect("it is trusted");
}

/// Its keys are in plain text there: the move makes the file private.
#[test]
fn an_old_file_that_everybody_can_write_to_is_moved_and_made_private() {
    let folder = Folder::new();
    let old = "CREATE TABLE fastapi_simple_security (
        api_key TEXT PRIMARY KEY, is_active INTEGER, never_expire INTEGER, expiration_date TEXT,
        latest_query_date TEXT, total_queries INTEGER, name TEXT);";
    by_hand(&folder.database()).execute_batch(old).expect("an old file");
    set_mode(&folder.database(), 0o666);
    drop(open(&folder.database()));
    let mode = std::fs::metadata(folder.database()).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
