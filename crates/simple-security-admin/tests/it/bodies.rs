//! What is read as a body, and what is said of one that is wrong.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use http_body::Frame;
use serde_json::json;

use super::{app, get, issue, post, request_with, send, text, wrong};
use crate::Engine;

const MAX_LENGTH: usize = 65_536;

#[tokio::test]
async fn one_that_is_too_long_is_refused_and_says_so() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let padded = |length: usize| format!("{{}}{}", " ".repeat(length - 2));
    let fits = send(&app, request_with(Method::POST, "/keys", padded(MAX_LENGTH))).await;
    assert_eq!(fits.status, 201);
    let too_long = send(&app, request_with(Method::POST, "/keys", padded(MAX_LENGTH + 1))).await;
    assert_eq!((too_long.status.as_u16(), too_long.code()), (413, Some("too_large")));
    assert!(text(&too_long.body["detail"]).contains("65536"), "{too_long:?}");

    // One without an end, whose length nobody says before.
    let endless = Body::new(Forever(|| Ok(Frame::data(Bytes::from_static(&[b' '; 1000]))), 0));
    let answer = send(&app, request_with(Method::POST, "/keys", endless)).await;
    assert_eq!(answer.body, too_long.body);

    let broken = Body::new(Forever(|| Err(io::Error::other("cut")), 0));
    let answer = send(&app, request_with(Method::POST, "/keys", broken)).await;
    assert_eq!(
        (answer.code(), wrong(&answer.body)),
        (Some("invalid"), vec![("body".into(), None)])
    );
    assert_eq!(get(&app, "/keys").await.body["keys"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn all_that_is_wrong_is_named_at_once() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let (id, _) = issue(&app).await;
    let named = |names: &[&str]| -> Vec<_> {
        names.iter().map(|name| ("body".to_owned(), Some((*name).to_owned()))).collect()
    };
    let body = json!({"name": 5, "expires_at": "soon", "key": "short", "z": 1, "a": null});
    let answer = post(&app, "/keys", body.clone()).await;
    assert_eq!(wrong(&answer.body), named(&["a", "expires_at", "key", "name", "z"]));
    let detail = text(&answer.body["detail"]);
    for name in ["a", "expires_at", "key", "name", "z"] {
        assert!(detail.contains(&format!("{name}: ")), "{detail}");
    }
    let edit = request_with(Method::PATCH, &format!("/keys/{id}"), body.to_string());
    let answer = send(&app, edit).await;
    assert_eq!(wrong(&answer.body), named(&["a", "expires_at", "key", "name", "z"]));
    let answer = post(&app, &format!("/keys/{id}/renew"), body).await;
    assert_eq!(wrong(&answer.body), named(&["a", "expires_at", "key", "name", "z"]));
}

#[tokio::test]
async fn a_member_may_be_there_once() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    for body in [
        r#"{"name": "a", "name": "b"}"#,
        r#"{"name": "a", "n\u0061me": "a"}"#,
        r#"{"name": 5, "name": "b", "name": "c"}"#,
    ] {
        let answer = send(&app, request_with(Method::POST, "/keys", body)).await;
        assert_eq!(wrong(&answer.body), [("body".into(), Some("name".into()))], "{body}");
        assert!(text(&answer.body["detail"]).contains("more than once"));
    }
    let unknown = r#"{"x": 1, "x": 2}"#;
    let answer = send(&app, request_with(Method::POST, "/keys", unknown)).await;
    assert_eq!(wrong(&answer.body), [("body".into(), Some("x".into()))]);
    assert_eq!(get(&app, "/keys").await.body["keys"], json!([]));
}

#[tokio::test]
async fn a_body_is_called_json() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    for (media_type, is_json) in [
        ("application/json", true),
        ("Application/JSON", true),
        ("application/json;charset=UTF-8", true),
        ("application/json ; charset=\"utf-8\"", true),
        ("application/problem+json", true),
        ("application/vnd.api+JSON", true),
        ("application/jsonl", false),
        ("application/x-json", false),
        ("application/json, text/plain", false),
        ("application/", false),
        ("text/json", false),
        ("text/plain;application/json", false),
        ("json", false),
        ("", false),
    ] {
        let mut sent = request_with(Method::POST, "/keys", "{}");
        sent.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        let answer = send(&app, sent).await;
        assert_eq!(answer.status, if is_json { 201 } else { 422 }, "{media_type:?}");
    }
    let mut twice = request_with(Method::POST, "/keys", "{}");
    twice.headers_mut().append(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    assert_eq!(send(&app, twice).await.status, 422);
    let mut foreign = request_with(Method::POST, "/keys", "{}");
    foreign.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_bytes(b"\xe9").expect("a value"));
    assert_eq!(send(&app, foreign).await.status, 422);
    // What has no body needs no media type, and has none of any.
    let mut nothing = request_with(Method::POST, "/keys", "");
    nothing.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    assert_eq!(send(&app, nothing).await.status, 201);
}

#[tokio::test]
async fn the_query_is_looked_at_first_then_the_body_then_the_id() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let edit = |path: &str, body: &'static str| {
        let sent = request_with(Method::PATCH, path, body);
        let app = app.clone();
        async move { send(&app, sent).await }
    };
    let answer = edit("/keys/unknown?x=1", "{{").await;
    assert_eq!(wrong(&answer.body), [("query".into(), Some("x".into()))]);
    let answer = edit("/keys/unknown", "{{").await;
    assert_eq!(wrong(&answer.body), [("body".into(), None)]);
    assert_eq!(edit("/keys/unknown", "{}").await.code(), Some("not_found"));
}

/// The same frame, more often than anybody should ask for it.
struct Forever<F>(F, usize);

impl<F: FnMut() -> io::Result<Frame<Bytes>> + Unpin> http_body::Body for Forever<F> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.1 += 1;
        // Two MiB are read and discarded, so that a simple client can read the response.
        assert!(self.1 < 2300, "it is read without an end");
        Poll::Ready(Some((self.0)()))
    }
}
