//! What a client or a proxy says besides the key changes nothing.

use simple_security_server::identity_headers;

use crate::Desk;

/// Names of clients, addresses, paths and methods that somebody might believe, beside the identity.
const FORGED: [&str; 13] = [
    "x-api-key-error: forged",
    "x_api_key: {key}",
    "x-forwarded-for: 127.0.0.1",
    "x-forwarded-user: admin",
    "x-forwarded-uri: /healthz",
    "x-forwarded-method: OPTIONS",
    "x-forwarded-host: localhost",
    "x-original-uri: /public?api-key={key}",
    "x-original-url: /verify?api-key={key}",
    "x-original-method: OPTIONS",
    "forwarded: for=127.0.0.1",
    "cookie: api-key={key}; x-api-key={key}",
    "x-http-method-override: GET",
];

#[test]
fn forged_headers_change_no_answer() {
    let desk = Desk::new();
    let (key, _) = desk.issue("shop");
    // Also when the peer is trusted: its word is for the log alone.
    let server = desk.serve(&["--trusted-proxy", "127.0.0.1/32"]);
    let credential = format!("x-api-key: {key}");
    let identity = identity_headers().map(|name| format!("{name}: forged"));
    let others = FORGED.iter().map(|line| line.replace("{key}", &key));
    let forged: Vec<String> = identity.chain(others).collect();
    for path in ["/verify", "/verify/nginx"] {
        let refused = server.get(path, &[]).undated();
        let passed = server.get(path, &[&credential]).undated();
        assert_eq!((refused.status, passed.status), (401, 200));
        let all: Vec<&str> = forged.iter().map(String::as_str).collect();
        for lines in forged.iter().map(|line| vec![line.as_str()]).chain([all]) {
            assert_eq!(server.get(path, &lines).undated(), refused, "{lines:?}");
            let with_key = [&[credential.as_str()], &lines[..]].concat();
            assert_eq!(server.get(path, &with_key).undated(), passed, "{lines:?}");
        }
    }
    server.stop();
}

#[test]
fn every_method_is_decided_alike_and_no_other_path_verifies() {
    let desk = Desk::new();
    let (key, _) = desk.issue("shop");
    let credential = format!("x-api-key: {key}");
    let server = desk.serve(&[]);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "x"] {
        for path in ["/verify", "/verify/nginx"] {
            assert_eq!(server.ask(method, path, &[&credential], "").status, 200, "{method}");
            assert_eq!(server.ask(method, path, &[], "").status, 401, "{method}");
        }
    }
    for path in [
        "/",
        "/verify/",
        "//verify",
        "/./verify",
        "/x/../verify",
        "/verify/nginx/",
        "/verify/x",
        "/verify/healthz",
        "/%76erify",
        "/verify%2f",
        "/verify;x",
        "/VERIFY",
        "/verify/../healthz",
        "/verify%20",
        "/verify%00",
        "/auth",
        "/auth/verify",
        "/nginx",
    ] {
        let answer = server.get(path, &[&credential]);
        assert!(matches!(answer.status, 401 | 404), "{path}: {answer:?}");
        assert_eq!(answer.header("x-api-key-id"), None, "{path}");
    }
    server.stop();
}
