//! What is refused: with which exit code, in which words, and without showing a key.

use super::{Desk, Done};

const SEEN: &str = "a key on the command line is seen by all users in the list of processes and stays in the \
    history of the shell; give its id, or `-` and the key on the standard input";

fn refused(code: i32, said: &str) -> Done {
    Done { code, printed: String::new(), said: format!("{said}\n") }
}

#[test]
fn a_database_that_is_not_there_is_not_made() {
    let desk = Desk::new();
    let database = desk.database();
    let text = format!(
        "error: SIMPLE_SECURITY_DB_LOCATION: {} does not exist; name the file that the application uses",
        database.canonicalize().unwrap_or(database.clone()).display()
    );
    for arguments in [
        &["keys", "list"][..],
        &["keys", "show", "Gh29RPWKBo4"],
        &["keys", "revoke", "Gh29RPWKBo4"],
        &["keys", "renew", "Gh29RPWKBo4"],
        &["keys", "delete", "Gh29RPWKBo4", "--yes"],
        &["keys", "export"],
    ] {
        assert_eq!(desk.run(arguments), refused(1, &text), "{arguments:?}");
    }
    assert_eq!(desk.import("key\nan-imported-key-of-32-characters\n", &[]).code, 0);
    assert_eq!(desk.import("key\nshort\n", &["--yes"]).code, 1);
    assert_eq!(std::fs::read_dir(desk.0.path()).expect("the folder").count(), 0);
}

#[test]
fn wrong_settings_are_named_as_they_were_set() {
    let desk = Desk::new();
    let environment = |name: &str, value: &str| {
        let output = desk.command(&["keys", "list"]).env(name, value).output();
        super::done(output.expect("a process"))
    };
    let days = "\"soon\" is not a number of days from 1 to 36500";
    let name = "SIMPLE_SECURITY_AUTOMATIC_EXPIRATION";
    assert_eq!(environment(name, "soon"), refused(2, &format!("error: {name}: {days}")));
    let flag = desk.run(&["keys", "list", "--automatic-expiration", "soon"]);
    assert_eq!(flag, refused(2, &format!("error: --automatic-expiration: {days}")));
    let location = desk.run(&["keys", "list", "--db-location", ""]);
    let text = "error: --db-location: it names no file; use a path such as keys.db";
    assert_eq!(location, refused(2, text));
    assert_eq!(environment("SIMPLE_SECURITY_KEY_PREFIX", "A").code, 2);
    assert_eq!(environment("SIMPLE_SECURITY_SECRET", "").code, 2);
    let other = environment("FASTAPI_SIMPLE_SECURITY_AUTOMATIC_EXPIRATION", "soon");
    assert_eq!(other.code, 1, "the variables of the package are none of the program: {other:?}");
    let folder = desk.run(&["keys", "list", "--db-location", "."]);
    assert!(folder.said.starts_with("error: --db-location: . is a folder;"), "{folder:?}");
}

#[test]
fn a_key_is_no_argument() {
    let desk = Desk::new();
    let (key, id) = desk.issue(&[]);
    let refusal = refused(2, &format!("error: {SEEN}"));
    for verb in ["show", "revoke", "renew", "delete", "issue", "nothing"] {
        assert_eq!(desk.run(&["keys", verb, &key]), refusal, "{verb}");
    }
    assert_eq!(desk.run(&["keys", "issue", "--name", &key]), refusal);
    assert_eq!(desk.run(&["keys", "list", &format!("--name=x{key}x")]), refusal);
    let own = "0b6c1b9e-52f7-4c1d-8a4e-6f9d3c2b1a07";
    for arguments in [
        &["keys", "show", own][..],
        &["keys", "revoke", &id, own],
        &["keys", "delete", own, "--yes"],
        &["keys", "list", own],
        &["keys", "show", &id, own],
        &["keys", own],
        &[own],
        &["keys", "list", "--state", own],
        &["keys", &format!("--{own}={own}")],
        &["keys", "issue", &format!("--expires-at={own}")],
    ] {
        let done = desk.run(arguments);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(!done.said.contains(own), "{done:?}");
    }
    assert_eq!(desk.shown(&id)["state"], "active", "nothing was revoked");
}

#[test]
fn an_unknown_key_is_not_found() {
    let desk = Desk::new();
    let (key, id) = desk.issue(&[]);
    let unknown = "00000000000";
    for arguments in [
        &["keys", "show", unknown][..],
        &["keys", "revoke", unknown],
        &["keys", "renew", unknown],
        &["keys", "delete", unknown, "--yes"],
    ] {
        let text = "error: 00000000000: API key not found";
        assert_eq!(desk.run(arguments), refused(1, text), "{arguments:?}");
    }
    let cut = &key[..54];
    let read = desk.feed(&["keys", "show", "-"], cut);
    assert_eq!(read, refused(1, "error: line 1 of the standard input: API key not found"));
    let one_of_two = desk.run(&["keys", "revoke", unknown, &id]);
    let printed = format!("revoked {id}\n");
    let said = "error: 00000000000: API key not found\n".to_owned();
    assert_eq!(one_of_two, Done { code: 1, printed, said }, "the others are revoked all the same");
}

#[test]
fn what_is_wrong_is_said_before_anything_is_done() {
    let desk = Desk::new();
    let (_, id) = desk.issue(&[]);
    for (arguments, said) in [
        (
            &["keys", "issue", "--name", "a\u{202e}"][..],
            "error: --name: a name cannot have control characters or direction marks, this one has U+202E",
        ),
        (
            &["keys", "issue", "--expires-at", "soon"],
            "error: --expires-at: a date is a text in RFC 3339, such as 2030-01-31T12:00:00Z",
        ),
        (&["keys", "revoke", &id, "-"], "error: give ids, or `-` and nothing else"),
        (
            &["keys", "delete", &id],
            "error: there is nobody to ask whether to delete it for ever; say --yes",
        ),
        (&["keys", "show", "-"], "error: the standard input names no key"),
    ] {
        assert_eq!(desk.run(arguments), refused(2, said));
    }
    for arguments in [
        &["keys"][..],
        &["keys", "issue", "--expires-at", "2030-01-31T12:00:00Z", "--never-expires"],
        &["keys", "list", "--limit", "0"],
        &["keys", "list", "--limit", "5", "--all"],
        &["keys", "import"],
        &["keys", "import", "-", "--yes", "--dry-run"],
    ] {
        assert_eq!(desk.run(arguments).code, 2, "{arguments:?}");
    }
    assert!(desk.feed(&["keys", "show", "-"], &"x".repeat(300)).said.contains("too long"));
    assert!(desk.feed(&["keys", "show", "-"], "a\nb\n").said.contains("more than one"));
    assert_eq!(super::count(&desk.database()), 1);
}

#[test]
fn an_old_database_is_left_to_the_application() {
    let desk = Desk::new();
    let old = super::old::write(&desk.database(), 3);
    for arguments in [&["keys", "list"][..], &["keys", "issue"], &["keys", "export"]] {
        let done = desk.run(arguments);
        assert_eq!(done.code, 1);
        assert!(done.said.contains("a database of fastapi_simple_security 1.x"), "{done:?}");
    }
    assert_eq!(std::fs::read(desk.database()).expect("the file"), old);
}
