//! The cases that all faces share, in `tests/vectors/` at the root of the project.

use std::collections::HashMap;

use axum::Router;
use axum::body::Body;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, Request, StatusCode};
use simple_security::KeyId;
use test_support::vectors::{Case, Requests};

use crate::{Engine, Layered as _, answer, guarded};

#[tokio::test]
async fn each_request_is_answered_as_all_faces_do() {
    let engine = Engine::new();
    let requests = Requests::read(&engine.keys, &*engine.store).await;
    let app = guarded(engine.layer().with_insecure_query_parameter());
    let mut counts: HashMap<KeyId, u64> = requests.ids.values().map(|id| (*id, 0)).collect();
    // The first time the store is asked, the second time all is cached.
    for time in ["first", "second"] {
        for case in requests.cases.iter().filter(|case| case.store_is_up && can_be_sent(case)) {
            check(&app, &requests, case).await;
            if let Some(key) = &case.key {
                *counts.entry(requests.ids[key]).or_default() += 1;
            }
        }
        assert_eq!(engine.all_counted().await, counts, "after the {time} time");
    }
    let good = ["live", "second", "legacy"].map(|key| counts[&requests.ids[key]]);
    assert!(good.iter().all(|count| *count > 0), "{good:?}");

    engine.store.down.store(true, std::sync::atomic::Ordering::SeqCst);
    engine.let_the_lease_end();
    for case in requests.cases.iter().filter(|case| !case.store_is_up && can_be_sent(case)) {
        check(&app, &requests, case).await;
    }
    engine.store.down.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(engine.all_counted().await, counts, "after the store was down");
}

#[tokio::test]
async fn each_combination_of_places_is_answered_as_all_faces_do() {
    let engine = Engine::new();
    let requests = Requests::places(&engine.keys).await;
    let app = guarded(engine.layer().with_insecure_query_parameter());
    let mut counts: HashMap<KeyId, u64> = requests.ids.values().map(|id| (*id, 0)).collect();
    for case in &requests.cases {
        check(&app, &requests, case).await;
        if let Some(key) = &case.key {
            *counts.entry(requests.ids[key]).or_default() += 1;
        }
    }
    assert_eq!(engine.all_counted().await, counts);
    // A key alone, beside each combination of three places that are absent or empty.
    assert_eq!(counts.values().sum::<u64>(), 4 * 8);
}

/// Values with control characters other than tabs are no headers (RFC 9110, section 5.5). No
/// server hands them on as `http::HeaderValue`.
fn can_be_sent(case: &Case) -> bool {
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    case.headers.iter().all(|(name, value)| {
        let sendable = !value.iter().any(is_control);
        assert_eq!(HeaderValue::from_bytes(value).is_ok(), sendable, "{}: {name}", case.name);
        sendable
    })
}

async fn check(app: &Router, requests: &Requests, case: &Case) {
    let uri = if case.query.is_empty() { "/".to_owned() } else { format!("/?{}", case.query) };
    let mut request = Request::get(uri).body(Body::empty()).expect("a request");
    for (name, value) in &case.headers {
        let name: http::HeaderName = name.parse().expect("a name");
        request.headers_mut().append(name, HeaderValue::from_bytes(value).expect("a value"));
    }
    let answer = answer(app, request).await;
    let expected = &requests.standard[&case.outcome];
    assert_eq!(answer.status.as_u16(), expected["status"], "{}: {answer:?}", case.name);
    assert_eq!(answer.code(), expected["code"].as_str(), "{}: {answer:?}", case.name);
    assert_eq!(answer.challenge(), expected["challenge"].as_str(), "{}: {answer:?}", case.name);
    if answer.status == StatusCode::OK {
        let key = requests.ids[case.key.as_ref().expect("a key")];
        assert_eq!(answer.body["id"], key.as_str(), "{}", case.name);
    } else {
        assert_eq!(answer.headers[CACHE_CONTROL], "no-store", "{}", case.name);
        assert_eq!(answer.body["status"], answer.status.as_u16(), "{}", case.name);
    }
    let retry = answer.headers.get(RETRY_AFTER).map(HeaderValue::as_bytes);
    assert_eq!(retry, (case.outcome == "unavailable").then_some(&b"1"[..]), "{}", case.name);
}
