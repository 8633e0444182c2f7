//! A program that is killed in the middle of an import leaves nothing of it.

use std::io::{BufRead, BufReader};

use super::{Desk, count};

const KEYS: u32 = 60_000;

#[test]
fn an_import_that_is_killed_leaves_nothing() {
    let desk = Desk::new();
    let (key, _) = desk.issue(&[]);
    let before = desk.print(&["keys", "export"]);
    let file: String = std::iter::once("sha256\n".to_owned())
        .chain((0..KEYS).map(|number| format!("{number:064x}\n")))
        .collect();
    let path = desk.write("keys.csv", &file);
    for point in ["checked 40000", "written 20000", "written 40000", "written 60000"] {
        let arguments = ["keys", "import", &path, "--yes", "--progress"];
        let mut process = desk.command(&arguments).spawn().expect("a process");
        let mut said = BufReader::new(process.stderr.take().expect("what it says")).lines();
        let reached = said.any(|line| line.expect("a line").starts_with(point));
        process.kill().expect("killed");
        let status = process.wait().expect("an end");
        assert!(reached, "{point}");
        // The last point is so near to the end that it may have come to it.
        if status.success() {
            assert_eq!((point, count(&desk.database())), ("written 60000", KEYS + 1));
            return;
        }
        assert_eq!(desk.print(&["keys", "export"]), before, "{point}");
        assert_eq!(desk.feed(&["keys", "show", "-"], &key).code, 0);
        let log = desk.path("keys.db-wal");
        let long = std::fs::metadata(log).map_or(0, |log| log.len());
        assert!(long < 20 << 20, "{point}: the log has {long} bytes");
    }
    let connection = rusqlite::Connection::open(desk.database()).expect("the database");
    let whole: String =
        connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(whole, "ok");
    assert_eq!(count(&desk.database()), 1);
}
