//! The routes of the administrator in an app, each promise shown by requests to it. What is the same in
//! every adapter is tested in `simple-security-admin`.

use std::sync::Arc;

use axum::Router;
use simple_security::ApiKeys;
use simple_security_axum::admin_router;
use test_support::ADMIN_SECRET as SECRET;
use test_support::admin_app::{get, issue, post, request, request_with, send, text};

mod abandoned;
mod deciding;
mod described;
mod effective;
mod nested;
mod revoking;
mod vectors;

fn app(keys: &Arc<ApiKeys>) -> Router {
    Router::new().nest("/auth", admin_router(Arc::clone(keys)))
}
