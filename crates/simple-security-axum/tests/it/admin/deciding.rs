//! A key that these routes change is the key that the layer decides about.

use axum::Router;
use http::Method;
use serde_json::json;
use simple_security::Timestamp;

use super::{app, get, issue, post, request, send, text};
use crate::{Engine, Layered as _, echo, request as request_for};

/// An app with both: a route that asks for a key, and the routes of the administrator.
fn whole(engine: &Engine) -> Router {
    echo().layer(engine.layer()).merge(app(&engine.keys))
}

async fn status(app: &Router, key: &str) -> u16 {
    crate::answer(app, request_for("/", &[("x-api-key", key)])).await.status.as_u16()
}

#[tokio::test]
async fn an_issued_key_is_a_key_until_it_is_revoked() {
    let engine = Engine::new();
    let app = whole(&engine);
    let (id, key) = issue(&app).await;
    assert_eq!(status(&app, &key).await, 200);
    let shown = get(&app, &format!("/keys/{id}")).await.body;
    assert_eq!(shown["usage"], json!({"total": 1, "last_used_at": "2027-01-15T08:00:00Z"}));
    assert_eq!(shown["created_at"], "2027-01-15T08:00:00Z");
    assert_eq!(shown["expires_at"], "2027-01-30T08:00:00Z", "15 days, as the settings say");

    let revoked = post(&app, &format!("/keys/{id}/revoke"), json!(null)).await.body;
    assert_eq!(revoked["revoked_at"], "2027-01-15T08:00:00Z");
    assert_eq!(revoked["usage"]["total"], 1);
    assert_eq!(status(&app, &key).await, 401);
    assert_eq!(send(&app, request(Method::POST, &format!("/keys/{id}/renew"))).await.status, 200);
    assert_eq!(status(&app, &key).await, 200);
    assert_eq!(send(&app, request(Method::DELETE, &format!("/keys/{id}"))).await.status, 200);
    assert_eq!(status(&app, &key).await, 401);
}

#[tokio::test]
async fn a_key_of_ones_own_is_a_key() {
    let engine = Engine::new();
    let app = whole(&engine);
    let own = "~!@#$%^&*()_+{}|:<>?,./;'[]=-0123456789";
    let answer = post(&app, "/keys", json!({"key": own, "name": "own"})).await;
    assert_eq!((answer.status.as_u16(), &answer.body["key"]), (201, &json!(null)));
    assert_eq!(status(&app, own).await, 200);
    assert_eq!(get(&app, "/keys?name=own").await.body["keys"][0]["usage"]["total"], 1);
}

#[tokio::test]
async fn dates_are_those_of_the_clock() {
    let engine = Engine::new();
    let app = whole(&engine);
    let (id, key) = issue(&app).await;
    let edit = json!({"expires_at": "2027-01-15T09:00:01+01:00"});
    let sent = super::request_with(Method::PATCH, &format!("/keys/{id}"), edit.to_string());
    assert_eq!(send(&app, sent).await.body["state"], "active");
    assert_eq!(status(&app, &key).await, 200);
    engine.clock.set(Timestamp::from_seconds(1_800_000_001));
    assert_eq!(status(&app, &key).await, 401);
    assert_eq!(get(&app, &format!("/keys/{id}")).await.body["state"], "expired");
    let renewed = post(&app, &format!("/keys/{id}/renew"), json!({})).await.body;
    assert_eq!(text(&renewed["expires_at"]), "2027-01-30T08:00:01Z");
    assert_eq!(status(&app, &key).await, 200);
}

#[tokio::test]
async fn a_key_is_answered_although_the_store_cannot_be_asked_for_it_again() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    engine.store.finds.store(0, std::sync::atomic::Ordering::SeqCst);
    issue(&app).await;
    assert_eq!(engine.store.asked().0, 0, "what was just made is known");
}
