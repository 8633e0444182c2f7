//! Checks the admin secret before all routes, bounds the requests in progress, and forbids caches to store
//! answers.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};
use simple_security::{Admin, AdminError, ApiKeys, LogThrottle};
use tokio::sync::Semaphore;

use super::in_flight;
use super::refused::Refused;

static SECRET_KEY: HeaderName = HeaderName::from_static("secret-key");

#[derive(Clone)]
pub(super) struct Authenticator {
    keys: Arc<ApiKeys>,
    /// What to set where there is no admin secret.
    secret_setting: Arc<str>,
    permits: Arc<Semaphore>,
}

impl Authenticator {
    pub(super) fn new(keys: Arc<ApiKeys>, secret_setting: Arc<str>) -> Self {
        Self { keys, secret_setting, permits: in_flight::permits() }
    }
}

/// Accepts a request with the admin secret, and hands the proof of it to the route. Reads nothing of its
/// body before.
pub(super) async fn check(
    State(authenticator): State<Authenticator>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut response = match authenticate(&authenticator, request.headers()) {
        Ok(admin) => {
            request.extensions_mut().insert(admin);
            in_flight::run(&authenticator.permits, request, next).await
        }
        Err(refused) => {
            log(&refused);
            refused.into_response()
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The header may be there once, whatever is in it: which of two is meant cannot be told, and two
/// programs on the way may not agree. An empty one is none.
fn authenticate(authenticator: &Authenticator, headers: &HeaderMap) -> Result<Admin, Refused> {
    let mut values = headers.get_all(&SECRET_KEY).iter();
    let sent = match (values.next(), values.next()) {
        (None, _) => return Err(Refused::NotPresented),
        (Some(value), None) if value.is_empty() => return Err(Refused::NotPresented),
        (Some(value), None) => value.as_bytes(),
        _ => return Err(Refused::Repeated),
    };
    authenticator.keys.authenticate_admin(sent).map_err(|error| match error {
        AdminError::NoSecret => {
            Refused::NoSecret(format!("{error}; set {}", authenticator.secret_setting))
        }
        _ => Refused::Denied,
    })
}

/// Logs a rejection, at most once a second: a client may send thousands of guesses.
fn log(refused: &Refused) {
    static REJECTED: LogThrottle = LogThrottle::new();
    let what = match refused {
        Refused::NotPresented => "missing",
        Refused::Denied | Refused::Repeated => "wrong",
        // Not about the secret that was sent. Logged where the error occurs.
        _ => return,
    };
    if let Some(requests) = REJECTED.record() {
        tracing::warn!(requests, "{what} admin secret");
    }
}
