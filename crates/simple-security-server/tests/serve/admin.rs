//! The routes of the administrator, by the steps that every adapter shares.

use test_support::admin_vectors::{self, Request, Response};

use crate::{Desk, SECRET, raw, wait};

#[test]
fn each_step_has_the_response_of_every_adapter() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let responses = wait(admin_vectors::run(SECRET, async |request| {
        let answer = raw::exchange(server.address, &in_http1(&request));
        Response { status: answer.status, headers: answer.headers, body: answer.body }
    }));
    responses.check();
    server.stop();
}

fn in_http1(request: &Request) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\nhost: test\r\n", request.method, request.target);
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let body = match request.is_chunked() {
        true => in_chunks(&request.body),
        false => request.body.clone(),
    };
    [head.as_bytes(), b"\r\n", &body].concat()
}

/// RFC 9112, section 7.1.
fn in_chunks(body: &[u8]) -> Vec<u8> {
    let chunks = body
        .chunks(1000)
        .map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
    chunks.chain([b"0\r\n\r\n".to_vec()]).collect::<Vec<_>>().concat()
}

/// Paths that FastAPI routes differently: see `python/tests/test_resource_mounting.py`.
#[test]
fn a_path_is_routed_as_it_was_sent() {
    let desk = Desk::new();
    let (_, id) = desk.issue("kept");
    let server = desk.serve(&[]);
    let secret = format!("secret-key: {SECRET}");
    for (method, path, status) in [
        ("GET", "/auth//keys", 404),
        ("GET", "//auth/keys", 404),
        ("GET", "/auth/%6Beys", 404),
        ("GET", "/auth/keys/a%2Fb", 404),
        ("POST", &format!("/auth/keys/{id}%2Frevoke"), 405),
        ("DELETE", &format!("/auth//keys/{id}"), 404),
    ] {
        assert_eq!(server.ask(method, path, &[&secret], "").status, status, "{method} {path}");
    }
    let shown = server.get(&format!("/auth/keys/{id}"), &[&secret]);
    assert!(shown.body.contains(r#""state":"active""#), "{}", shown.body);
    server.stop();
}

/// 16 KiB of headers are accepted, with the line of the request.
#[test]
fn a_query_of_60000_characters_is_too_long() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let secret = format!("secret-key: {SECRET}");
    let path = format!("/auth/keys?name={}", "x".repeat(60_000));
    assert_eq!(server.get(&path, &[&secret]).status, 431);
    assert_eq!(server.get("/auth/keys", &[&secret]).status, 200);
    server.stop();
}
