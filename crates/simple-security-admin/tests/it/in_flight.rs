//! Answers that clients do not read hold a bounded amount of memory. A request is run completely or not at
//! all.

use std::time::Duration;

use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};
use tower::ServiceExt as _;

use super::{app, get, issue, post, request};
use crate::Engine;

/// The maximum number of requests in progress, including those whose answer is not read.
const MAX_IN_FLIGHT: usize = 32;

#[tokio::test(start_paused = true)]
async fn large_answers_that_are_not_read_are_bounded() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    for _ in 0..8 {
        issue(&app).await;
    }
    let page = || app.clone().oneshot(request(Method::GET, "/keys"));
    let mut unread = Vec::new();
    for _ in 0..MAX_IN_FLIGHT {
        let response = page().await.expect("routers do not fail");
        assert_eq!(response.status(), 200);
        unread.push(response.into_body());
    }
    // A rejected request issues no key: the client would not get it.
    let busy = post(&app, "/keys", Value::Object(Map::new())).await;
    assert_eq!((busy.status.as_u16(), busy.code()), (503, Some("unavailable")), "{busy:?}");
    assert_eq!(busy.headers["retry-after"], "1");
    assert_eq!(busy.headers["cache-control"], "no-store");

    // A request that waits is served as soon as an answer is read or dropped.
    let (late, ()) = tokio::join!(get(&app, "/keys"), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let body = unread.pop().expect("an answer").collect().await.expect("read");
        drop(body);
    });
    assert_eq!(late.status, 200);
    assert_eq!(
        late.body["keys"].as_array().expect("keys").len(),
        8,
        "the rejected request issued none"
    );
    unread.clear();
    assert_eq!(get(&app, "/keys").await.status, 200);
}

/// Rejections for a missing secret do not count: they are small.
#[tokio::test]
async fn rejections_do_not_count() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let mut unread = Vec::new();
    for _ in 0..2 * MAX_IN_FLIGHT {
        let mut sent = request(Method::GET, "/keys");
        sent.headers_mut().remove("secret-key");
        unread.push(app.clone().oneshot(sent).await.expect("routers do not fail"));
    }
    assert_eq!(get(&app, "/keys").await.status, 200);
    assert!(unread.iter().all(|response| response.status() == 401));
}

/// A body of 64 kB cannot cause an answer of a megabyte.
#[tokio::test]
async fn at_most_20_unknown_members_are_listed() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let members = (0..5_000).map(|number| (format!("m{number}"), Value::Null));
    let answer = post(&app, "/keys", Value::Object(members.collect())).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.body["errors"].as_array().expect("errors").len(), 20);
}
