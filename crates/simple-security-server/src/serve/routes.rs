//! The routes that are not in a hurry: the administrator's and their documentation, health.

use std::sync::Arc;

use axum::Router;
use http::StatusCode;
use http::header::CACHE_CONTROL;
use simple_security::ApiKeys;
use simple_security_axum::admin_router;

use super::settings::Serving;
use super::{docs, health};

/// Where the administrator's routes are.
pub(super) const ADMIN: &str = "/auth";

/// All of them. What is unknown is 404 with nothing in it.
pub(super) fn all(keys: Arc<ApiKeys>, serving: &Serving) -> Router {
    let mut routes = Router::new().merge(health::routes(Arc::clone(&keys)));
    if serving.admin {
        routes = routes.nest(ADMIN, admin_router(keys));
        if serving.docs {
            routes = routes.merge(docs::routes());
        }
    }
    routes.fallback(async || (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")]))
}
