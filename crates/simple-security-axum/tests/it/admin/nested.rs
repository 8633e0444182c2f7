//! Where an app may put the routes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::routing::get;
use http::{Method, Request};
use simple_security::store::MemoryStore;
use simple_security_axum::{admin_router, admin_router_with_setting};
use test_support::{FaultyStore, engine_without_secret, fake_clock};

use super::{SECRET, issue, send};
use crate::Engine;

async fn status(app: &Router, method: Method, uri: &str, secret: Option<&str>) -> u16 {
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(secret) = secret {
        request = request.header("secret-key", secret);
    }
    let request = request.body(axum::body::Body::empty()).expect("a request");
    use tower::ServiceExt;
    app.clone().oneshot(request).await.expect("a response").status().as_u16()
}

#[tokio::test]
async fn under_a_prefix_with_parameters() {
    let engine = Engine::new();
    let (id, _) = issue(&super::app(&engine.keys)).await;
    let router = || admin_router(Arc::clone(&engine.keys));
    let app = Router::new()
        .nest("/tenants/{tenant}", Router::new().nest("/auth", router()))
        .nest("/by/{name}/{number}", router());
    for prefix in ["/tenants/x/auth", "/by/x/5", "/by/%C3%A9/5"] {
        let uri = format!("{prefix}/keys/{id}");
        assert_eq!(status(&app, Method::GET, &uri, Some(SECRET)).await, 200, "{uri}");
        assert_eq!(status(&app, Method::GET, &uri, None).await, 401, "{uri}");
        let revoke = format!("{uri}/revoke");
        assert_eq!(status(&app, Method::POST, &revoke, Some(SECRET)).await, 200, "{uri}");
    }
}

#[tokio::test]
async fn as_a_service_at_the_root() {
    let engine = Engine::new();
    let app = Router::new()
        .route("/open", get(async || "open"))
        .fallback_service(admin_router(Arc::clone(&engine.keys)));
    assert_eq!(status(&app, Method::GET, "/keys", Some(SECRET)).await, 200);
    assert_eq!(status(&app, Method::GET, "/keys", None).await, 401);
    assert_eq!(status(&app, Method::GET, "/open", None).await, 200);
}

#[tokio::test]
async fn the_rest_of_the_app_stays_as_it_is() {
    let engine = Engine::new();
    let app = Router::new()
        .route("/open", get(async || "open"))
        .nest("/auth", admin_router(Arc::clone(&engine.keys)))
        .fallback(async || (http::StatusCode::NOT_FOUND, "the app's own"));
    assert_eq!(status(&app, Method::GET, "/open", None).await, 200);
    assert_eq!(status(&app, Method::GET, "/nowhere", None).await, 404);
    assert_eq!(status(&app, Method::GET, "/authority", None).await, 404);
    assert_eq!(status(&app, Method::GET, "/auth/nowhere", None).await, 401);
    assert_eq!(send(&app, super::request(Method::GET, "/nowhere")).await.code(), Some("not_found"));
}

#[tokio::test]
async fn what_to_set_for_a_secret_is_named() {
    let store = FaultyStore::new(Arc::new(MemoryStore::new().expect("random bytes")));
    store.is_shared.store(true, Ordering::SeqCst);
    let (keys, _) = engine_without_secret(store, &fake_clock());
    let keys = Arc::new(keys);
    let named = admin_router_with_setting(Arc::clone(&keys), "ITS_SETTING");
    for (router, ending) in [(named, "; set ITS_SETTING"), (admin_router(keys), "; set one")] {
        let app = Router::new().nest("/auth", router);
        let response = super::get(&app, "/keys").await;
        let detail = response.body["detail"].as_str().expect("a text");
        assert_eq!(response.status, 503);
        assert!(detail.ends_with(ending), "{detail}");
    }
}
