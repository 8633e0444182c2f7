//! The owner of a key, through every verb.

use serde_json::Value;
use test_support::servers::postgres::Postgres;
use test_support::servers::redis::Redis;

use super::{Desk, Done};

fn refused(said: &str) -> Done {
    Done { code: 2, printed: String::new(), said: format!("error: {said}\n") }
}

#[track_caller]
fn owner(desk: &Desk, id: &str) -> String {
    desk.shown(id)["owner"].as_str().expect("a text").to_owned()
}

#[test]
fn a_key_is_issued_edited_and_listed_by_its_owner() {
    let desk = Desk::new();
    let (_, none) = desk.issue(&[]);
    let (key, id) = desk.issue(&["--name", "shop", "--owner", "acme"]);
    let (_, other) = desk.issue(&["--owner", "Ünï <b>🔑"]);
    assert_eq!((owner(&desk, &none), owner(&desk, &id)), (String::new(), "acme".to_owned()));
    let shown = desk.print(&["keys", "show", &id]);
    assert!(shown.contains("\nname       shop\nowner      acme\nstate      active\n"), "{shown}");
    let listed = |flags: &[&str]| -> Vec<String> {
        let printed = desk.print(&[&["keys", "list", "--json"], flags].concat());
        let keys = printed.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        keys.map(|key| key["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(listed(&["--owner", "acme"]), [id.as_str()]);
    assert_eq!(listed(&["--owner="]), [none.as_str()]);
    assert_eq!(listed(&["--owner", "acm"]), [""; 0]);
    assert_eq!(listed(&["--owner", "Ünï <b>🔑"]), [other.as_str()]);
    let table = desk.print(&["keys", "list", "--owner", "acme"]);
    assert!(table.lines().next().is_some_and(|line| line.ends_with("TOTAL  OWNER         NAME")));
    assert!(table.ends_with("0  acme          shop\n"), "{table}");

    let edit = |flags: &[&str]| desk.print(&[&["keys", "edit", &id], flags].concat());
    assert_eq!(edit(&["--name", "kiosk"]), format!("edited {id}\n"));
    assert_eq!(owner(&desk, &id), "acme", "what is not given stays");
    let edited: Value =
        serde_json::from_str(&edit(&["--owner", "globex", "--json"])).expect("JSON");
    assert_eq!(edited, desk.shown(&id));
    assert_eq!((&edited["owner"], &edited["name"]), (&"globex".into(), &"kiosk".into()));
    edit(&["--no-owner", "--expires-at", "2222-01-31T12:00:00Z"]);
    assert_eq!(
        (owner(&desk, &id), &desk.shown(&id)["expires_at"]),
        (String::new(), &"2222-01-31T12:00:00Z".into())
    );
    edit(&["--never-expires", "--owner", "acme"]);
    assert_eq!(desk.shown(&id)["expires_at"], Value::Null);
    desk.print(&["keys", "revoke", &id]);
    edit(&["--owner", ""]);
    assert_eq!((owner(&desk, &id), &desk.shown(&id)["state"]), (String::new(), &"revoked".into()));
    let fed = desk.feed(&["keys", "edit", "-", "--owner", "acme"], &key);
    assert_eq!(fed, Done { code: 0, printed: format!("edited {id}\n"), said: String::new() });
    assert_eq!(owner(&desk, &id), "acme");
}

#[test]
fn a_wrong_owner_is_named_and_changes_nothing() {
    let desk = Desk::new();
    let (key, id) = desk.issue(&["--owner", "acme"]);
    let before = desk.print(&["keys", "export"]);
    let long = "é".repeat(201);
    let too_long = refused("--owner: an owner has at most 200 characters, this one has 201");
    let invisible = |code: &str| {
        refused(&format!(
            "--owner: an owner cannot have control characters or direction marks, this one has {code}"
        ))
    };
    for verb in [&["issue"][..], &["edit", &id], &["list"]] {
        let run = |owner: &str| desk.run(&[&["keys"], verb, &["--owner", owner]].concat());
        assert_eq!(run(&long), too_long, "{verb:?}");
        assert_eq!(run("a\n"), invisible("U+000A"), "{verb:?}");
        assert_eq!(run("a\u{202E}"), invisible("U+202E"), "{verb:?}");
        assert_eq!(run(&key).code, 2, "a key is no argument");
    }
    let nothing = desk.run(&["keys", "edit", &id]);
    assert!(nothing.said.starts_with("error: nothing to change: give --name, "), "{nothing:?}");
    let both = desk.run(&["keys", "edit", &id, "--owner", "a", "--no-owner"]);
    assert_eq!((nothing.code, both.code), (2, 2));
    let unknown = desk.run(&["keys", "edit", "00000000000", "--owner", "a"]);
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert_eq!(desk.print(&["keys", "export"]), before);
    let not_there = Desk::new();
    assert_eq!(not_there.run(&["keys", "edit", &id, "--owner", "a"]).code, 1);
    assert!(!not_there.database().exists());
}

#[test]
fn an_owner_is_exported_and_imported() {
    let desk = Desk::new();
    let (_, id) = desk.issue(&["--owner", "=acme, \"quoted\" 🔑"]);
    desk.issue(&[]);
    let table = desk.print(&["keys", "export", "--format", "csv"]);
    assert!(table.starts_with("id,sha256,name,owner,state,"), "{table}");
    assert!(table.contains(",\"'=acme, \"\"quoted\"\" 🔑\",active,"), "no formula: {table}");
    for format in ["json", "csv"] {
        let exported = desk.print(&["keys", "export", "--format", format]);
        let copy = Desk::new();
        assert_eq!(copy.import(&exported, &["--yes"]).code, 0);
        assert_eq!(copy.print(&["keys", "export", "--format", format]), exported);
        assert_eq!(owner(&copy, &id), "=acme, \"quoted\" 🔑");
    }
    let text = "an-imported-key-of-32-characters";
    for (file, expected) in [
        (format!("key,owner\n{text},acme\n"), "acme"),
        (format!("key,owner\n{text},\n"), ""),
        (format!("key\n{text}\n"), ""),
        (format!("{{\"key\":\"{text}\",\"owner\":\"acme\"}}"), "acme"),
        (format!("{{\"key\":\"{text}\",\"owner\":null}}"), ""),
    ] {
        let desk = Desk::new();
        assert_eq!(desk.import(&file, &["--yes"]).code, 0, "{file}");
        let shown = desk.feed(&["keys", "show", "-", "--json"], text).printed;
        assert!(shown.contains(&format!("\"owner\":\"{expected}\"")), "{file}: {shown}");
    }
    for (owner, problem) in [
        (format!("\"{}\"", "é".repeat(201)), "`owner`: an owner has at most 200 characters"),
        ("\"a\\u202e\"".to_owned(), "`owner`: an owner cannot have control characters"),
        ("5".to_owned(), "`owner` is a text"),
    ] {
        let desk = Desk::new();
        let done = desk.import(&format!("{{\"key\":\"{text}\",\"owner\":{owner}}}"), &["--yes"]);
        assert_eq!(done.code, 1);
        assert!(done.said.contains(problem) && !desk.database().exists(), "{done:?}");
    }
}

#[test]
fn a_copy_has_the_owners_on_every_store() {
    let desk = Desk::new();
    let (postgres, redis) = (Postgres::shared(), Redis::shared());
    let [postgres, redis] = [postgres.fresh_database(), redis.fresh_database()]
        .map(|url| format!("{url}?max_staleness=0.5"));
    let places = ["keys.db", &postgres, &redis, "end.db"];
    let (_, id) = desk.issue(&["--owner", "acme"]);
    let at = |place: &str, arguments: &[&str]| {
        let arguments = [arguments, &["--db-location", place]].concat();
        desk.print(&arguments)
    };
    assert_eq!(desk.run(&["init", "--db-location", &redis]).code, 0);
    for owner in ["acme", "globex", ""] {
        at("keys.db", &["keys", "edit", &id, "--owner", owner]);
        for pair in places.windows(2) {
            let [from, to] = pair else { panic!("two") };
            let copied = desk.run(&["copy", from, to]);
            assert_eq!(copied.code, 0, "{copied:?}");
            let shown: Value =
                serde_json::from_str(&at(to, &["keys", "show", &id, "--json"])).expect("JSON");
            assert_eq!(shown["owner"], owner, "{to}");
            assert_eq!(at(to, &["keys", "list", "--owner", owner, "--json"]).lines().count(), 1);
        }
    }
}

#[test]
fn edit_has_help_with_examples() {
    let help = Desk::new().print(&["keys", "edit", "--help"]);
    for text in ["\n  simple-security keys edit Gh29RPWKBo4 --no-owner\n", "\nExit codes: 0 done, "]
    {
        assert!(help.contains(text), "{help}");
    }
    assert!(!help.contains("PROGRAM"), "{help}");
}
