//! Nothing is answered without the admin secret.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Method};
use http_body::Frame;
use simple_security::store::MemoryStore;
use test_support::openapi::file;
use test_support::{FaultyStore, engine_without_secret, fake_clock};

use super::{SECRET, app, get, header, issue, read_json, request, request_with, send};
use crate::Engine;

/// All paths of the description, and some that are none of it.
fn paths(id: &str) -> Vec<String> {
    let described = file();
    let known = described["paths"].as_object().expect("paths").keys();
    let known: Vec<_> = known.map(|path| path.replace("{id}", id)).collect();
    assert_eq!(known.len(), 4);
    // `/auth/` is not among them: axum leaves it to the app, which has nothing there.
    let unknown = ["", "/keys/", "/keyss", "/keys/x/y", "/keys/x/revoke/", "//keys", "/%00"];
    known.into_iter().chain(unknown.map(str::to_owned)).collect()
}

fn methods() -> Vec<Method> {
    let named =
        ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "CONNECT", "X"];
    named.map(|name| name.parse().expect("a method")).into()
}

#[tokio::test]
async fn the_open_routes_are_those_that_are_listed() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let (id, _) = issue(&app).await;
    let mut open = BTreeSet::new();
    for path in paths(&id) {
        for method in methods() {
            let mut sent = request(method.clone(), &path);
            sent.headers_mut().remove("secret-key");
            let answer = send(&app, sent).await;
            if answer.status != 401 {
                open.insert(path.clone());
                continue;
            }
            assert_eq!(header(&answer.headers, "cache-control"), Some("no-store"));
            assert_eq!(header(&answer.headers, "www-authenticate"), Some("APIKey realm=\"admin\""));
            assert!(method == Method::HEAD || answer.code() == Some("not_presented"), "{method}");
        }
    }
    let listed = read_json("tests/vectors/open_routes.json");
    let listed = listed["axum"].as_array().expect("a list").iter().map(super::text);
    assert_eq!(open, listed.collect());
    assert_eq!(get(&app, &format!("/keys/{id}")).await.body["state"], "active");
}

#[tokio::test]
async fn all_that_is_no_route_is_refused_with_the_secret_too() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let (id, _) = issue(&app).await;
    let described = file();
    for path in paths(&id) {
        let described = described["paths"].get(path.replace(&id, "{id}"));
        for method in methods() {
            let name = method.as_str().to_lowercase();
            if described.is_some_and(|path| path.get(&name).is_some()) {
                continue;
            }
            let answer = send(&app, request(method.clone(), &path)).await;
            let expected = if described.is_some() { 405 } else { 404 };
            assert_eq!(answer.status, expected, "{method} {path}");
            assert_eq!(header(&answer.headers, "cache-control"), Some("no-store"), "{path}");
            let media_type = header(&answer.headers, "content-type");
            assert_eq!(media_type, Some("application/problem+json"), "{method} {path}");
            assert_eq!(answer.headers.contains_key("allow"), expected == 405, "{method} {path}");
        }
    }
    assert_eq!(get(&app, &format!("/keys/{id}")).await.body["state"], "active");
}

#[tokio::test]
async fn what_is_nearly_the_secret_is_not() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let (id, key) = issue(&app).await;
    let upper = SECRET.to_uppercase();
    let padded = format!("{SECRET} ");
    for (sent, code) in [
        (vec![&SECRET[1..]], "denied"),
        (vec![&SECRET[..SECRET.len() - 1]], "denied"),
        (vec![&upper], "denied"),
        (vec![&padded], "denied"),
        (vec![&key], "denied"),
        (vec!["\u{e9}"], "denied"),
        (vec![""], "not_presented"),
        (vec!["", SECRET], "repeated"),
        (vec![SECRET, "wrong"], "repeated"),
        (vec![SECRET, SECRET, SECRET], "repeated"),
    ] {
        let mut wrong = request(Method::DELETE, &format!("/keys/{id}"));
        wrong.headers_mut().remove("secret-key");
        for value in &sent {
            wrong
                .headers_mut()
                .append("secret-key", HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        let answer = send(&app, wrong).await;
        assert_eq!(answer.code(), Some(code), "{sent:?}");
    }
    for other in ["authorization", "x-secret-key", "secret_key", "cookie", "api-key"] {
        let mut elsewhere = request(Method::DELETE, &format!("/keys/{id}?secret-key={key}"));
        let secret = elsewhere.headers_mut().remove("secret-key").expect("the secret");
        elsewhere.headers_mut().insert(other, secret);
        assert_eq!(send(&app, elsewhere).await.code(), Some("not_presented"), "{other}");
    }
    assert_eq!(get(&app, &format!("/keys/{id}")).await.status, 200);
}

#[tokio::test]
async fn a_body_is_not_read_before() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let mut sent = request_with(Method::POST, "/keys", Body::new(Untouched));
    sent.headers_mut().insert("secret-key", HeaderValue::from_static("wrong"));
    assert_eq!(send(&app, sent).await.code(), Some("denied"));
}

/// A body that nobody may ask for.
struct Untouched;

impl http_body::Body for Untouched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        panic!("the body is read")
    }
}

#[tokio::test]
async fn without_a_secret_that_is_known_nobody_passes() {
    let store = FaultyStore::new(Arc::new(MemoryStore::new().expect("random bytes")));
    store.is_shared.store(true, Ordering::SeqCst);
    let (keys, generated) = engine_without_secret(store, &fake_clock());
    assert!(generated.is_none() && !keys.has_admin_secret());
    let keys = Arc::new(keys);
    let app = app(&keys);
    let answer = get(&app, "/keys").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, Some("unavailable")));
    assert_eq!(header(&answer.headers, "retry-after"), Some("1"));
    let detail = answer.body["detail"].as_str().expect("a text");
    assert!(detail.ends_with("; set ITS_SETTING"), "{detail}");
    let mut without = request(Method::GET, "/keys");
    without.headers_mut().remove("secret-key");
    assert_eq!(send(&app, without).await.code(), Some("not_presented"));
}
