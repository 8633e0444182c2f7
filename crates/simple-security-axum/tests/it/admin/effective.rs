//! Many machines: a change is answered with the moment from which on it holds everywhere, or then.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use serde_json::json;
use simple_security::clock::Clock;
use simple_security::store::MemoryStore;
use test_support::FaultyStore;
use tokio::time::Instant;

use super::{app, get, issue, request, request_with, send, text};
use crate::{Answer, Engine};

const LEASE: Duration = Duration::from_millis(300);
/// Of the lease and a thousandth, and a millisecond.
const BOUND: Duration = Duration::from_micros(301_300);
/// What the waiting takes, with what is rounded: the timer of tokio has whole milliseconds.
const WAIT: Duration = Duration::from_millis(304);

/// The changes after which a key is not let in any more, each made with this query.
const CHANGES: [fn(&str, &str) -> Request<Body>; 3] = [
    |id, query| request(Method::POST, &format!("/keys/{id}/revoke{query}")),
    |id, query| request(Method::DELETE, &format!("/keys/{id}{query}")),
    |id, query| {
        let edit = json!({"expires_at": "2000-01-01T00:00:00Z"}).to_string();
        request_with(Method::PATCH, &format!("/keys/{id}{query}"), edit)
    },
];

fn engine() -> Engine {
    let store = Arc::new(MemoryStore::new().expect("random bytes"));
    Engine::behind(FaultyStore::far(LEASE, Duration::ZERO, store))
}

/// An id and a key that is cached.
async fn issue_cached(engine: &Engine, app: &Router) -> (String, String) {
    let (id, key) = issue(app).await;
    assert!(is_let_in(engine, &key).await);
    (id, key)
}

async fn is_let_in(engine: &Engine, key: &str) -> bool {
    engine.keys.verify(key.as_bytes()).await.is_ok()
}

/// The answer, and how much time of the runtime has passed, which is paused and thus exact.
async fn time(app: &Router, request: Request<Body>) -> (Answer, Duration) {
    let began = Instant::now();
    let answer = send(app, request).await;
    assert!(answer.status.is_success(), "{answer:?}");
    (answer, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn the_answer_comes_at_once_and_says_when_all_know() {
    let engine = engine();
    let app = app(&engine.keys);
    // Another process on the same store.
    let other = Engine::of(Arc::clone(&engine.store), Arc::clone(&engine.clock));
    for change in CHANGES {
        for query in ["", "?wait=false"] {
            let (id, key) = issue_cached(&engine, &app).await;
            assert!(is_let_in(&other, &key).await);
            let expected = engine.clock.moment().plus(BOUND).to_string();
            let (answer, took) = time(&app, change(&id, query)).await;
            assert_eq!(took, Duration::ZERO);
            assert_eq!(text(&answer.body["id"]), id);
            assert_eq!(text(&answer.body["effective_by"]), expected);
            assert!(!is_let_in(&engine, &key).await, "this process knows of its own change");
            assert!(is_let_in(&other, &key).await, "what another has cached may be used");
            engine.clock.advance(BOUND);
            assert!(!is_let_in(&other, &key).await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_answered_when_all_know() {
    let engine = engine();
    let app = app(&engine.keys);
    for change in CHANGES {
        let (id, key) = issue_cached(&engine, &app).await;
        let expected = engine.clock.moment().plus(BOUND).to_string();
        let (answer, took) = time(&app, change(&id, "?wait=true")).await;
        assert!(!is_let_in(&engine, &key).await);
        assert_eq!((text(&answer.body["effective_by"]), took), (expected, WAIT));
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_come_and_come_back_are_waited_for_too() {
    let engine = engine();
    let app = app(&engine.keys);
    let own = json!({"key": "0123456789abcdefghijklmnopqrstuv"}).to_string();
    for body in ["{}", &own] {
        let now = time(&app, request_with(Method::POST, "/keys", body.to_owned()));
        let (answer, took) = now.await;
        assert_eq!(took, Duration::ZERO);
        let id = text(&answer.body["id"]);
        let (_, took) = time(&app, CHANGES[0](&id, "?wait=true")).await;
        assert_eq!(took, WAIT);
        let renew = |query| request(Method::POST, &format!("/keys/{id}/renew{query}"));
        assert_eq!(time(&app, renew("")).await.1, Duration::ZERO);
        assert_eq!(time(&app, renew("?wait=true")).await.1, WAIT);
        assert_eq!(get(&app, &format!("/keys/{id}")).await.body.get("effective_by"), None);
    }
    let made = request(Method::POST, "/keys?wait=true");
    let (answer, took) = time(&app, made).await;
    assert_eq!(took, WAIT);
    assert!(is_let_in(&engine, &text(&answer.body["key"])).await);
}
