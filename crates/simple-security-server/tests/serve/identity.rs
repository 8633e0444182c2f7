//! Whose key it was: on every answer that lets a request pass, and in ASCII.

use simple_security::{Expiry, KeyName, NewKey, Owner, Timestamp};
use simple_security_server::identity_headers;

use crate::{Desk, wait};

#[test]
fn the_headers_say_whose_key_it_was() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    for (name, expected) in [
        ("", "-"),
        ("-", "%2D"),
        ("shop", "shop"),
        ("my shop, 100%", "my%20shop,%20100%25"),
        ("é🔑", "%C3%A9%F0%9F%94%91"),
        ("%0d%0aX-Api-Key-Id: x", "%250d%250aX-Api-Key-Id:%20x"),
    ] {
        let (key, id) = desk.issue(name);
        for path in ["/verify", "/verify/nginx", "/verify?a=b"] {
            let answer = server.get(path, &[&format!("x-api-key: {key}")]);
            assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{name:?}");
            assert_eq!(answer.header("x-api-key-id"), Some(id.as_str()), "{name:?}");
            assert_eq!(answer.header("x-api-key-name"), Some(expected), "{name:?}");
            assert_eq!(answer.header("x-api-key-expires-at"), Some("-"), "{name:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{name:?}");
        }
    }
    let longest = "\u{1f511}".repeat(KeyName::MAX_LENGTH);
    let (key, _) = desk.issue(&longest);
    let answer = server.get("/verify", &[&format!("authorization: Bearer {key}")]);
    assert_eq!(answer.header("x-api-key-name"), Some("%F0%9F%94%91".repeat(200).as_str()));
    server.stop();
}

#[test]
fn the_owner_is_encoded_as_the_name_is() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let longest = "\u{1f511}".repeat(Owner::MAX_LENGTH);
    for (owner, expected) in [
        ("", "-"),
        ("-", "%2D"),
        ("acme", "acme"),
        ("acme, 100%", "acme,%20100%25"),
        ("%0d%0aX-Api-Key-Id: x", "%250d%250aX-Api-Key-Id:%20x"),
        (longest.as_str(), &"%F0%9F%94%91".repeat(Owner::MAX_LENGTH)),
    ] {
        let new = NewKey::default().with_owner(Owner::new(owner).expect("an owner"));
        let issued = wait(desk.keys().issue(new)).expect("a key");
        let key = format!("x-api-key: {}", issued.key.expose());
        for path in ["/verify", "/verify/nginx"] {
            let answer = server.get(path, &[&key, "x-api-key-owner: forged"]);
            assert_eq!(answer.header("x-api-key-owner"), Some(expected), "{owner:?}");
            assert_eq!(answer.header("x-api-key-name"), Some("-"), "{owner:?}");
        }
    }
    server.stop();
}

/// The tests of the proxy configurations rely on this list.
#[test]
fn the_list_of_identity_headers_is_complete() {
    let desk = Desk::new();
    let (key, _) = desk.issue("");
    let server = desk.serve(&[]);
    for path in ["/verify", "/verify/nginx"] {
        let answer = server.get(path, &[&format!("x-api-key: {key}")]);
        let mut sent: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
        sent.retain(|name| !["cache-control", "content-length", "date"].contains(name));
        assert_eq!(sent, identity_headers().collect::<Vec<&str>>(), "{path}");
    }
    server.stop();
}

/// Older databases and hands may have written what is no name today.
#[test]
fn a_name_that_was_written_by_hand_breaks_no_header() {
    let desk = Desk::new();
    let (key, id) = desk.issue("shop");
    let edit = |name: &str| {
        let connection = rusqlite::Connection::open(desk.database()).expect("the database");
        let changed = connection
            .execute("UPDATE api_keys SET name = ?1 WHERE id = ?2", (name, id.as_str()))
            .expect("an update");
        assert_eq!(changed, 1);
    };
    edit("a\r\nX-Api-Key-Id: forged\0\u{7f}\u{202e}");
    let server = desk.serve(&[]);
    let answer = server.get("/verify", &[&format!("api-key: {key}")]);
    assert_eq!(answer.header("x-api-key-id"), Some(id.as_str()));
    let name = answer.header("x-api-key-name").expect("a name");
    assert!(name.starts_with("a%") && name.bytes().all(|byte| byte.is_ascii_graphic()), "{name}");
    server.stop();
}

#[test]
fn the_date_is_said_where_there_is_one() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let expires_at = Some(Timestamp::from_seconds(4_102_444_800));
    let new = NewKey::default().with_expiry(expires_at.map(Expiry::At));
    let issued = wait(desk.keys().issue(new)).expect("a key");
    let answer = server.get("/verify", &[&format!("x-api-key: {}", issued.key.expose())]);
    assert_eq!(answer.header("x-api-key-expires-at"), Some("2100-01-01T00:00:00Z"));
    assert_eq!(answer.header("x-api-key-name"), Some("-"));
    server.stop();
}
