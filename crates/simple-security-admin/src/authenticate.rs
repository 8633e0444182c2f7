//! Checks the admin secret before all routes, limits the requests in progress, and forbids caches to store
//! responses.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName, HeaderValue};
use simple_security::{Admin, AdminError, ApiKeys, LogThrottle};
use tokio::sync::Semaphore;

use crate::in_flight;
use crate::rejection::Rejection;

static SECRET_KEY: HeaderName = HeaderName::from_static("secret-key");

/// The address of the client, for the log. An adapter that knows it puts it into the extensions of the
/// request.
#[derive(Debug, Clone)]
pub struct ClientAddress(pub String);

#[derive(Clone)]
pub(crate) struct Authenticator {
    keys: Arc<ApiKeys>,
    /// What to set if there is no admin secret.
    secret_setting: Arc<str>,
    permits: Arc<Semaphore>,
}

impl Authenticator {
    pub(crate) fn new(keys: Arc<ApiKeys>, secret_setting: Arc<str>) -> Self {
        Self { keys, secret_setting, permits: in_flight::permits() }
    }
}

/// Accepts a request with the admin secret, and hands the proof of it to the route. Reads nothing of its
/// body before.
pub(crate) async fn check(
    State(authenticator): State<Authenticator>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut response = match authenticate(&authenticator, request.headers()) {
        Ok(admin) => {
            request.extensions_mut().insert(admin);
            in_flight::run(&authenticator.permits, request, next).await
        }
        Err(rejection) => {
            log(&rejection, request.extensions().get());
            rejection.into_response()
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The header may be sent once, whatever it contains: which of two is meant cannot be known, and two
/// programs on the way may not agree. An empty one counts as not sent.
fn authenticate(authenticator: &Authenticator, headers: &HeaderMap) -> Result<Admin, Rejection> {
    let mut values = headers.get_all(&SECRET_KEY).iter();
    let sent = match (values.next(), values.next()) {
        (None, _) => return Err(Rejection::NotPresented),
        (Some(value), None) if value.is_empty() => return Err(Rejection::NotPresented),
        (Some(value), None) => value.as_bytes(),
        _ => return Err(Rejection::Repeated),
    };
    authenticator.keys.authenticate_admin(sent).map_err(|error| match error {
        AdminError::NoSecret => {
            Rejection::NotReady(format!("{error}; set {}", authenticator.secret_setting))
        }
        _ => Rejection::Denied,
    })
}

/// Logs a rejection, at most once a second: a client may send thousands of guesses.
fn log(rejection: &Rejection, address: Option<&ClientAddress>) {
    static REJECTED: LogThrottle = LogThrottle::new();
    let what = match rejection {
        Rejection::NotPresented => "missing",
        Rejection::Denied | Rejection::Repeated => "wrong",
        // Not about the secret that was sent. Logged where the error occurs.
        _ => return,
    };
    if let Some(requests) = REJECTED.record() {
        let from = address.map_or_else(String::new, |address| format!(" from {}", address.0));
        tracing::warn!(
            "{what} admin secret{from} (requests rejected since the last such line: {requests})"
        );
    }
}
