//! The log: a line for each request, and no secret in it.

use serde_json::Value;

use crate::raw::{self, Connection};
use crate::{Desk, SECRET, wait};

#[test]
fn each_request_has_a_line_and_no_line_has_a_secret() {
    let desk = Desk::new();
    let (key, id) = desk.issue("the name of a shop");
    let (revoked, revoked_id) = desk.issue("");
    wait(desk.keys().revoke(revoked_id)).expect("revoked");
    let server = desk.serve(&["--log-level", "trace", "--trusted-proxy", "127.0.0.0/8"]);
    let canary = "canary-in-a-value";
    let lines = [format!("x-api-key: {key}"), format!("user-agent: {canary}")];
    let headers = [lines[0].as_str(), &lines[1], "x-forwarded-for: 203.0.113.1, 192.0.2.1"];
    server.get(&format!("/verify?api-key={key}&{canary}"), &headers);
    server.get("/verify/nginx", &[&format!("authorization: Bearer {revoked}")]);
    server.get("/verify", &[]);
    server.get("/verify", &[&lines[0], &format!("api-key: {key}")]);
    server.get("/verify", &["x-api-key: canary-that-is-no-key"]);
    let encoded: String = key.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for path in [format!("/auth/keys/{key}"), format!("/{encoded}"), format!("/a%2f{key}/b")] {
        server.get(&path, &[&format!("secret-key: {SECRET}")]);
    }
    let body = r#"{"name": "canary-in-a-body", "key": "canary-of-an-imported-key-0123456789"}"#;
    let secret = format!("secret-key: {SECRET}");
    let headers = [secret.as_str(), "content-type: application/json"];
    assert_eq!(server.ask("POST", "/auth/keys", &headers, body).status, 201);
    let issued = server.ask("POST", "/auth/keys", &headers, "{}");
    assert_eq!(issued.status, 201);
    let issued: Value = serde_json::from_str(&issued.body).expect("an object");
    server.get("/auth/keys", &["secret-key: canary-that-is-no-secret"]);
    for bytes in
        ["\u{1b}[31m\n\r canary", "GET /canary-in-a-path\u{85}\u{202e} HTTP/1.1\r\nhost: a\r\n\r\n"]
    {
        let mut connection = Connection::open(server.address);
        let _ = connection.send(format!("{bytes}\r\n\r\n").as_bytes());
        connection.read();
    }
    let log = server.stop();

    let digests: Vec<String> = digests(&desk);
    let made = issued["key"].as_str().expect("a key");
    for secret in [key.as_str(), &revoked, made, SECRET, &key[16..], &encoded]
        .into_iter()
        .chain(digests.iter().map(String::as_str))
    {
        assert!(!log.to_lowercase().contains(&secret.to_lowercase()), "{secret} is in the log");
    }
    let shown = log.replace("/canary-in-a-path", "");
    assert!(!shown.contains("canary"), "{shown}");
    assert!(log.chars().all(|letter| letter == '\n' || !letter.is_control()), "{log}");
    assert!(!log.contains('\u{202e}'), "{log}");
    let objects: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let requests: Vec<&Value> =
        objects.iter().filter(|line| line["message"] == "request").collect();
    let expected = [
        ("GET", "/verify", 200, "verified", Some(id.as_str()), "192.0.2.1"),
        ("GET", "/verify/nginx", 401, "denied", Some(revoked_id.as_str()), "127.0.0.1"),
        ("GET", "/verify", 401, "not_presented", None, "127.0.0.1"),
        ("GET", "/verify", 400, "repeated", None, "127.0.0.1"),
        ("GET", "/verify", 401, "denied", None, "127.0.0.1"),
        ("GET", "(hidden, it holds a key)", 404, "refused", None, "127.0.0.1"),
    ];
    for (line, (method, path, status, outcome, key, client)) in requests.iter().zip(expected) {
        assert_eq!(line["method"], method, "{line}");
        assert_eq!(line["path"], path, "{line}");
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(line["outcome"], outcome, "{line}");
        assert_eq!(line["key"].as_str(), key, "{line}");
        assert_eq!(line["client"], client, "{line}");
        assert!(line["microseconds"].is_u64() && line["level"] == "INFO", "{line}");
        assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    }
    assert!(requests.len() >= 11, "{log}");
}

#[test]
fn text_is_for_people_and_warn_is_quiet() {
    let desk = Desk::new();
    let server = desk.serve(&["--log-format", "text"]);
    server.get("/verify", &[]);
    let log = server.stop();
    assert!(log.contains(r#" INFO request method=GET path="/verify" status=401 outcome=not_presented client=127.0.0.1 "#), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
    let server = desk.serve(&["--log-level", "warn"]);
    server.get("/verify", &[]);
    raw::exchange(server.address, b"garbage\r\n\r\n");
    assert_eq!(server.stop(), "");
}

/// The word of a peer that is not trusted is not taken.
#[test]
fn the_client_is_the_peer_unless_the_peer_is_trusted() {
    let desk = Desk::new();
    let server = desk.serve(&["--trusted-proxy", "10.0.0.0/8"]);
    server.get("/verify", &["x-forwarded-for: 192.0.2.1", "forwarded: for=192.0.2.1"]);
    let log = server.stop();
    assert!(log.contains(r#""client":"127.0.0.1""#) && !log.contains("192.0.2.1"), "{log}");
}

/// What is stored of the keys, in hexadecimal.
fn digests(desk: &Desk) -> Vec<String> {
    let connection = rusqlite::Connection::open(desk.database()).expect("the database");
    let mut statement = connection.prepare("SELECT hex(digest) FROM api_keys").expect("a query");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    let digests: Vec<String> = rows.map(|digest| digest.expect("a digest")).collect();
    assert!(digests.len() > 3 && digests.iter().all(|digest| digest.len() == 64));
    digests
}
