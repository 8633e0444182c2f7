//! `init`: what is there afterwards, and what is wrong with a location.

use super::{Desk, Done, count};

const AT_ONCE: &str = "; a change of a key holds at once in all processes of this machine\n";

#[test]
fn a_store_is_made_once_and_stays_as_it_is() {
    let desk = Desk::new();
    let said =
        |text: &str| Done { code: 0, printed: format!("{text}{AT_ONCE}"), said: String::new() };
    let path = desk.database().display().to_string();
    assert_eq!(desk.run(&["init"]), said(&format!("made {path}")));
    assert_eq!(desk.run(&["init"]), said(&format!("{path} is there, and has no keys yet")));
    let (key, _) = desk.issue(&[]);
    assert_eq!(desk.run(&["init"]), said(&format!("{path} is there already, and has keys")));
    assert_eq!(count(&desk.database()), 1);
    assert_eq!(desk.feed(&["keys", "show", "-"], &key).code, 0);
    assert_eq!(desk.run(&["init", "--db-location", "sqlite:///other.db"]), said("made other.db"));
    assert!(desk.path("other.db").exists());
}

#[test]
fn a_file_of_the_old_package_is_left_as_it_is() {
    let desk = Desk::new();
    let before = super::old::write(&desk.database(), 1);
    let done = desk.run(&["init"]);
    assert_eq!(done.code, 1);
    assert!(done.said.contains("is a database of fastapi_simple_security 1.x"), "{done:?}");
    assert_eq!(std::fs::read(desk.database()).expect("the file"), before);
}

#[test]
fn a_second_line_has_the_commands_that_help() {
    let desk = Desk::new();
    super::old::write(&desk.database(), 1);
    let connection = rusqlite::Connection::open(desk.database()).expect("the database");
    connection.execute_batch("CREATE TABLE orders (id)").expect("a table of the application");
    let done = desk.run(&["keys", "list"]);
    let [error, hint] = done.said.lines().collect::<Vec<_>>()[..] else { panic!("{done:?}") };
    assert_eq!(done.code, 1);
    assert!(error.starts_with("error: ") && error.contains("orders"), "{done:?}");
    assert!(hint.starts_with("hint: ") && hint.contains("sqlite3"), "{done:?}");
}

#[test]
fn what_is_wrong_with_a_location_is_said_without_its_password() {
    let desk = Desk::new();
    for (location, said) in [
        ("redis://us3r:pa55w0rd@host/0?max_staleness=0", "max_staleness is a number of seconds"),
        ("redis://us3r:pa55w0rd@host/0?may_lose=perhaps", "may_lose is true or false"),
        ("postgres://us3r:pa55w0rd@host/db?stale_if_error=61", "stale_if_error is a number"),
        ("postgres://us3r:pa55w0rd@host/db?sslmode=prefer", "sslmode is disable or verify-full"),
        ("postgres://us3r:pa55w0rd?pa55w0rd@host/db", "write %3F for ?"),
        ("postgres://us3r:pa55w0rd@/db", "it names no server"),
        ("mysql://us3r:pa55w0rd@host/db", "there is no store for \"mysql\" URLs"),
        ("memory://us3r:pa55w0rd@host", "there is no store for \"memory\" URLs"),
    ] {
        for command in [
            &["init", "--db-location", location][..],
            &["keys", "list", "--db-location", location],
            &["copy", location, "keys.db"],
            &["copy", "keys.db", location],
        ] {
            let done = desk.run(command);
            assert_eq!((done.code, done.printed.as_str()), (2, ""), "{done:?}");
            assert!(done.said.contains(said), "{done:?}");
            assert!(!done.said.contains("pa55w0rd") && !done.said.contains("us3r"), "{done:?}");
        }
    }
    for command in [
        &["init", "redis://us3r:pa55w0rd@host"][..],
        &["copy", "a.db", "b.db", "redis://us3r:pa55w0rd@host?max_staleness=5"],
        &["init", "--db-place=redis://us3r:pa55w0rd@host"],
        &["redis://us3r:pa55w0rd@host"],
    ] {
        let done = desk.run(command);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(!done.said.contains("pa55w0rd"), "{done:?}");
    }
    assert_eq!(std::fs::read_dir(desk.0.path()).expect("the folder").count(), 0);
}
