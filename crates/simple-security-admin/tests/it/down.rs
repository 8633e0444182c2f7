//! A store that is down: 503 on every route, and nothing is changed.

use std::sync::atomic::Ordering;

use http::Method;
use serde_json::json;

use super::{app, get, header, issue, post, request, request_with, send};
use crate::Engine;

#[tokio::test]
async fn every_route_says_so_and_nothing_else() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let (id, _) = issue(&app).await;
    let before = get(&app, "/keys").await.body;
    let routes = [
        (Method::POST, "/keys".to_owned(), "{}"),
        (Method::GET, "/keys".to_owned(), ""),
        (Method::GET, format!("/keys/{id}"), ""),
        (Method::PATCH, format!("/keys/{id}"), r#"{"name": "x"}"#),
        (Method::DELETE, format!("/keys/{id}"), ""),
        (Method::POST, format!("/keys/{id}/revoke"), ""),
        (Method::POST, format!("/keys/{id}/renew"), r#"{"expires_at": null}"#),
        (Method::POST, "/keys".to_owned(), r#"{"key": "0123456789abcdefghijklmnopqrstuv"}"#),
    ];
    engine.store.down.store(true, Ordering::SeqCst);
    for (method, path, body) in &routes {
        let answer = send(&app, request_with(method.clone(), path, *body)).await;
        assert_eq!(answer.status, 503, "{method} {path}");
        assert_eq!(answer.code(), Some("unavailable"));
        assert_eq!(header(&answer.headers, "retry-after"), Some("1"));
        assert_eq!(header(&answer.headers, "cache-control"), Some("no-store"));
        assert_eq!(header(&answer.headers, "content-type"), Some("application/problem+json"));
        assert!(!answer.body.to_string().contains("out of order"), "the cause is for the log");
    }
    engine.store.down.store(false, Ordering::SeqCst);
    assert_eq!(get(&app, "/keys").await.body, before);
}

#[tokio::test]
async fn what_no_store_has_to_be_asked_for_is_answered_as_ever() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    engine.store.down.store(true, Ordering::SeqCst);
    let mut wrong = request(Method::GET, "/keys");
    wrong.headers_mut().insert("secret-key", "wrong".parse().expect("a value"));
    assert_eq!(send(&app, wrong).await.code(), Some("denied"));
    assert_eq!(post(&app, "/keys", json!([])).await.code(), Some("invalid"));
    assert_eq!(get(&app, "/keys?limit=0").await.code(), Some("invalid"));
    assert_eq!(get(&app, "/keys/no-id").await.code(), Some("not_found"));
}

#[tokio::test]
async fn a_change_that_was_made_is_told_where_the_store_is_down_after_it() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let (id, _) = issue(&app).await;
    let changes = [
        (Method::PATCH, format!("/keys/{id}"), r#"{"name": "x"}"#),
        (Method::POST, format!("/keys/{id}/renew"), r#"{"expires_at": null}"#),
        (Method::POST, format!("/keys/{id}/revoke"), ""),
    ];
    for (method, path, body) in changes {
        engine.store.goes_down.store(true, Ordering::SeqCst);
        let answer = send(&app, request_with(method.clone(), &path, body)).await;
        assert_eq!(answer.status, 200, "{method} {path}");
        assert_eq!(get(&app, "/keys").await.status, 503);
        engine.store.down.store(false, Ordering::SeqCst);
        let mut told = answer.body;
        told.as_object_mut().expect("an object").remove("effective_by").expect("a date");
        assert_eq!(told, get(&app, &format!("/keys/{id}")).await.body);
    }
}
