//! Mounts the resource API in an axum application.

use std::sync::Arc;

use axum::Router;
use axum::middleware::map_response;
use axum::response::Response;
use simple_security::ApiKeys;
use simple_security_admin::EffectiveIn;
use tokio::time::sleep;

/// The routes that issue, show, change and delete the keys of this engine, all behind the admin
/// secret in the header `secret-key`.
///
/// [`ApiKeys::authenticate_admin`] checks the secret. Responses may not be stored, and rejections are
/// problem details (RFC 9457). Nest it: the prefix is the application's choice, and an unknown path
/// below it is rejected as the known ones are. Merged, it would reject the unknown paths of the
/// whole application.
///
/// Logs each change and, at most once a second, requests without the admin secret. At most 32 requests
/// with the secret are in progress; one whose response the client has not read counts, unless the response is
/// at most 1 kB. One more request waits 5 seconds, and is then rejected with 503.
///
/// It runs on tokio. Each call of the engine is a blocking task there, which runs to its end if the client
/// disconnects.
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
    simple_security_admin::admin_router(keys, secret_setting).layer(map_response(wait))
}

/// Delays a response until every process honours the change that it reports, if the client asked for it.
/// The delay is for that client alone, and holds no thread.
async fn wait(response: Response) -> Response {
    if let Some(EffectiveIn { remaining, wait: true, .. }) = response.extensions().get() {
        sleep(*remaining).await;
    }
    response
}
