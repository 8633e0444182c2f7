//! Issue, show, revoke, renew, delete.

use std::sync::Arc;

use serde_json::{Value, json};
use simple_security::store::SqliteStore;
use simple_security::{ApiKeys, VerifyError};

use super::{Desk, Done};

/// An application on the same database.
fn application(desk: &Desk) -> ApiKeys {
    let store = Arc::new(SqliteStore::open(&desk.database()).expect("a store"));
    ApiKeys::builder(store).build().expect("an engine")
}

fn verified(keys: &ApiKeys, key: &str) -> Result<(), &'static str> {
    match pollster::block_on(keys.verify(key.as_bytes())) {
        Ok(_) => Ok(()),
        Err(VerifyError::Revoked(_)) => Err("revoked"),
        Err(VerifyError::Unknown) => Err("unknown"),
        Err(_) => Err("something else"),
    }
}

#[test]
fn a_key_is_printed_alone_and_told_of_elsewhere() {
    let desk = Desk::new();
    let done =
        desk.run(&["keys", "issue", "--name", "shop", "--expires-at", "2222-01-31T12:00:00Z"]);
    let key = done.printed.strip_suffix('\n').expect("a line");
    let id = &key[4..15];
    let said = format!(
        "issued the key {id} for shop, which expires at 2222-01-31T12:00:00Z. It is not shown again.\n"
    );
    assert_eq!((done.code, done.said.as_str(), key.len()), (0, said.as_str(), 55));
    assert_eq!(verified(&application(&desk), key), Ok(()));
    let never = desk.run(&["keys", "issue", "--never-expires"]);
    assert!(never.said.ends_with(", which never expires. It is not shown again.\n"), "{never:?}");
}

#[test]
fn json_has_the_members_of_the_resource_api() {
    let desk = Desk::new();
    let printed = desk.print(&[
        "keys",
        "issue",
        "--name",
        "shop",
        "--expires-at",
        "2222-01-31T12:00:00+02:00",
        "--json",
    ]);
    let issued: Value = serde_json::from_str(&printed).expect("an object");
    let created = issued["created_at"].clone();
    let expected = json!({
        "id": issued["id"], "name": "shop", "state": "active", "created_at": created,
        "expires_at": "2222-01-31T10:00:00Z", "revoked_at": null,
        "usage": {"total": 0, "last_used_at": null},
    });
    let id = issued["id"].as_str().expect("an id");
    let mut details = desk.shown(id);
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(details[name], *value, "{name}");
    }
    assert_eq!(
        serde_json::from_str::<Value>(&desk.print(&["keys", "list", "--json"])).expect("an object"),
        details
    );
    let order = [
        "id",
        "name",
        "state",
        "created_at",
        "expires_at",
        "revoked_at",
        "usage",
        "total",
        "last_used_at",
        "key",
    ];
    let places: Vec<_> =
        order.map(|name| printed.find(&format!("\"{name}\":")).expect(name)).into();
    assert!(places.is_sorted(), "{printed}");
    details["key"] = issued["key"].clone();
    assert_eq!(issued, details);
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json"));
    let described: Value = serde_json::from_str(&text.expect("the file")).expect("JSON");
    let mut required =
        required_members(&described, &described["components"]["schemas"]["IssuedKey"]);
    // A command waits, and ends when what it has done holds everywhere.
    required.retain(|name| *name != "effective_by");
    required.sort();
    let members: Vec<_> = issued.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(members, required);
}

/// The required members of a schema and of the schemas that it consists of.
fn required_members(document: &Value, schema: &Value) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.strip_prefix('#').expect("a reference within");
        return required_members(document, document.pointer(pointer).expect(pointer));
    }
    let list = |name: &str| schema[name].as_array().into_iter().flatten();
    let own = list("required").map(|name| name.as_str().expect("a name").to_owned());
    own.chain(list("allOf").flat_map(|part| required_members(document, part))).collect()
}

#[test]
fn what_is_changed_holds_for_an_application_that_runs() {
    let desk = Desk::new();
    let keys = application(&desk);
    let (key, id) = desk.issue(&[]);
    assert_eq!(verified(&keys, &key), Ok(()));
    assert_eq!(desk.print(&["keys", "revoke", &id]), format!("revoked {id}\n"));
    assert_eq!(verified(&keys, &key), Err("revoked"));
    assert_eq!(desk.print(&["keys", "revoke", &id]), format!("revoked {id}\n"), "once more");
    let renewed = desk.print(&["keys", "renew", &id, "--expires-at", "2222-01-31T12:00:00Z"]);
    assert_eq!(
        renewed,
        format!("renewed {id} until 2222-01-31T12:00:00Z, it was revoked before\n")
    );
    assert_eq!(verified(&keys, &key), Ok(()));
    assert_eq!(
        desk.print(&["keys", "renew", &id, "--never-expires"]),
        format!("renewed {id} for ever\n")
    );
    assert_eq!(desk.print(&["keys", "renew", &id]), format!("renewed {id} for ever\n"));
    let renewed = desk.print(&["keys", "renew", &id, "--expires-at", "2222-01-31T12:00:00Z"]);
    assert_eq!(renewed, format!("renewed {id} until 2222-01-31T12:00:00Z\n"), "a date is meant");
    pollster::block_on(keys.flush()).expect("counted");
    assert_eq!(desk.shown(&id)["usage"]["total"], 2);
    assert_eq!(desk.print(&["keys", "delete", &id, "--yes"]), format!("deleted {id}\n"));
    assert_eq!(verified(&keys, &key), Err("unknown"));
}

#[test]
fn a_whole_key_is_read_from_the_standard_input() {
    let desk = Desk::new();
    let issued: Vec<_> = (0..4).map(|_| desk.issue(&[])).collect();
    let input = format!("{}\n\n{}\r\n{}", issued[0].0, issued[1].1, issued[2].0);
    let revoked = desk.feed(&["keys", "revoke", "-"], &input);
    let printed: String = issued[..3].iter().map(|(_, id)| format!("revoked {id}\n")).collect();
    assert_eq!(revoked, Done { code: 0, printed, said: String::new() });
    let (key, id) = &issued[3];
    let shown = desk.feed(&["keys", "show", "-"], key);
    for line in [&format!("id         {id}"), "name       ", "state      active"] {
        assert!(shown.printed.lines().any(|printed| printed == line), "{line}: {shown:?}");
    }
    assert!(
        desk.feed(&["keys", "renew", "-"], key).printed.starts_with(&format!("renewed {id} until"))
    );
    assert_eq!(
        desk.feed(&["keys", "delete", "-", "--yes"], key).printed,
        format!("deleted {id}\n")
    );
    let rest = desk.print(&["keys", "list", "--json"]);
    assert!(rest.lines().count() == 3 && rest.lines().all(|line| line.contains("revoked")));
}

#[test]
fn the_command_line_knows_no_admin_secret() {
    let desk = Desk::new();
    desk.issue(&[]);
    let secrets = |desk: &Desk| -> i64 {
        let connection = rusqlite::Connection::open(desk.database()).expect("the database");
        let query = "SELECT count(*) FROM settings WHERE name = 'admin_secret_digest'";
        connection.query_row(query, [], |row| row.get(0)).expect("a count")
    };
    assert_eq!(secrets(&desk), 0, "it makes none");
    let output = desk.command(&["keys", "list"]).env("SIMPLE_SECURITY_SECRET", "short").output();
    assert_eq!(super::done(output.expect("a process")).said, "", "and has no opinion on one");
}
