//! All routes of the resource API, with what stands before them.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::any;
use simple_security::ApiKeys;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::authenticate::{self, Authenticator};
use crate::keys;
use crate::rejection::Rejection;

/// The routes that issue, show, change and delete the keys of an engine, all behind the admin secret in
/// the header `secret-key`.
///
/// [`ApiKeys::authenticate_admin`] checks the secret. The order is: secret, path and method, query, body.
/// Nothing of a body is read before; at most 64 KiB of it are kept. Responses may not be stored, and
/// rejections are problem details (RFC 9457). Nest the router: the prefix is the application's choice, and
/// unknown paths below it are rejected as known ones are. Merged, it would reject the unknown paths of the
/// whole application.
///
/// Logs each change and, at most once a second, requests without the admin secret. At most 32 requests
/// with the secret are in progress; one whose response the client has not read counts, unless the response
/// is at most 1 kB. One more request waits 5 seconds, and is then rejected with 503.
///
/// It runs in two ways. In a tokio runtime each call of the engine is a blocking task, which runs to its
/// end if the client disconnects. Elsewhere the caller's thread does all of the work: call it from a thread
/// that may block. `?wait=true` is for the adapter to honour: see [`EffectiveIn`](crate::EffectiveIn).
///
/// `secret_setting` names what to set if there is no admin secret.
pub fn admin_router(keys: Arc<ApiKeys>, secret_setting: impl Into<Arc<str>>) -> Router {
    let authenticator = Authenticator::new(Arc::clone(&keys), secret_setting.into());
    let (routes, _) = routes().split_for_parts();
    routes
        .fallback(async || Rejection::NoSuchPath)
        // After all routes and the fallback: every response needs the secret.
        .layer(from_fn_with_state(authenticator, authenticate::check))
        .with_state(keys)
}

/// The routes and what describes them. Each resource adds its own.
pub(crate) fn routes() -> OpenApiRouter<Arc<ApiKeys>> {
    keys::routes()
        .into_iter()
        .map(only_these_methods)
        .fold(OpenApiRouter::new(), OpenApiRouter::routes)
}

/// Rejects the methods that a path does not have, and says which it has. Without a route for HEAD, axum
/// would answer it as GET.
fn only_these_methods(
    (schemas, paths, methods): UtoipaMethodRouter<Arc<ApiKeys>>,
) -> UtoipaMethodRouter<Arc<ApiKeys>> {
    let mut allowed: Vec<&str> = paths
        .paths
        .values()
        .flat_map(|path| {
            [
                ("DELETE", &path.delete),
                ("GET", &path.get),
                ("PATCH", &path.patch),
                ("POST", &path.post),
                ("PUT", &path.put),
            ]
        })
        .filter_map(|(method, operation)| operation.is_some().then_some(method))
        .collect();
    allowed.sort_unstable();
    let allowed: Arc<str> = allowed.join(", ").into();
    let reject = async move || Rejection::NoSuchMethod(allowed);
    // `any` has no `Allow` of axum's own, which would be in responses to requests without the secret too.
    (schemas, paths, any(reject.clone()).merge(methods.head(reject)))
}
