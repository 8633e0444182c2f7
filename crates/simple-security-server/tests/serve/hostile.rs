//! Bytes that no well-behaved client sends. Nothing of it lets anybody in, or stops the server.

use crate::Desk;
use crate::raw::{self, Connection};

/// What is sent, with `{key}` for a good key, and which statuses are right; 0: closed without one.
fn cases() -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let lines = |request: &str| request.replace('\n', "\r\n").into_bytes();
    let many = "x: y\n".repeat(200);
    let large = format!("x: {}\n", "y".repeat(64 * 1024));
    let path = "a".repeat(64 * 1024);
    vec![
        ("good", lines("GET /verify HTTP/1.1\nhost: a\nx-api-key: {key}\n\n"), &[200]),
        ("HTTP/1.0", lines("GET /verify HTTP/1.0\nx-api-key: {key}\n\n"), &[200]),
        ("HTTP/1.0 without a key", lines("GET /verify HTTP/1.0\n\n"), &[401]),
        (
            "the whole URL",
            lines("GET http://b/verify HTTP/1.1\nhost: a\nx-api-key: {key}\n\n"),
            &[200],
        ),
        (
            "a URL of another path",
            lines("GET http://verify/x HTTP/1.1\nhost: a\nx-api-key: {key}\n\n"),
            &[404],
        ),
        ("a key in the URL", lines("GET http://{key}@b/verify HTTP/1.1\nhost: a\n\n"), &[400, 401]),
        ("no host", lines("GET /verify HTTP/1.1\nx-api-key: {key}\n\n"), &[200, 400]),
        ("two hosts", lines("GET /verify HTTP/1.1\nhost: a\nhost: b\n\n"), &[400, 401]),
        (
            "the key twice",
            lines("GET /verify HTTP/1.1\nhost: a\nx-api-key: {key}\nx-api-key: {key}\n\n"),
            &[400],
        ),
        (
            "the key twice, in two cases",
            lines("GET /verify HTTP/1.1\nhost: a\nX-API-KEY: {key}\nx-Api-key: {key}\n\n"),
            &[400],
        ),
        (
            "two credentials",
            lines(
                "GET /verify HTTP/1.1\nhost: a\nx-api-key: {key}\nauthorization: Bearer {key}\n\n",
            ),
            &[400],
        ),
        (
            "joined by a comma",
            lines("GET /verify HTTP/1.1\nhost: a\nx-api-key: {key}, {key}\n\n"),
            &[401],
        ),
        ("a folded header", lines("GET /verify HTTP/1.1\nhost: a\nx-api-key:\n {key}\n\n"), &[400]),
        (
            "a folded header after the key",
            lines("GET /verify HTTP/1.1\nhost: a\nx-api-key: {key}\n x\n\n"),
            &[400],
        ),
        ("NUL in a value", lines("GET /verify HTTP/1.1\nhost: a\nx-api-key: {key}\0\n\n"), &[400]),
        ("NUL in a name", lines("GET /verify HTTP/1.1\nhost: a\nx-api\0-key: {key}\n\n"), &[400]),
        (
            "a space before the colon",
            lines("GET /verify HTTP/1.1\nhost: a\nx-api-key : {key}\n\n"),
            &[400],
        ),
        (
            "a space before the name",
            lines("GET /verify HTTP/1.1\n x-api-key: {key}\nhost: a\n\n"),
            &[400],
        ),
        (
            "a lone CR in a value",
            lines("GET /verify HTTP/1.1\nhost: a\nx: b\rx-api-key: {key}\n\n"),
            &[400],
        ),
        (
            "lone line feeds",
            b"GET /verify HTTP/1.1\nhost: a\nx-api-key: {key}\n\n".to_vec(),
            &[200, 400],
        ),
        ("a header without a colon", lines("GET /verify HTTP/1.1\nhost: a\nx-api-key\n\n"), &[400]),
        ("a line of nothing", lines("GET /verify HTTP/1.1\nhost: a\n: {key}\n\n"), &[400]),
        (
            "a trailer",
            lines(
                "POST /verify HTTP/1.1\nhost: a\ntransfer-encoding: chunked\n\n0\nx-api-key: {key}\n\n",
            ),
            &[401],
        ),
        (
            "two lengths",
            lines("POST /verify HTTP/1.1\nhost: a\ncontent-length: 1\ncontent-length: 2\n\nab"),
            &[400],
        ),
        (
            "two lengths in one",
            lines("POST /verify HTTP/1.1\nhost: a\ncontent-length: 1, 2\n\nab"),
            &[400],
        ),
        (
            "a length that is none",
            lines("POST /verify HTTP/1.1\nhost: a\ncontent-length: +1\n\na"),
            &[400],
        ),
        (
            "a length below zero",
            lines("POST /verify HTTP/1.1\nhost: a\ncontent-length: -1\n\n"),
            &[400],
        ),
        (
            "an unknown coding",
            lines("POST /verify HTTP/1.1\nhost: a\ntransfer-encoding: x\n\n"),
            &[400],
        ),
        (
            "HTTP/1.0 in chunks",
            lines("POST /verify HTTP/1.0\ntransfer-encoding: chunked\n\n0\n\n"),
            &[400, 401],
        ),
        ("HTTP/9.9", lines("GET /verify HTTP/9.9\nhost: a\nx-api-key: {key}\n\n"), &[400]),
        ("HTTP/0.9", lines("GET /verify\n"), &[400]),
        ("a method that is none", lines("G(T /verify HTTP/1.1\nhost: a\n\n"), &[400]),
        (
            "a tunnel",
            lines("CONNECT /verify HTTP/1.1\nhost: a\nx-api-key: {key}\n\n"),
            &[200, 400, 404],
        ),
        (
            "a tunnel to a host",
            lines("CONNECT a:80 HTTP/1.1\nhost: a\nx-api-key: {key}\n\n"),
            &[404],
        ),
        ("the whole server", lines("OPTIONS * HTTP/1.1\nhost: a\nx-api-key: {key}\n\n"), &[404]),
        ("a space in the path", lines("GET /verify x HTTP/1.1\nhost: a\n\n"), &[400]),
        ("a fragment", lines("GET /verify#x HTTP/1.1\nhost: a\n\n"), &[400, 401]),
        (
            "a path that is not UTF-8",
            b"GET /\xff HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
            &[400, 404],
        ),
        (
            "an upgrade",
            lines(
                "GET /verify HTTP/1.1\nhost: a\nconnection: upgrade\nupgrade: h2c\nhttp2-settings: AAMAAABkAAQAAP__\n\n",
            ),
            &[401],
        ),
        ("200 headers", lines(&format!("GET /verify HTTP/1.1\nhost: a\n{many}\n")), &[431]),
        ("64 kB of headers", lines(&format!("GET /verify HTTP/1.1\nhost: a\n{large}\n")), &[431]),
        ("64 kB of path", lines(&format!("GET /{path} HTTP/1.1\nhost: a\n\n")), &[414, 431]),
        ("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), &[0, 400]),
        ("garbage in lines", b"\xff\xfe\r\n\r\n".to_vec(), &[400]),
        (
            "HTTP/2 and garbage",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
            &[0],
        ),
        ("half of the start of HTTP/2", lines("PRI * HTTP/2.0\n\nXX\n\n"), &[0, 400]),
    ]
}

#[test]
fn nothing_hostile_gets_in() {
    let desk = Desk::new();
    let (key, id) = desk.issue("shop");
    let server = desk.serve(&[]);
    let mut passed = 0;
    for (name, bytes, statuses) in cases() {
        let bytes = replace(&bytes, b"{key}", key.as_bytes());
        let mut connection = Connection::open(server.address);
        // The server may answer and close before it has read all.
        let _ = connection.send(&bytes);
        if statuses.contains(&0) {
            // Whatever frames of HTTP/2 there are, the end comes.
            use std::io::Read as _;
            let _ = connection.0.read_to_end(&mut Vec::new());
        } else {
            let answer = connection.read().unwrap_or_else(|| panic!("{name}: closed"));
            assert!(statuses.contains(&answer.status), "{name}: {answer:?}");
            passed += u64::from(answer.status == 200);
            if answer.status == 200 {
                assert_eq!(answer.header("x-api-key-id"), Some(id.as_str()), "{name}");
            }
        }
        assert_eq!(server.get("/healthz", &[]).status, 200, "after {name}");
    }
    let log = server.stop();
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(desk.used(id), passed);
}

/// A body is not read, and what is in it is never taken for a request.
#[test]
fn a_body_is_not_taken_for_a_request() {
    let desk = Desk::new();
    let (key, id) = desk.issue("shop");
    let server = desk.serve(&[]);
    let inner = format!("GET /verify HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n\r\n");
    let length = inner.len();
    for framing in [
        format!("content-length: {length}\r\n\r\n{inner}"),
        "content-length: 1000000000\r\n\r\n".to_owned() + &inner,
        format!("content-length: {length}\r\nexpect: 100-continue\r\n\r\n{inner}"),
        format!("transfer-encoding: chunked\r\n\r\n{length:x}\r\n{inner}\r\n0\r\n\r\n"),
        format!("transfer-encoding: chunked\r\n\r\nzz\r\n{inner}"),
        format!("content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{inner}"),
        format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n\r\n0\r\n\r\n{inner}"),
    ] {
        for path in ["/verify", "/verify/nginx"] {
            let mut connection = Connection::open(server.address);
            let request = format!("POST {path} HTTP/1.1\r\nhost: a\r\n{framing}");
            let _ = connection.send(request.as_bytes());
            let answer = connection.read().expect("an answer");
            assert_eq!(answer.status, 401, "{framing}");
            assert_eq!(answer.header("connection"), Some("close"), "{framing}");
            assert!(connection.is_closed(), "{framing}");
        }
    }
    // Without a body the connection stays, also for one after the other without waiting.
    let mut connection = Connection::open(server.address);
    connection.send(inner.repeat(10).as_bytes()).expect("sent");
    for _ in 0..10 {
        assert_eq!(connection.read().expect("an answer").status, 200);
    }
    server.stop();
    assert_eq!(desk.used(id), 10);
}

#[test]
fn a_body_for_the_administrator_has_a_greatest_length() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let secret = format!("secret-key: {}", crate::SECRET);
    let headers = [secret.as_str(), "content-type: application/json"];
    // The client sends all of the body before it reads: the response must not be lost.
    for length in [65_537, 1_000_000] {
        let body = format!("{{\"name\": \"{}\"}}", "x".repeat(length));
        assert_eq!(server.ask("POST", "/auth/keys", &headers, &body).status, 413);
    }
    let body = "x".repeat(100_000);
    assert_eq!(server.ask("POST", "/auth/keys", &headers[1..], &body).status, 401);
    server.stop();
}

#[test]
fn a_head_has_no_body() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let mut connection = Connection::open(server.address);
    connection
        .send(b"HEAD /verify HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .expect("sent");
    use std::io::Read as _;
    let mut answer = String::new();
    connection.0.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert_eq!(raw::exchange(server.address, b"GET /healthz HTTP/1.0\r\n\r\n").status, 200);
    server.stop();
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|part| part == from) {
        replaced.extend([&rest[..at], to].concat());
        rest = &rest[at + from.len()..];
    }
    replaced.extend(rest);
    replaced
}
