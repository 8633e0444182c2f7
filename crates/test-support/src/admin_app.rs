//! Requests to an app that has the routes of the administrator below `/auth`.

use axum::Router;
use axum::body::Body;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::engine::ADMIN_SECRET;

/// A response, read.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; `null` if it is empty.
    pub body: Value,
}

impl Answer {
    /// Returns the header `WWW-Authenticate`.
    pub fn challenge(&self) -> Option<&str> {
        self.headers.get(WWW_AUTHENTICATE).map(|value| value.to_str().expect("ASCII"))
    }

    /// Returns the word for programs in a problem.
    pub fn code(&self) -> Option<&str> {
        self.body["code"].as_str()
    }
}

/// Returns a request with the secret and without a body.
pub fn request(method: Method, path: &str) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = format!("/auth{path}").parse().expect(path);
    request.headers_mut().insert("secret-key", HeaderValue::from_static(ADMIN_SECRET));
    request
}

/// Returns the same with a body that is called JSON.
pub fn request_with(method: Method, path: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = request(method, path);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *request.body_mut() = body.into();
    request
}

/// Sends a request to an app.
pub async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.expect("routers do not fail");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let body = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&body).expect("JSON"),
    };
    Answer { status: parts.status, headers: parts.headers, body }
}

/// Sends GET.
pub async fn get(app: &Router, path: &str) -> Answer {
    send(app, request(Method::GET, path)).await
}

/// Sends POST with this body.
pub async fn post(app: &Router, path: &str, body: Value) -> Answer {
    send(app, request_with(Method::POST, path, body.to_string())).await
}

/// Issues a key, and returns its id and its text.
pub async fn issue(app: &Router) -> (String, String) {
    let answer = send(app, request(Method::POST, "/keys")).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    (text(&answer.body["id"]), text(&answer.body["key"]))
}

/// Returns location and name of each thing that a response calls wrong, in order.
pub fn wrong(body: &Value) -> Vec<(String, Option<String>)> {
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

/// Returns the text of a value that is one.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Returns the value of a header.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().expect("ASCII"))
}
