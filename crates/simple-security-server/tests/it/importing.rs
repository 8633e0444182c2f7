//! Import: all or nothing, and what is wrong by its line.

use super::{Desk, Done, count};

const KEY: &str = "an-imported-key-of-32-characters";

fn key(number: u32) -> String {
    format!("an-imported-key-of-some-length-{number}")
}

fn refused(text: &str) -> Done {
    Done { code: 1, printed: String::new(), said: text.to_owned() }
}

#[test]
fn nothing_is_changed_without_yes() {
    let desk = Desk::new();
    desk.issue(&[]);
    let before = desk.print(&["keys", "export"]);
    let printed = "would import 1 keys (1 active, 0 expired, 0 revoked), skip 0 that exist\nNothing was changed. Say --yes to import.\n";
    for flags in [&[][..], &["--dry-run"]] {
        let done = desk.import(&format!("key\n{KEY}\n"), flags);
        assert_eq!(done, Done { code: 0, printed: printed.to_owned(), said: String::new() });
    }
    assert_eq!(desk.print(&["keys", "export"]), before);
}

#[test]
fn one_bad_line_among_many_is_named_and_nothing_is_imported() {
    // A hundred thousand, and a million with `make test-large`.
    #[allow(clippy::disallowed_methods, reason = "a setting of the tests")]
    let keys = std::env::var("SIMPLE_SECURITY_KEYS")
        .map_or(100_000, |keys| keys.parse().expect("a number"));
    let desk = Desk::new();
    desk.issue(&[]);
    let before = desk.print(&["keys", "export"]);
    let bad = keys / 10 * 9;
    let line = |number: u32| match number == bad {
        true => "short\n".to_owned(),
        false => format!("{number:064x}\n"),
    };
    let file: String = std::iter::once("key\n".to_owned()).chain((2..keys + 2).map(line)).collect();
    let path = desk.write("keys.csv", &file);
    let text = format!(
        "error: 1 line is wrong; nothing was imported\n  line {bad}: a key of your own has 32 to 255 characters, this one has 5 bytes\n"
    );
    assert_eq!(desk.run(&["keys", "import", &path, "--yes"]), refused(&text));
    assert_eq!(desk.print(&["keys", "export"]), before);
    let file = file.replace("short", KEY);
    desk.write("keys.csv", &file);
    let progress = desk.run(&["keys", "import", &path, "--yes", "--progress"]);
    assert_eq!(progress.printed, format!("imported {keys} keys, skipped 0\n"));
    assert!(progress.said.starts_with("checked 20000 keys\n"), "{progress:?}");
    assert!(progress.said.ends_with(&format!("written {} keys\n", keys / 20_000 * 20_000)));
    assert_eq!(count(&desk.database()), keys + 1);
}

#[test]
fn what_a_store_that_fails_has_written_is_not_known() {
    let desk = Desk::new();
    desk.issue(&[]);
    let database = rusqlite::Connection::open(desk.database()).expect("the database");
    let fail = "CREATE TRIGGER fail BEFORE INSERT ON api_keys BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END";
    database.execute_batch(fail).expect("a trigger");
    let done = desk.import(&format!("key\n{KEY}\n"), &["--yes"]);
    assert_eq!(done.code, 1);
    assert!(done.said.contains("is not known: run it again with --skip-existing"), "{done:?}");
}

#[test]
fn twenty_faults_are_told_and_the_others_counted() {
    let desk = Desk::new();
    let file: String =
        (0..25).map(|number| format!("{{\"key\":\"{KEY}\",\"total\":-{number}}}\n")).collect();
    let mut text = "error: 25 lines are wrong; nothing was imported\n".to_owned();
    for line in 2..=20 {
        text += &format!("  line {line}: `total` is a whole number, 0 or more\n");
    }
    let done = desk.import(&file, &["--yes"]);
    // -0 is a number too, of a kind of its own.
    text =
        text.replacen("  line 2:", "  line 1: `total` is a whole number, 0 or more\n  line 2:", 1);
    text += "  and 5 more\n";
    assert_eq!(done, refused(&text));
    assert!(!desk.database().exists());
}

#[test]
fn what_is_wrong_with_a_line() {
    let desk = Desk::new();
    let (ours, id) = desk.issue(&[]);
    let mistyped = format!("{}{}", &ours[..54], if ours.ends_with('a') { 'b' } else { 'a' });
    let digest = "ab".repeat(32);
    let exists =
        "a key with this id or this text exists already; --skip-existing leaves it as it is";
    for (file, line, fault) in [
        (format!("key\n{KEY},x\n"), 2, "it has more cells than the first line has columns"),
        (format!("key,name\n\n{KEY}\n"), 3, "it has fewer cells than the first line has columns"),
        (format!("key,name\n{KEY},\"a\n"), 2, "a quote is not closed on the same line"),
        (format!("key,name\n{KEY},{}\n", "x".repeat(17_000)), 2, "it is longer than 16 KiB"),
        (format!("key\n{KEY}\n{KEY}\n"), 3, "it has the key or the id of line 2"),
        (
            format!("key,id\n{KEY},00000000001\n{},00000000001\n", key(1)),
            3,
            "it has the key or the id of line 2",
        ),
        (format!("key\n{ours}\n"), 2, exists),
        (format!("key,id\n{KEY},{id}\n"), 2, exists),
        (
            format!("key\n{mistyped}\n"),
            2,
            "the checksum of the key does not match: it was mistyped or cut",
        ),
        (
            "key\nfss_x\n".to_owned(),
            2,
            "the key starts with the prefix of this service but has not the shape of its keys",
        ),
        (
            format!("key,id\n{ours},00000000001\n"),
            2,
            "the id in the key is another than the id that is given",
        ),
        (
            "key\nan imported key of 32 characters\n".to_owned(),
            2,
            "a key of your own has visible ASCII characters alone: no spaces, no control characters, no other letters",
        ),
        (
            format!("sha256,revoked_at,state\n{digest},2026-01-01T00:00:00Z,active\n"),
            2,
            "`state` says that it is not revoked, and `revoked_at` that it is",
        ),
        (
            format!("sha256,expires_at\n{digest},2026-01-01\n"),
            2,
            "`expires_at`: a date is a text in RFC 3339, such as 2030-01-31T12:00:00Z",
        ),
        (
            format!("{{\"key\":\"{KEY}\",\"sha256\":\"{digest}\"}}\n"),
            1,
            "it has both `key` and `sha256`; one says it all",
        ),
        (
            format!("{{\"key\":\"{KEY}\"}}\n{{\n"),
            2,
            "it is not an object in JSON, in UTF-8 and on one line",
        ),
    ] {
        let text =
            format!("error: 1 line is wrong; nothing was imported\n  line {line}: {fault}\n");
        assert_eq!(desk.import(&file, &["--yes"]), refused(&text));
    }
    for head in [KEY, "name", "key,key", "id,name", "key,secret"] {
        let done = desk.import(&format!("{head}\n{KEY}\n"), &["--yes"]);
        assert_eq!(done.code, 1);
        assert!(done.said.contains("\n  line 1: the first line names "), "{done:?}");
        assert!(!done.said.contains(KEY), "{done:?}");
    }
    assert_eq!(count(&desk.database()), 1);
}

#[test]
fn an_import_takes_back_no_revocation_and_changes_no_key() {
    let desk = Desk::new();
    let (ours, id) = desk.issue(&["--name", "mine"]);
    desk.print(&["keys", "revoke", &id]);
    let before = desk.print(&["keys", "export"]);
    let digest = &before[30..94];
    for file in [
        format!("key,name,never_expires\n{ours},other,true\n"),
        format!("sha256,name,id\n{digest},other,{id}\n"),
        format!("sha256,state,id\n{digest},active,00000000001\n"),
        format!("key,id\n{KEY},{id}\n"),
        before
            .replace("\"state\":\"revoked\"", "\"state\":null")
            .replace("\"revoked_at\":\"", "\"revoked_at\":null,\"name\":\""),
    ] {
        assert_eq!(desk.import(&file, &["--yes"]).code, 1, "{file}");
        assert_eq!(desk.print(&["keys", "export"]), before);
        if !file.starts_with('{') {
            let done = desk.import(&file, &["--yes", "--skip-existing"]);
            assert_eq!(
                (done.code, done.printed.as_str()),
                (0, "imported 0 keys, skipped 1\n"),
                "{file}"
            );
        }
        assert_eq!(desk.print(&["keys", "export"]), before);
    }
    let mixed = format!("key,name\n{ours},other\n{KEY},new\n");
    let dry = desk.import(&mixed, &["--skip-existing"]);
    assert!(
        dry.printed.starts_with(
            "would import 1 keys (1 active, 0 expired, 0 revoked), skip 1 that exist\n"
        )
    );
    assert_eq!(
        desk.import(&mixed, &["--yes", "--skip-existing"]).printed,
        "imported 1 keys, skipped 1\n"
    );
    assert_eq!(desk.shown(&id)["name"], "mine");
}

#[test]
fn a_key_of_ours_from_elsewhere_keeps_its_id() {
    let (desk, other) = (Desk::new(), Desk::new());
    let (ours, id) = other.issue(&[]);
    let done = desk.import(&format!("\u{feff}key,name\r\n{ours},shop\r\n"), &["--yes"]);
    assert_eq!(done.printed, "imported 1 keys, skipped 0\n", "{done:?}");
    assert_eq!(desk.shown(&id)["name"], "shop");
    assert_eq!(desk.feed(&["keys", "show", "-"], &ours).code, 0);
}

#[test]
fn a_file_that_cannot_be_read() {
    let desk = Desk::new();
    let done = desk.run(&["keys", "import", "nowhere.csv", "--yes"]);
    assert_eq!(
        done,
        refused("error: nowhere.csv cannot be read: No such file or directory (os error 2)\n")
    );
    assert_eq!(desk.import("", &["--yes"]).printed, "imported 0 keys, skipped 0\n");
    assert_eq!(desk.run(&["keys", "import", "."]).code, 1);
}
