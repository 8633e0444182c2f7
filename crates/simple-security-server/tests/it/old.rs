//! Databases of the old package as a source.

use std::path::Path;

use super::Desk;

/// Writes a database as the old package did, and gives back its bytes.
pub fn write(path: &Path, keys: u32) -> Vec<u8> {
    let connection = rusqlite::Connection::open(path).expect("a database");
    connection
        .execute_batch(
            "CREATE TABLE fastapi_simple_security (
                api_key TEXT PRIMARY KEY, is_active INTEGER, never_expire INTEGER,
                expiration_date TEXT, latest_query_date TEXT, total_queries INTEGER, name TEXT)",
        )
        .expect("a table");
    for number in 0..keys {
        connection
            .execute(
                "INSERT INTO fastapi_simple_security VALUES (?1, ?2, 0, '2222-01-01T00:00:00', ?3, ?2, ?4)",
                (key(number), number, (number > 0).then_some("2023-07-14T09:08:07"), format!("old {number}")),
            )
            .expect("a row");
    }
    drop(connection);
    std::fs::read(path).expect("the file")
}

fn key(number: u32) -> String {
    format!("{number:08}-5c1e-4c57-9f0e-1b7a3d5c9e01")
}

#[test]
fn an_old_database_is_read_and_left_as_it_is() {
    let desk = Desk::new();
    let path = desk.path("old.db");
    let before = write(&path, 3);
    let (issued, _) = desk.issue(&[]);
    let dry = desk.run(&["keys", "import", "old.db"]);
    assert!(
        dry.printed.starts_with("would import 3 keys (1 active, 0 expired, 2 revoked), skip 0"),
        "{dry:?}"
    );
    let done = desk.run(&["keys", "import", "old.db", "--yes"]);
    assert_eq!(done.printed, "imported 3 keys, skipped 0\n", "{done:?}");
    let again = desk.run(&["keys", "import", "old.db", "--yes"]);
    assert!(
        again.said.contains("\n  row 3: a key with this id or this text exists already"),
        "{again:?}"
    );
    assert_eq!(
        desk.run(&["keys", "import", "old.db", "--yes", "--skip-existing"]).printed,
        "imported 0 keys, skipped 3\n"
    );
    let shown = desk.feed(&["keys", "show", "-", "--json"], &key(1));
    for member in ["\"name\":\"old 1\"", "\"state\":\"active\""] {
        assert!(shown.printed.contains(member), "{shown:?}");
    }
    assert!(
        shown.printed.contains("\"usage\":{\"total\":1,\"last_used_at\":\"2023-07-14T09:08:07Z\"}"),
        "{shown:?}"
    );
    let revoked = desk.feed(&["keys", "show", "-", "--json"], &key(2));
    assert!(revoked.printed.contains("\"state\":\"revoked\""), "{revoked:?}");
    assert_eq!(desk.feed(&["keys", "show", "-"], &issued).code, 0);
    assert_eq!(std::fs::read(&path).expect("the file"), before);
    let beside: Vec<_> = std::fs::read_dir(desk.0.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .filter(|name| name.starts_with("old.db"))
        .collect();
    assert_eq!(beside, ["old.db"]);
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let desk = Desk::new();
    write(&desk.path("old.db"), 3);
    let connection = rusqlite::Connection::open(desk.path("old.db")).expect("the database");
    connection
        .execute_batch(
            "UPDATE fastapi_simple_security SET expiration_date = 'soon' WHERE total_queries = 1;
             UPDATE fastapi_simple_security SET api_key = '' WHERE total_queries = 2;
             CREATE TABLE another (a);",
        )
        .expect("changed");
    let done = desk.run(&["keys", "import", "old.db", "--yes"]);
    assert_eq!(
        (done.code, done.said.as_str()),
        (
            1,
            "error: 2 rows are wrong; nothing was imported\n  row 2: its date is broken\n  row 3: its key is empty\n"
        )
    );
    assert!(!desk.database().exists());
}

#[test]
fn a_database_of_something_else_has_no_old_keys() {
    let desk = Desk::new();
    desk.issue(&[]);
    for name in ["keys.db", "./keys.db"] {
        let done = desk.run(&["keys", "import", name]);
        assert_eq!(done.code, 1);
        assert!(done.said.contains("has no keys of fastapi_simple_security 1.x"), "{done:?}");
    }
    let from_input = desk.feed(&["keys", "import", "-", "--format", "sqlite"], "");
    assert_eq!(from_input.said, "error: a database must be named as a file\n");
}
