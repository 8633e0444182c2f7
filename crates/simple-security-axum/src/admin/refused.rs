//! Why a request of the administrator is refused: the one table from reasons to answers.

use std::borrow::Cow;
use std::error::Error;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use simple_security::KeyError;

use crate::field_error::{FieldError, FieldLocation};
use crate::problem::Problem;

/// Why a request is refused.
#[derive(Debug)]
pub(super) enum Refused {
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
    NoSuchMethod(&'static str),
    /// The text that was to be taken in is a key already.
    Exists,
    /// These things are wrong with the request.
    Invalid(Vec<FieldError>),
    /// It cannot be told or done now. Why has been logged: it is no business of a client.
    Unavailable,
    /// Too many requests are in progress. Nothing was changed.
    Busy,
    /// No admin secret is set. The text says what to set.
    NoSecret(String),
}

impl Refused {
    /// All of the body is wrong.
    pub(super) fn body(detail: impl Into<Cow<'static, str>>) -> Self {
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
                Cow::from(format!("There are {methods}")),
            ),
            Self::Exists => {
                (StatusCode::CONFLICT, "exists", "A key of this text exists already".into())
            }
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
            Self::NoSecret(why) => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", Cow::from(why.clone()))
            }
        };
        Problem::new(status, code, detail)
    }

    /// The header that goes with the answer.
    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            // RFC 9110, section 11.6.1: each 401 has a challenge. This one is of no registered
            // scheme; FastAPI names it so for keys in headers.
            Self::NotPresented | Self::Denied => {
                Some((WWW_AUTHENTICATE, r#"APIKey realm="admin""#))
            }
            Self::NoSuchMethod(methods) => Some((ALLOW, methods)),
            Self::Unavailable | Self::Busy | Self::NoSecret(_) => Some((RETRY_AFTER, "1")),
            _ => None,
        }
    }
}

impl From<KeyError> for Refused {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::NotFound => Self::NoSuchKey,
            KeyError::Exists => Self::Exists,
            KeyError::InvalidImport(error) => Self::Invalid(vec![FieldError {
                location: FieldLocation::Body,
                name: Some("key".into()),
                detail: error.to_string().into(),
            }]),
            other => unavailable(&other),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (problem, header) = (self.problem(), self.header());
        let problem = match self {
            Self::Invalid(errors) => problem.with_errors(errors),
            _ => problem,
        };
        let mut response = problem.into_response();
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

/// For an error whose text is for the log alone.
pub(super) fn unavailable(error: &(dyn Error + 'static)) -> Refused {
    tracing::error!(error, "the keys could not be read or written");
    Refused::Unavailable
}

/// All that is wrong, for a person.
fn sentence(errors: &[FieldError]) -> String {
    let text = |one: &FieldError| match &one.name {
        Some(name) => format!("{name}: {}", one.detail),
        None => one.detail.to_string(),
    };
    errors.iter().map(text).collect::<Vec<_>>().join("; ")
}
