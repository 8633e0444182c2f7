//! The promises of the layer, each shown by requests to a service.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderValue, Request};
use http_body_util::BodyExt;
use serde_json::json;
use simple_security_axum::{ApiKey, RequireApiKeyLayer};
use test_support::Engine;
use test_support::admin_app::Answer;
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

/// The layer of an engine.
trait Layered {
    fn layer(&self) -> RequireApiKeyLayer;
}

impl Layered for Engine {
    fn layer(&self) -> RequireApiKeyLayer {
        RequireApiKeyLayer::new(Arc::clone(&self.keys))
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
