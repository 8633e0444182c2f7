//! The promises of the admin router, each shown by requests to an app that has nested it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::BodyExt;
use serde_json::Value;
use simple_security::ApiKeys;
use simple_security_axum::admin_router;
use test_support::ADMIN_SECRET as SECRET;
use tower::ServiceExt;

use crate::Answer;

mod abandoned;
mod bodies;
mod deciding;
mod described;
mod down;
mod effective;
mod guarded;
mod hiding;
mod hostile;
mod in_flight;
mod nested;
mod owners;
mod pages;
mod paths;
mod queries;
mod revoking;
mod vectors;

fn read_json(path: &str) -> Value {
    let path = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect(&path);
    serde_json::from_str(&text).expect(&path)
}

fn app(keys: &Arc<ApiKeys>) -> Router {
    Router::new().nest("/auth", admin_router(Arc::clone(keys)))
}

/// A request with the secret and without a body.
fn request(method: Method, path: &str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = format!("/auth{path}").parse().expect(path);
    request.headers_mut().insert("secret-key", HeaderValue::from_static(SECRET));
    request
}

/// The same with a body that is called JSON.
fn request_with(method: Method, path: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = request(method, path);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *request.body_mut() = body.into();
    request
}

/// Sends a request; `null` stands for no body in the answer.
async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.expect("routers do not fail");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let body = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&body).expect("JSON"),
    };
    Answer { status: parts.status, headers: parts.headers, body }
}

async fn get(app: &Router, path: &str) -> Answer {
    send(app, request(Method::GET, path)).await
}

async fn post(app: &Router, path: &str, body: Value) -> Answer {
    send(app, request_with(Method::POST, path, body.to_string())).await
}

/// The id and the text of a new key.
async fn issue(app: &Router) -> (String, String) {
    let answer = send(app, request(Method::POST, "/keys")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    (text(&answer.body["id"]), text(&answer.body["key"]))
}

/// Location and name of each thing that an answer calls wrong, in order.
fn wrong(body: &Value) -> Vec<(String, Option<String>)> {
    let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut named: Vec<_> = errors
        .iter()
        .map(|error| {
            assert!(!text(&error["detail"]).is_empty());
            (text(&error["location"]), error["name"].as_str().map(str::to_owned))
        })
        .collect();
    named.sort();
    named
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().expect("ASCII"))
}
