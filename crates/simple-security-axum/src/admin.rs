//! The routes of the administrator: keys as `/keys`, for tools and programs.
//!
//! `docs/openapi.json` at the root of the project describes them, the same for every face.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use simple_security::ApiKeys;

mod answers;
mod ask;
mod authenticate;
mod body;
mod fields;
mod in_flight;
mod openapi;
mod operation_parts;
mod query;
mod refused;
mod requests;
mod routes;

pub use openapi::openapi;

use authenticate::Authenticator;
use refused::Refused;

/// The routes that make, show, change and delete the keys of this engine, all behind the admin
/// secret in the header `secret-key`.
///
/// [`ApiKeys::authenticate_admin`] checks the secret. No answer may be stored, and those that refuse are
/// problem details (RFC 9457). Nest it: the prefix is the application's choice, and an unknown path
/// under it is refused as the known ones are. Merged, it would refuse the unknown paths of the
/// whole application.
///
/// Logs each change and, at most once a second, requests without the admin secret. At most 32 requests
/// with the secret are in progress; one whose answer the client has not read counts, unless the answer is
/// at most 1 kB. One more request waits 5 seconds, and is then rejected with 503.
///
/// It runs on tokio. Each question to the engine is a blocking task there, which goes on to its end
/// when the client goes away.
///
/// ```
/// use std::sync::Arc;
///
/// use axum::{Router, routing::get};
/// use simple_security::ApiKeys;
/// use simple_security_axum::{RequireApiKeyLayer, admin_router};
///
/// fn app(keys: Arc<ApiKeys>) -> Router {
///     Router::new()
///         .route("/secure", get(|| async { "only with a key" }))
///         .layer(RequireApiKeyLayer::new(Arc::clone(&keys)))
///         .nest("/auth", admin_router(keys))
/// }
/// ```
pub fn admin_router(keys: Arc<ApiKeys>) -> Router {
    admin_router_with_setting(keys, "one")
}

/// [`admin_router`] for a program that has a setting for the admin secret: where no secret is set, the
/// response names this setting.
pub fn admin_router_with_setting(
    keys: Arc<ApiKeys>,
    secret_setting: impl Into<Arc<str>>,
) -> Router {
    let authenticator = Authenticator::new(Arc::clone(&keys), secret_setting.into());
    let all = get(routes::list_keys).post(routes::issue_key);
    let one = get(routes::show_key).patch(routes::edit_key).delete(routes::delete_key);
    Router::new()
        .route("/keys", only("GET, POST", all))
        .route("/keys/{id}", only("DELETE, GET, PATCH", one))
        .route("/keys/{id}/revoke", only("POST", post(routes::revoke_key)))
        .route("/keys/{id}/renew", only("POST", post(routes::renew_key)))
        .fallback(async || Refused::NoSuchPath)
        // After all routes and the fallback: nothing is answered without the secret.
        .layer(from_fn_with_state(authenticator, authenticate::check))
        .with_state(keys)
}

/// These methods and no others. Without a word about HEAD, axum would answer it as GET.
fn only(methods: &'static str, routes: MethodRouter<Arc<ApiKeys>>) -> MethodRouter<Arc<ApiKeys>> {
    let refuse = async move || Refused::NoSuchMethod(methods);
    routes.head(refuse).fallback(refuse)
}
