//! The promises of the router, each shown by requests to an app that has nested it.

use std::sync::Arc;

use axum::Router;
use serde_json::Value;
use simple_security::ApiKeys;
use simple_security_admin::admin_router;
use test_support::admin_app::{
    Answer, get, header, issue, post, request, request_with, send, text, wrong,
};
use test_support::{ADMIN_SECRET as SECRET, Engine};

mod bodies;
mod down;
mod guarded;
mod hiding;
mod hostile;
mod in_flight;
mod owners;
mod pages;
mod paths;
mod queries;

fn app(keys: &Arc<ApiKeys>) -> Router {
    Router::new().nest("/auth", admin_router(Arc::clone(keys), "ITS_SETTING"))
}

fn read_json(path: &str) -> Value {
    let path = format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect(&path);
    serde_json::from_str(&text).expect(&path)
}
