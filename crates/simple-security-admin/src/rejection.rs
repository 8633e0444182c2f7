//! Why a request is rejected: the one table from reasons to responses.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use simple_security::KeyError;
use utoipa::IntoResponses;

use crate::problem::{FieldError, FieldLocation, Problem};

/// The longest body, in bytes. The longest that makes sense has less than two thousand.
pub(crate) const MAX_LENGTH: usize = 65_536;

/// Why a request is rejected.
#[derive(Debug)]
pub(crate) enum Rejection {
    /// No admin secret was sent.
    NotPresented,
    /// It is wrong.
    Denied,
    /// It was sent more than once.
    Repeated,
    /// There is no key with this id.
    NoSuchKey,
    /// There is no route with this path.
    NoSuchPath,
    /// There are only these methods at this path.
    NoSuchMethod(Arc<str>),
    /// The key to import already exists.
    Exists,
    /// The body is too long.
    TooLarge,
    /// These things are wrong with the request.
    Invalid(Vec<FieldError>),
    /// The store is unavailable. The reason is in the log, and not for the client.
    Unavailable,
    /// Too many requests are in progress. Nothing was changed.
    Busy,
    /// No admin secret is set, or the store cannot be opened. The text is for the client.
    NotReady(String),
}

impl Rejection {
    /// All of the body is wrong.
    pub(crate) fn body(detail: impl Into<Cow<'static, str>>) -> Self {
        let error = FieldError { location: FieldLocation::Body, name: None, detail: detail.into() };
        Self::Invalid(vec![error])
    }

    fn problem(&self) -> Problem {
        let (status, code, detail) = match self {
            Self::NotPresented => (
                StatusCode::UNAUTHORIZED,
                "not_presented",
                "The header secret-key with the admin secret is missing".into(),
            ),
            Self::Denied => {
                (StatusCode::UNAUTHORIZED, "denied", "The admin secret is wrong".into())
            }
            Self::Repeated => (
                StatusCode::BAD_REQUEST,
                "repeated",
                "The header secret-key was sent more than once".into(),
            ),
            Self::NoSuchKey => (StatusCode::NOT_FOUND, "not_found", "There is no such key".into()),
            Self::NoSuchPath => {
                (StatusCode::NOT_FOUND, "not_found", "There is no such path".into())
            }
            Self::NoSuchMethod(methods) => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                Cow::from(format!("Allowed methods: {methods}")),
            ),
            Self::Exists => {
                (StatusCode::CONFLICT, "exists", "A key of this text exists already".into())
            }
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                Cow::from(format!("The body has more than {MAX_LENGTH} bytes")),
            ),
            Self::Invalid(errors) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid", sentence(errors).into())
            }
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The store of the API keys is unavailable".into(),
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Too many requests with the admin secret are in progress; nothing was changed"
                    .into(),
            ),
            Self::NotReady(why) => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", Cow::from(why.clone()))
            }
        };
        Problem::new(status, code, detail)
    }

    /// The header that goes with the response.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let fixed = HeaderValue::from_static;
        match self {
            // RFC 9110, section 11.6.1: each 401 has a challenge. This one is of no registered
            // scheme; FastAPI names it so for keys in headers.
            Self::NotPresented | Self::Denied => {
                Some((WWW_AUTHENTICATE, fixed(r#"APIKey realm="admin""#)))
            }
            Self::NoSuchMethod(methods) => {
                HeaderValue::from_str(methods).ok().map(|methods| (ALLOW, methods))
            }
            Self::Unavailable | Self::Busy | Self::NotReady(_) => Some((RETRY_AFTER, fixed("1"))),
            _ => None,
        }
    }

    fn respond(self) -> http::Response<Bytes> {
        let (problem, header) = (self.problem(), self.header());
        let problem = match self {
            Self::Invalid(errors) => problem.with_errors(errors),
            _ => problem,
        };
        let mut response = problem.respond();
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<KeyError> for Rejection {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::NotFound => Self::NoSuchKey,
            KeyError::Exists => Self::Exists,
            KeyError::InvalidImport(error) => Self::Invalid(vec![FieldError {
                location: FieldLocation::Body,
                name: Some("key".into()),
                detail: error.to_string().into(),
            }]),
            other => store_unavailable(&other),
        }
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.respond().map(Body::from)
    }
}

/// For an error whose text is only for the log.
pub(crate) fn store_unavailable(error: &(dyn Error + 'static)) -> Rejection {
    tracing::error!(error, "the keys could not be read or written");
    Rejection::Unavailable
}

/// Everything that is wrong, for a person.
fn sentence(errors: &[FieldError]) -> String {
    let text = |one: &FieldError| match &one.name {
        Some(name) => format!("{name}: {}", one.detail),
        None => one.detail.to_string(),
    };
    errors.iter().map(text).collect::<Vec<_>>().join("; ")
}

/// The response if the keys cannot be reached, for an adapter that finds out before it calls the router.
/// The detail is for the client.
pub fn unavailable(detail: String) -> http::Response<Bytes> {
    Rejection::NotReady(detail).respond()
}

/// The rejections of every route, for the OpenAPI document.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it describes what the table above sends")]
pub(crate) enum Rejections {
    /// The admin secret was sent more than once
    #[response(status = 400, content_type = "application/problem+json")]
    Repeated(Problem),
    /// The admin secret is missing or wrong
    #[response(
        status = 401,
        content_type = "application/problem+json",
        headers(("WWW-Authenticate" = String)),
    )]
    Denied(Problem),
    /// Something is wrong with the request; nothing was changed
    #[response(status = 422, content_type = "application/problem+json")]
    Invalid(Problem),
    /// The keys cannot be read or written now
    #[response(
        status = 503,
        content_type = "application/problem+json",
        headers(("Retry-After" = u32, description = "Seconds.")),
    )]
    Unavailable(Problem),
}

/// The rejection of the routes that read a body.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it describes what the table above sends")]
pub(crate) enum TooLarge {
    /// The body has more than 65536 bytes; nothing was changed
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
}
