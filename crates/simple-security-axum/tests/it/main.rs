//! The promises of the layer, each shown by requests to a service.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use simple_security::clock::FakeClock;
use simple_security::store::{ChangeLog, KeyStore, MemoryStore};
use simple_security::{ApiKeys, IssuedKey, KeyId, KeyName, NewKey};
use simple_security_axum::{ApiKey, RequireApiKeyLayer};
use test_support::{FaultyStore, fake_clock};
use tower::ServiceExt;

#[cfg(feature = "admin")]
mod admin;
mod bodies;
mod counting;
mod down;
mod extracting;
mod hostile;
mod inner;
mod owned;
mod refusing;
mod stacking;
mod stripping;
mod tonic;
mod vectors;

/// An engine on a store that a test can break, and a clock that a test moves.
struct Engine {
    keys: Arc<ApiKeys>,
    store: Arc<FaultyStore>,
    clock: Arc<FakeClock>,
}

impl Engine {
    fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new().expect("random bytes")))
    }

    fn on(store: Arc<dyn KeyStore>) -> Self {
        Self::behind(FaultyStore::new(store))
    }

    fn behind(store: Arc<FaultyStore>) -> Self {
        Self::of(store, fake_clock())
    }

    fn of(store: Arc<FaultyStore>, clock: Arc<FakeClock>) -> Self {
        let keys = test_support::engine(store.clone(), &clock);
        Self { keys: Arc::new(keys), store, clock }
    }

    async fn issue(&self, name: &str) -> IssuedKey {
        let name = KeyName::new(name).expect("a name");
        self.keys.issue(NewKey::named(name)).await.expect("a key")
    }

    /// How often a key was counted.
    async fn counted(&self, id: KeyId) -> u64 {
        self.keys.usage(id).await.expect("usage").total
    }

    /// How often all keys were counted.
    async fn all_counted(&self) -> HashMap<KeyId, u64> {
        let rows = self.keys.list().await.expect("a list");
        rows.into_iter().map(|(record, usage)| (record.id, usage.total)).collect()
    }

    fn layer(&self) -> RequireApiKeyLayer {
        RequireApiKeyLayer::new(Arc::clone(&self.keys))
    }

    /// Nothing that was read is fresh any more.
    fn let_the_lease_end(&self) {
        self.clock.advance(self.store.lease());
    }
}

/// One route that says which key has come in, and what the request looked like inside.
fn echo() -> Router {
    async fn handler(key: Option<ApiKey>, request: Request<Body>) -> impl IntoResponse {
        let headers = request.headers().iter().map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Json(json!({
            "id": key.map(|key| key.id().to_string()),
            "uri": request.uri().to_string(),
            "headers": headers.collect::<HashMap<_, _>>(),
        }))
    }
    Router::new().route("/", get(handler))
}

fn guarded(layer: RequireApiKeyLayer) -> Router {
    echo().layer(layer)
}

/// A response, read.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn challenge(&self) -> Option<&str> {
        self.headers.get(WWW_AUTHENTICATE).map(|value| value.to_str().expect("ASCII"))
    }

    fn code(&self) -> Option<&str> {
        self.body["code"].as_str()
    }
}

/// A request for `uri` with these headers.
fn request<V: AsRef<[u8]>>(uri: &str, headers: &[(&str, V)]) -> Request<Body> {
    let mut request = Request::get(uri).body(Body::empty()).expect("a request");
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a value");
        request.headers_mut().append(http::HeaderName::try_from(*name).expect("a name"), value);
    }
    request
}

async fn answer(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.expect("routers do not fail");
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: serde_json::from_slice(&body).expect("JSON"),
    }
}

async fn ask<V: AsRef<[u8]>>(app: &Router, headers: &[(&str, V)]) -> Answer {
    answer(app, request("/", headers)).await
}
