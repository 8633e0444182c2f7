//! What an answer says that is no success, as `application/problem+json` (RFC 9457).

use std::borrow::Cow;

use axum_core::response::{IntoResponse, Response as AxumResponse};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

#[cfg(feature = "admin")]
use crate::field_error::FieldError;

/// Why a request was refused (RFC 9457).
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "admin", derive(utoipa::ToSchema), schema(as = KeyProblem))]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    #[cfg_attr(feature = "admin", schema(examples("about:blank")))]
    kind: &'static str,
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    #[cfg_attr(feature = "admin", schema(value_type = u16))]
    status: StatusCode,
    /// For a person.
    #[cfg_attr(feature = "admin", schema(value_type = String))]
    detail: Cow<'static, str>,
    /// For a program: `not_presented`, `denied`, `repeated`, `not_found`, `method_not_allowed`,
    /// `exists`, `invalid` or `unavailable`.
    // A member of our own (section 3.2).
    code: &'static str,
    /// Only with `invalid`.
    #[cfg(feature = "admin")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(inline)]
    errors: Vec<FieldError>,
}

impl Problem {
    /// A problem with a word for programs and a sentence for people.
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        // Section 4.2.1: with `about:blank` the title is the phrase of the status.
        let title = match status {
            // The phrase of RFC 9110, section 15.5.21; the crate has that of RFC 4918.
            StatusCode::UNPROCESSABLE_ENTITY => "Unprocessable Content",
            _ => status.canonical_reason().unwrap_or_default(),
        };
        Self {
            kind: "about:blank",
            title,
            status,
            detail: detail.into(),
            code,
            #[cfg(feature = "admin")]
            errors: Vec::new(),
        }
    }

    /// The same with each thing that is wrong with the request.
    #[cfg(feature = "admin")]
    pub(crate) fn with_errors(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    /// The whole response. No cache may keep it: the next request may be answered otherwise.
    pub(crate) fn respond(&self) -> Response<Bytes> {
        // It has nothing but texts and a number, so that writing it cannot fail.
        let body = serde_json::to_vec(self).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> AxumResponse {
        self.respond().map(Into::into)
    }
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_what_the_rfc_says() {
        let response = Problem::new(StatusCode::BAD_REQUEST, "a_word", "A \"sentence\".").respond();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(
            response.body(),
            r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"A \"sentence\".","code":"a_word"}"#
        );
    }
}
