//! The routes that are not in a hurry: the administrator's and their documentation, health.

use std::sync::Arc;

use axum::Router;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use simple_security::ApiKeys;
use simple_security_axum::admin_router_with_setting;

use super::paths::ADMIN;
use super::settings::Serving;
use super::{docs, health};

/// All of them. What is unknown is 404 with nothing in it.
pub(super) fn all(keys: Arc<ApiKeys>, serving: &Serving) -> Router {
    let mut routes = Router::new().merge(health::routes(Arc::clone(&keys)));
    if serving.admin {
        routes = routes.nest(ADMIN, admin_router_with_setting(keys, &*serving.secret_setting));
        if serving.docs {
            routes = routes.merge(docs::routes());
        }
    }
    routes.fallback(async || (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")]))
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::Request;
    use simple_security::store::MemoryStore;
    use tower::ServiceExt as _;

    use super::super::settings::ServingFlags;
    use super::*;
    use crate::settings::Adapter;

    /// As on a store that many machines share, where none is set.
    #[test]
    fn without_an_admin_secret_its_setting_is_named() {
        let store = Arc::new(MemoryStore::new().expect("a store"));
        let keys = ApiKeys::builder(store).build();
        let serving =
            Serving::load(Adapter::Program, ServingFlags::default()).expect("the defaults");
        let routes = all(Arc::new(keys.expect("an engine")), &serving);
        for secret in ["x", ""] {
            let request = Request::get("/auth/keys").header("secret-key", secret);
            let request = request.body(Body::empty()).expect("a request");
            let response = pollster::block_on(routes.clone().oneshot(request)).expect("an answer");
            let status = response.status();
            let body = pollster::block_on(to_bytes(response.into_body(), 4096)).expect("a body");
            let body = String::from_utf8_lossy(&body).into_owned();
            match secret {
                "" => assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}"),
                _ => {
                    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
                    assert!(body.contains("set SIMPLE_SECURITY_SECRET"), "{body}");
                }
            }
        }
    }
}
