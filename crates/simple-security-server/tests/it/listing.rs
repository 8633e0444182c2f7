//! List: for people, for programs, page by page.

use std::process::Stdio;

use serde_json::{Value, json};

use super::{Desk, Done};

/// Keys with names, states and usage that are known.
fn filled() -> Desk {
    let desk = Desk::new();
    let row = |number: u32, rest: &str| {
        format!(
            "{{\"sha256\":\"{:064x}\",\"id\":\"{number:011}\",\"created_at\":\"2020-01-01T00:00:{number:02}Z\",{rest}}}\n",
            number
        )
    };
    let file = [
        row(
            1,
            "\"name\":\"shop\",\"expires_at\":\"2222-01-01T00:00:00Z\",\"total\":42,\"last_used_at\":\"2021-01-01T00:00:00Z\"",
        ),
        row(2, "\"name\":\"old shop\",\"expires_at\":\"2021-01-01T00:00:00Z\""),
        row(3, "\"expires_at\":null,\"revoked_at\":\"2021-01-01T00:00:00Z\""),
        row(4, "\"name\":\"=1 \\ud83d\\udd11\",\"expires_at\":null"),
    ];
    let done = desk.import(&file.concat(), &["--yes"]);
    assert_eq!(
        done,
        Done { code: 0, printed: "imported 4 keys, skipped 0\n".to_owned(), said: String::new() }
    );
    desk
}

#[test]
fn a_table_for_people() {
    let desk = filled();
    let printed = desk.print(&["keys", "list"]);
    let rows = [
        ("ID           STATE    EXPIRES               LAST USED                  TOTAL", "  NAME"),
        ("00000000004  active   never                 never                          0", "  =1 🔑"),
        ("00000000003  revoked  never                 never                          0", ""),
        (
            "00000000002  expired  2021-01-01T00:00:00Z  never                          0",
            "  old shop",
        ),
        ("00000000001  active   2222-01-01T00:00:00Z  2021-01-01T00:00:00Z          42", "  shop"),
    ];
    assert_eq!(printed.lines().count(), rows.len(), "{printed}");
    for (line, (first, last)) in printed.lines().zip(rows) {
        assert!(line.starts_with(first) && line.ends_with(last), "{line}");
    }
}

#[test]
fn lines_for_programs() {
    let desk = filled();
    let printed = desk.print(&["keys", "list", "--json", "--name", "shop"]);
    let expected = [
        json!({
            "id": "00000000002", "name": "old shop", "state": "expired",
            "created_at": "2020-01-01T00:00:02Z", "expires_at": "2021-01-01T00:00:00Z",
            "revoked_at": null, "usage": {"total": 0, "last_used_at": null},
        }),
        json!({
            "id": "00000000001", "name": "shop", "state": "active",
            "created_at": "2020-01-01T00:00:01Z", "expires_at": "2222-01-01T00:00:00Z",
            "revoked_at": null, "usage": {"total": 42, "last_used_at": "2021-01-01T00:00:00Z"},
        }),
    ];
    assert_eq!(printed.lines().count(), expected.len(), "{printed}");
    for (line, expected) in printed.lines().zip(expected) {
        let key: Value = serde_json::from_str(line).expect("an object");
        for (name, value) in expected.as_object().expect("an object") {
            assert_eq!(key[name], *value, "{name}");
        }
    }
}

#[test]
fn some_of_the_keys() {
    let desk = filled();
    let ids = |flags: &[&str]| {
        let done = desk.run(&[&["keys", "list", "--json"], flags].concat());
        assert_eq!(done.code, 0);
        let id = |line: &str| {
            let key: Value = serde_json::from_str(line).expect("an object");
            key["id"].as_str().and_then(|id| id.parse::<u32>().ok()).expect("a number")
        };
        (done.printed.lines().map(id).collect::<Vec<_>>(), done.said)
    };
    let more = "There are more: --limit or --all shows them.\n".to_owned();
    let none = String::new;
    assert_eq!(ids(&["--state", "active"]), (vec![4, 1], none()));
    assert_eq!(ids(&["--state", "expired"]), (vec![2], none()));
    assert_eq!(ids(&["--state", "revoked", "--name", "shop"]), (vec![], none()));
    assert_eq!(ids(&["--limit", "3"]), (vec![4, 3, 2], more.clone()));
    assert_eq!(ids(&["--limit", "4"]), (vec![4, 3, 2, 1], none()));
    assert_eq!(ids(&["--limit", "1", "--name", "shop"]), (vec![2], more));
}

#[test]
fn more_keys_than_a_page_has() {
    let desk = Desk::new();
    let file: String = (0..2_500)
        .map(|number| format!("{{\"sha256\":\"{number:064x}\",\"id\":\"{number:011}\"}}\n"))
        .collect();
    assert_eq!(desk.import(&file, &["--yes"]).code, 0);
    let lines = |flags: &[&str]| {
        desk.run(&[&["keys", "list", "--json"], flags].concat()).printed.lines().count()
    };
    assert_eq!(lines(&[]), 100);
    assert_eq!((lines(&["--limit", "1001"]), lines(&["--limit", "2500"])), (1001, 2500));
    assert_eq!((lines(&["--all"]), desk.print(&["keys", "export"]).lines().count()), (2500, 2500));
    // Most of it does not fit into the pipe: the program writes when nobody reads any more.
    for (arguments, code) in [
        (&["keys", "list", "--all"][..], 0),
        (&["keys", "list", "--all", "--json"], 0),
        (&["keys", "export"], 1),
    ] {
        let mut process = desk.command(arguments).spawn().expect("a process");
        drop(process.stdout.take());
        let done = super::done(process.wait_with_output().expect("an end"));
        assert_eq!(done.code, code, "{done:?}");
        assert_eq!(done.said.lines().count(), usize::try_from(code).expect("a code"), "{done:?}");
    }
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
    let output =
        desk.command(&["keys", "list"]).stdout(Stdio::from(full)).output().expect("a process");
    assert!(
        super::done(output).said.starts_with("error: the output cannot be written: No space left")
    );
}

#[test]
fn a_key_that_cannot_be_printed_is_said_to_be_lost() {
    let desk = Desk::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
    let output =
        desk.command(&["keys", "issue"]).stdout(Stdio::from(full)).output().expect("a process");
    let done = super::done(output);
    assert_eq!(done.code, 1);
    let listed = desk.print(&["keys", "list", "--json"]);
    let id = &listed[7..18];
    assert!(
        done.said.contains(&format!("nobody has it; delete it: keys delete {id} --yes")),
        "{done:?}"
    );
}
