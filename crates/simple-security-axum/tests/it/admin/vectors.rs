//! The steps that every adapter shares: `tests/vectors/admin.json`.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use simple_security::store::{KeyStore, MemoryStore, SqliteStore};
use test_support::admin_vectors::{self, Responses};
use tower::ServiceExt;

use super::{SECRET, app};
use crate::Engine;

#[tokio::test]
async fn on_a_store_in_memory() {
    run(Arc::new(MemoryStore::new().expect("random bytes"))).await.check_or_write();
}

#[tokio::test]
async fn on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("keys.db")).expect("a store");
    run(Arc::new(store)).await.check();
}

async fn run(store: Arc<dyn KeyStore>) -> Responses {
    // The settings have the days from which some steps count, and no step waits.
    let engine = Engine::on(store);
    let app = app(&engine.keys);
    admin_vectors::run(SECRET, async |sent| {
        let response = app.clone().oneshot(request(sent)).await.expect("routers do not fail");
        read(response).await
    })
    .await
}

fn request(sent: admin_vectors::Request) -> Request<Body> {
    let mut request = Request::builder().method(&*sent.method).uri(&sent.target);
    for (name, value) in &sent.headers {
        request = request.header(name, value);
    }
    request.body(Body::from(sent.body)).expect("a request")
}

async fn read(response: Response<Body>) -> admin_vectors::Response {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    let headers = parts.headers.iter();
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("UTF-8");
    admin_vectors::Response {
        status: parts.status.as_u16(),
        headers: headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect(),
        body: text(&body),
    }
}
