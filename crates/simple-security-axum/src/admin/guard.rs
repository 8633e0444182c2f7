//! The guard before all routes: the admin secret, and that no answer may be stored.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};
use simple_security::ApiKeys;

use super::refused::Refused;

static SECRET_KEY: HeaderName = HeaderName::from_static("secret-key");

/// Hands a request on that has the admin secret. Its body is not read before.
pub(super) async fn check(
    State(keys): State<Arc<ApiKeys>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match require_secret(&keys, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The header may be there once, whatever is in it: which of two is meant cannot be told, and two
/// programs on the way may not agree. An empty one is none.
fn require_secret(keys: &ApiKeys, headers: &HeaderMap) -> Result<(), Refused> {
    let mut values = headers.get_all(&SECRET_KEY).iter();
    let sent = match (values.next(), values.next()) {
        (None, _) => return Err(Refused::NotPresented),
        (Some(value), None) if value.is_empty() => return Err(Refused::NotPresented),
        (Some(value), None) => value.as_bytes(),
        _ => return Err(Refused::Repeated),
    };
    match keys.admin_secret() {
        Ok(secret) if secret.matches(sent) => Ok(()),
        Ok(_) => Err(Refused::Denied),
        Err(error) => Err(Refused::from(error)),
    }
}
