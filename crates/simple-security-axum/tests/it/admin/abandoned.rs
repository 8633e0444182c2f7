//! A client that goes away in the middle of a change.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Method, Request};
use serde_json::json;
use tower::ServiceExt;

use super::{app, get, issue, request, request_with, send};
use crate::Engine;

/// Sends a request whose client leaves while the change is on its way to the store, and lets the
/// change go on.
async fn abandon(engine: &Engine, app: &Router, request: Request<Body>) {
    engine.store.hold_changes.store(true, Ordering::SeqCst);
    {
        let mut answer = pin!(app.clone().oneshot(request));
        let mut context = Context::from_waker(Waker::noop());
        while !is_held(engine) {
            assert!(answer.as_mut().poll(&mut context).is_pending(), "it waits for the store");
            tokio::task::yield_now().await;
        }
    }
    engine.store.hold_changes.store(false, Ordering::SeqCst);
    engine.store.release();
}

/// Whether a call waits for the store.
fn is_held(engine: &Engine) -> bool {
    !engine.store.held.lock().expect("those held").is_empty()
}

/// Looks until a key is as it should be.
async fn wait_for(app: &Router, path: &str, is_there: impl Fn(&crate::Answer) -> bool) {
    let mut looks = 0;
    while !is_there(&get(app, path).await) {
        assert!(looks < 10_000, "{path} never changed");
        tokio::time::sleep(Duration::from_millis(1)).await;
        looks += 1;
    }
}

#[tokio::test]
async fn every_change_comes_to_its_end() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let (id, key) = issue(&app).await;
    let path = format!("/keys/{id}");

    let edit = request_with(Method::PATCH, &path, json!({"name": "edited"}).to_string());
    abandon(&engine, &app, edit).await;
    wait_for(&app, &path, |answer| answer.body["name"] == "edited").await;

    abandon(&engine, &app, request(Method::POST, &format!("{path}/revoke"))).await;
    wait_for(&app, &path, |answer| answer.body["state"] == "revoked").await;
    assert!(engine.keys.verify(key.as_bytes()).await.is_err());

    abandon(&engine, &app, request(Method::POST, &format!("{path}/renew"))).await;
    wait_for(&app, &path, |answer| answer.body["state"] == "active").await;

    abandon(&engine, &app, request(Method::DELETE, &path)).await;
    wait_for(&app, &path, |answer| answer.status == 404).await;

    // Nobody has the key of this one; the administrator sees it and can delete it.
    abandon(&engine, &app, request(Method::POST, "/keys")).await;
    wait_for(&app, "/keys", |answer| {
        answer.body["keys"].as_array().is_some_and(|keys| keys.len() == 1)
    })
    .await;
}

#[tokio::test]
async fn one_that_leaves_while_its_body_is_read_has_changed_nothing() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let sent = request_with(Method::POST, "/keys", Body::new(super::guarded::Pending));
    let mut answer = Box::pin(app.clone().oneshot(sent));
    assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(answer);
    assert_eq!(get(&app, "/keys").await.body["keys"], json!([]));
}

#[tokio::test]
async fn others_do_not_wait_with_one_that_waits_for_the_store() {
    // One thread alone: whoever waits on it lets nobody else work.
    let engine = Engine::new();
    let app = app(&engine.keys);
    let (id, _) = issue(&app).await;
    engine.store.hold_changes.store(true, Ordering::SeqCst);
    let blocked = send(&app, request(Method::POST, &format!("/keys/{id}/revoke")));
    let others = async {
        while !is_held(&engine) {
            tokio::task::yield_now().await;
        }
        let answer = get(&app, &format!("/keys/{id}")).await;
        engine.store.release();
        answer
    };
    let (revoked, shown) = tokio::join!(blocked, others);
    assert_eq!((shown.status, &shown.body["state"]), (http::StatusCode::OK, &json!("active")));
    assert_eq!(revoked.body["state"], "revoked");
}
