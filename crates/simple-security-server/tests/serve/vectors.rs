//! The requests that all faces share, through both profiles, in the bytes that are on the wire.

use std::collections::HashMap;

use simple_security::store::SqliteStore;
use simple_security_server::identity_headers;
use test_support::vectors::{Case, Requests};

use crate::raw::{self, Answer};
use crate::{Desk, Server, wait};

#[test]
fn each_request_is_answered_as_all_faces_do() {
    let desk = Desk::new();
    let keys = desk.keys();
    let store = SqliteStore::open(&desk.database()).expect("a store");
    let requests = wait(Requests::read(&keys, &store));
    drop((keys, store));
    let server = desk.serve(&[]);
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for case in requests.cases.iter().filter(|case| case.store_is_up && !ends_a_line(case)) {
        let key = check(&server, &requests, case);
        for name in key {
            *counts.entry(name).or_default() += 1;
        }
    }

    // It is gone, and nothing is left of it: the answers that are cached are too old soon.
    let away = desk.path("away");
    std::fs::rename(desk.database(), &away).expect("moved");
    let live =
        requests.cases.iter().find(|case| !case.store_is_up && case.outcome == "unavailable");
    let live = live.expect("a case");
    while ask(&server, "/verify", live, true).status == 200 {
        *counts.entry("live").or_default() += 1;
    }
    for case in requests.cases.iter().filter(|case| !case.store_is_up) {
        assert_eq!(check(&server, &requests, case), Vec::<&str>::new(), "{}", case.name);
    }
    std::fs::rename(away, desk.database()).expect("moved");
    server.stop();
    for (name, id) in &requests.ids {
        let expected = counts.get(name.as_str()).copied().unwrap_or_default();
        assert_eq!(desk.used(*id), expected, "{name}");
    }
    assert!(["live", "second", "legacy"].iter().all(|key| counts[key] > 5), "{counts:?}");
}

#[test]
fn each_combination_of_places_is_answered_as_all_faces_do() {
    let desk = Desk::new();
    let keys = desk.keys();
    let requests = wait(Requests::places(&keys));
    drop(keys);
    let server = desk.serve(&[]);
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for case in &requests.cases {
        for name in check(&server, &requests, case) {
            *counts.entry(name).or_default() += 1;
        }
    }
    server.stop();
    for (name, id) in &requests.ids {
        let expected = counts.get(name.as_str()).copied().unwrap_or_default();
        assert_eq!(desk.used(*id), expected, "{name}");
    }
    // Three requests, the query in any state, the other two headers absent or empty.
    let each = 3 * 5 * 4;
    assert_eq!(counts, HashMap::from(["api-key", "x-api-key", "bearer"].map(|name| (name, each))));
}

/// Sends a case to both profiles, and gives back the keys that were counted for it.
fn check<'a>(server: &Server, requests: &'a Requests, case: &'a Case) -> Vec<&'a str> {
    let answer = ask(server, "/verify", case, true);
    let nginx = ask(server, "/verify/nginx", case, true);
    let mut passed = vec![&answer, &nginx];
    let without = ask(server, "/verify", case, false);
    if !case.query.is_empty() {
        // Whatever is in it, the query is not read.
        assert_eq!(answer, without, "{}", case.name);
    }
    passed.push(&without);
    for answer in &passed {
        check_identity(requests, answer, &case.name);
    }
    let expected = match &case.outcome {
        _ if has_controls(case) => {
            // No header of HTTP (RFC 9110, section 5.5).
            assert_eq!([answer.status, nginx.status], [400, 400], "{}", case.name);
            return Vec::new();
        }
        // Between servers no header has them: the white space around a value is no part of it.
        _ if has_white_space_around(case) => &outcome_of(&answer),
        _ if !case.query.is_empty() && case.headers.is_empty() => "not_presented",
        _ if !case.query.is_empty() => &outcome_of(&answer),
        outcome => outcome,
    };
    let row = &requests.standard[expected];
    assert_eq!(answer.status, row["status"], "{}: {answer:?}", case.name);
    assert_eq!(answer.header("www-authenticate"), row["challenge"].as_str(), "{}", case.name);
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", case.name);
    let retry = (expected == "unavailable").then_some("1");
    assert_eq!(answer.header("retry-after"), retry, "{}", case.name);
    if expected != "verified" {
        let problem: serde_json::Value = serde_json::from_str(&answer.body).expect("a problem");
        assert_eq!(problem["code"], row["code"], "{}", case.name);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    check_nginx(expected, &nginx, row["challenge"].as_str(), &case.name);
    let good = passed.iter().filter(|answer| answer.status == 200).count();
    assert!(good == 0 || good == passed.len(), "{}", case.name);
    let key = answer.header("x-api-key-id").map(|id| {
        let named = requests.ids.iter().find(|(_, known)| known.as_str() == id);
        named.expect("a key of ours").0.as_str()
    });
    if case.query.is_empty() && !has_white_space_around(case) {
        assert_eq!(key, case.key.as_deref(), "{}", case.name);
    }
    key.map_or_else(Vec::new, |key| vec![key; good])
}

/// What nginx understands: 2xx, 401 and 403, and no body.
fn check_nginx(outcome: &str, answer: &Answer, challenge: Option<&str>, case: &str) {
    let (status, error) = match outcome {
        "verified" => (200, None),
        "unavailable" => (403, Some("unavailable")),
        outcome => (401, Some(outcome)),
    };
    assert_eq!(answer.status, status, "{case}: {answer:?}");
    assert_eq!(answer.header("x-api-key-error"), error, "{case}");
    assert_eq!(answer.header("www-authenticate"), challenge, "{case}");
    assert_eq!(answer.header("content-length"), Some("0"), "{case}");
    assert_eq!((answer.body.as_str(), answer.header("content-type")), ("", None), "{case}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{case}");
}

fn check_identity(requests: &Requests, answer: &Answer, case: &str) {
    let values: Vec<Option<&str>> = identity_headers().map(|name| answer.header(name)).collect();
    if answer.status == 200 {
        assert!(values.iter().all(|value| value.is_some_and(|value| !value.is_empty())), "{case}");
        let id = answer.header("x-api-key-id");
        assert!(requests.ids.values().any(|known| Some(known.as_str()) == id), "{case}");
        assert_eq!(answer.body, "", "{case}");
    } else {
        assert!(values.iter().all(Option::is_none), "{case}: {values:?}");
    }
}

fn outcome_of(answer: &Answer) -> String {
    if answer.status == 200 {
        return "verified".to_owned();
    }
    let problem: serde_json::Value = serde_json::from_str(&answer.body).expect("a problem");
    problem["code"].as_str().expect("a code").to_owned()
}

fn ask(server: &Server, path: &str, case: &Case, with_query: bool) -> Answer {
    let mut request = match with_query && !case.query.is_empty() {
        true => format!("GET {path}?{} HTTP/1.1\r\nhost: test\r\n", case.query).into_bytes(),
        false => format!("GET {path} HTTP/1.1\r\nhost: test\r\n").into_bytes(),
    };
    for (name, value) in &case.headers {
        request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    request.extend(b"\r\n");
    raw::exchange(server.address, &request).undated()
}

/// What ends a line is no part of a value: no server is sent such a case.
fn ends_a_line(case: &Case) -> bool {
    case.headers.iter().any(|(_, value)| value.contains(&b'\n') || value.contains(&b'\r'))
}

fn has_controls(case: &Case) -> bool {
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    case.headers.iter().any(|(_, value)| value.iter().any(is_control))
}

fn has_white_space_around(case: &Case) -> bool {
    let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    case.headers.iter().any(|(_, value)| is_space(value.first()) || is_space(value.last()))
}
