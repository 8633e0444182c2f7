//! Answers that are not read hold a bounded amount of memory, and no request is half done for it.

use std::time::Duration;

use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value};
use tower::ServiceExt as _;

use super::{app, get, issue, post, request};
use crate::Engine;

/// How many requests are worked on, or have an answer that is not sent to its end.
const PLACES: usize = 32;

#[tokio::test(start_paused = true)]
async fn large_answers_that_are_not_read_are_bounded() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    for _ in 0..8 {
        issue(&app).await;
    }
    let page = || app.clone().oneshot(request(Method::GET, "/keys"));
    let mut unread = Vec::new();
    for _ in 0..PLACES {
        let response = page().await.expect("routers do not fail");
        assert_eq!(response.status(), 200);
        unread.push(response.into_body());
    }
    // Without a place nothing is done: a key that is made and not told would be lost.
    let busy = post(&app, "/keys", Value::Object(Map::new())).await;
    assert_eq!((busy.status.as_u16(), busy.code()), (503, Some("unavailable")), "{busy:?}");
    assert_eq!(busy.headers["retry-after"], "1");
    assert_eq!(busy.headers["cache-control"], "no-store");

    // One that waits is served as soon as an answer is read or given up.
    let (late, ()) = tokio::join!(get(&app, "/keys"), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let body = unread.pop().expect("an answer").collect().await.expect("read");
        drop(body);
    });
    assert_eq!(late.status, 200);
    assert_eq!(late.body["keys"].as_array().expect("keys").len(), 8, "the rejected one made none");
    unread.clear();
    assert_eq!(get(&app, "/keys").await.status, 200);
}

/// Without the admin secret nobody takes a place: the answer is small, and not counted.
#[tokio::test]
async fn answers_without_the_secret_take_no_place() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let mut unread = Vec::new();
    for _ in 0..2 * PLACES {
        let mut sent = request(Method::GET, "/keys");
        sent.headers_mut().remove("secret-key");
        unread.push(app.clone().oneshot(sent).await.expect("routers do not fail"));
    }
    assert_eq!(get(&app, "/keys").await.status, 200);
    assert!(unread.iter().all(|response| response.status() == 401));
}

/// A body of 64 kB is not answered with a megabyte.
#[tokio::test]
async fn unknown_members_are_not_all_repeated() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let members = (0..5_000).map(|number| (format!("m{number}"), Value::Null));
    let answer = post(&app, "/keys", Value::Object(members.collect())).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.body["errors"].as_array().expect("errors").len(), 20);
}
