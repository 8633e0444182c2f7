//! What cannot be a database of keys is refused in clear words, and left as it was.

use std::os::unix::fs::symlink;
use std::path::Path;

use simple_security::store::{OpenError, SqliteStore};
use simple_security::{KeyDigest, KeyReference, VerifyError};

use super::{Folder, by_hand, engine, fake_clock, issue, open, refusal, verify, wait};

/// Lets `prepare` make a file, and gives back why it is not opened. Nothing in its folder has
/// changed then.
#[track_caller]
fn refused(prepare: impl FnOnce(&Path)) -> OpenError {
    let folder = Folder::new();
    prepare(&folder.database());
    let before = folder.files();
    let error = refusal(&folder.database());
    assert_eq!(folder.files().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert!(folder.files() == before, "a file was changed");
    let text = error.to_string();
    assert!(text.contains(&folder.path().display().to_string()), "no path in {text:?}");
    error
}

/// A database with this schema, closed.
fn database(sql: &str) -> impl FnOnce(&Path) {
    move |path| by_hand(path).execute_batch(sql).expect(sql)
}

const OLD_TABLE: &str = "CREATE TABLE fastapi_simple_security (
    api_key TEXT PRIMARY KEY, is_active INTEGER, never_expire INTEGER, expiration_date TEXT,
    latest_query_date TEXT, total_queries INTEGER, name TEXT);";

#[test]
fn a_file_that_is_no_database() {
    // SQLite itself takes a file of one byte for an empty one, so the first has two.
    let texts: [&[u8]; 4] =
        [b"xy", b"SQLite format 3", &[b'x'; 100], include_bytes!("../../Cargo.toml")];
    for text in texts {
        let error = refused(|path| std::fs::write(path, text).expect("a file"));
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{error}");
        assert!(error.to_string().contains("is not an SQLite database"), "{error}");
    }
}

#[test]
fn a_database_whose_first_page_is_damaged() {
    let damaged = |from: usize| {
        refused(|path| {
            issue(&engine(open(path), &fake_clock()));
            std::fs::remove_file(super::beside(path, "write-lock")).expect("no lock");
            let mut bytes = std::fs::read(path).expect("the file");
            bytes[from..from + 300].fill(0xA5);
            std::fs::write(path, bytes).expect("a damaged file");
        })
    };
    for from in [0, 100, 3700] {
        let error = damaged(from);
        assert!(matches!(error, OpenError::NotADatabase { .. }), "{from}: {error}");
    }
}

#[test]
fn a_database_of_another_application() {
    let schemas = [
        ("CREATE TABLE orders (id); CREATE TABLE people (id);", "orders, people"),
        ("PRAGMA journal_mode = WAL; CREATE TABLE orders (id);", "orders"),
        ("CREATE VIEW v AS SELECT 1;", "v"),
        ("CREATE TABLE api_keys (id); PRAGMA user_version = 1;", "api_keys"),
        ("PRAGMA application_id = 252006675; CREATE TABLE t (id);", "t"),
        ("PRAGMA application_id = 252006675;", "application id 252006675"),
        ("PRAGMA user_version = 7;", "version 7"),
        ("CREATE TABLE sqlitebrowser (id);", "sqlitebrowser"),
    ];
    for (sql, named) in schemas {
        let error = refused(database(sql));
        assert!(matches!(error, OpenError::Foreign { .. }), "{sql}: {error}");
        assert!(error.to_string().contains(named), "{sql}: {error}");
    }
}

#[test]
fn an_old_table_beside_other_tables() {
    let error = refused(database(&format!("{OLD_TABLE} CREATE TABLE orders (id);")));
    assert!(matches!(error, OpenError::Shared { .. }), "{error}");
    for named in ["orders", "file of their own"] {
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn the_way_to_split_a_shared_file_works() {
    let folder = Folder::new();
    let row = "INSERT INTO fastapi_simple_security VALUES
               ('an-old-key', 1, 0, '9000-01-01T00:00:00', NULL, 5, 'shop');";
    database(&format!("{OLD_TABLE} CREATE TABLE orders (id); {row}"))(&folder.database());
    // The same as the commands that the hint of the command line names, which are the `sqlite3` program's.
    let dump = by_hand(&folder.database());
    let alone = folder.path().join("alone.db");
    dump.execute("ATTACH ?1 AS alone", [alone.display().to_string()]).expect("a new file");
    dump.execute_batch(
        "CREATE TABLE alone.fastapi_simple_security AS SELECT * FROM fastapi_simple_security;
         DETACH alone; PRAGMA secure_delete = ON; DROP TABLE fastapi_simple_security; VACUUM;",
    )
    .expect("they are apart");
    let keys = engine(open(&alone), &fake_clock());
    wait(keys.verify(b"an-old-key")).expect("the key was moved");
    assert!(matches!(refusal(&folder.database()), OpenError::Foreign { .. }));
}

#[test]
fn a_file_of_a_newer_version() {
    let newer = |path: &Path| {
        drop(open(path));
        std::fs::remove_file(super::beside(path, "write-lock")).expect("no lock");
        by_hand(path).execute_batch("PRAGMA user_version = 999").expect("a newer schema");
    };
    let error = refused(newer);
    assert!(matches!(error, OpenError::NewerSchema { found: 999, known: 1, .. }), "{error}");
}

#[test]
fn a_file_that_says_it_is_ours_and_has_no_schema() {
    let error = refused(database("PRAGMA application_id = 0x66737331; CREATE TABLE t (id);"));
    assert!(matches!(error, OpenError::NotADatabase { .. }), "{error}");
}

#[test]
fn a_folder() {
    let error = refused(|path| std::fs::create_dir(path).expect("a folder"));
    assert!(matches!(error, OpenError::Folder { .. }), "{error}");
    assert!(matches!(refusal(Path::new("/")), OpenError::Folder { .. }));
}

#[test]
fn a_place_where_there_is_no_folder() {
    let folder = Folder::new();
    let missing = folder.path().join("missing").join("keys.db");
    let error = refusal(&missing);
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    assert!(error.to_string().contains("missing"), "{error}");
    assert!(!missing.parent().expect("a folder").exists(), "folders are not made");
    std::fs::write(folder.path().join("file"), "").expect("a file");
    let error = refusal(&folder.path().join("file").join("keys.db"));
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    assert!(matches!(refusal(Path::new("")), OpenError::NotWritable { .. }));
}

#[test]
fn what_is_neither_a_file_nor_a_folder() {
    for special in ["/dev/null", "/dev/zero"] {
        let error = refusal(Path::new(special));
        assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
    }
    let folder = Folder::new();
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    assert!(matches!(refusal(&pipe), OpenError::NotWritable { .. }));
    let _listening = std::os::unix::net::UnixListener::bind(folder.database()).expect("a socket");
    let error = refusal(&folder.database());
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error}");
}

#[test]
fn a_link_leads_to_the_file() {
    let (folder, clock) = (Folder::new(), fake_clock());
    let (link, path) = (folder.path().join("link.db"), folder.database());
    symlink(&path, &link).expect("a link");
    let error = refusal(&link);
    assert!(matches!(error, OpenError::NotWritable { .. }), "a link to nowhere: {error}");
    assert!(!path.exists());
    let keys = engine(open(&path), &clock);
    let issued = issue(&keys);
    let linked = engine(open(&link), &clock);
    verify(&linked, &issued).expect("verified");
    wait(linked.revoke(issued.record.id)).expect("revoked");
    assert!(matches!(verify(&keys, &issued), Err(VerifyError::Revoked(_))));
    let side_files = folder.files().into_keys().filter(|path| path.ends_with("link.db-wal"));
    assert_eq!(side_files.count(), 0, "its other files lie beside the file, not the link");
}

#[test]
fn an_empty_file_becomes_a_database() {
    let folder = Folder::new();
    std::fs::write(folder.database(), "").expect("an empty file");
    let keys = engine(open(&folder.database()), &fake_clock());
    let issued = issue(&keys);
    verify(&keys, &issued).expect("verified");
}

#[test]
fn a_path_with_strange_characters_is_a_path() {
    let folder = Folder::new();
    for name in ["a?mode=memory&x=#1.db", "file:x.db", "ünï 🔑.db", "-x.db", ":memory:"] {
        let path = folder.path().join(name);
        drop(issue(&engine(open(&path), &fake_clock())));
        assert!(path.is_file(), "{name}");
        let found = wait(SqliteStore::open(&path).map(|_| open(&path)).expect("a store").list());
        assert_eq!(found.expect("a list").len(), 1, "{name}");
    }
}

#[test]
fn a_key_of_an_old_table_is_nowhere_in_plain_text() {
    let folder = Folder::new();
    let old = "d8f9b4a2-77a1-4c4f-9d7e-2d9b8a6c1e3f";
    let row = format!(
        "INSERT INTO fastapi_simple_security VALUES
         ('{old}', 1, 0, '9000-01-01T00:00:00', '2026-01-01T00:00:00', 5, 'shop');"
    );
    database(&format!("{OLD_TABLE} {row}"))(&folder.database());
    let store = open(&folder.database());
    let digest = KeyReference::Digest(KeyDigest::of(old.as_bytes()));
    let record = wait(store.find(digest)).expect("a lookup").expect("the key was moved");
    assert_eq!(record.name.as_str(), "shop");
    assert_eq!(wait(store.usage(record.id)).expect("usage").expect("the key").total, 5);
    drop(store);
    for (path, bytes) in folder.files() {
        let found = bytes.windows(old.len()).any(|window| window == old.as_bytes());
        assert!(!found, "in {}", path.display());
    }
}
