//! The body of a rejection: problem details for HTTP (RFC 9457).

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

/// Why a request was rejected (RFC 9457).
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema), schema(as = KeyProblem))]
pub struct Problem {
    #[serde(rename = "type")]
    #[cfg_attr(feature = "router", schema(examples("about:blank")))]
    kind: &'static str,
    #[cfg_attr(feature = "router", schema(examples("Not Found")))]
    title: &'static str,
    #[serde(serialize_with = "as_number")]
    #[cfg_attr(feature = "router", schema(value_type = u16, examples(404)))]
    status: StatusCode,
    /// For a person.
    #[cfg_attr(feature = "router", schema(value_type = String, examples("There is no such key")))]
    detail: Cow<'static, str>,
    /// For a program: `not_presented`, `denied`, `repeated`, `not_found`, `method_not_allowed`,
    /// `exists`, `too_large`, `uri_too_long`, `invalid` or `unavailable`.
    // An extension member (section 3.2).
    #[cfg_attr(feature = "router", schema(examples("not_found")))]
    code: &'static str,
    /// Only with `invalid`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "router", schema(inline))]
    errors: Vec<FieldError>,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub(crate) struct FieldError {
    #[cfg_attr(feature = "router", schema(inline))]
    pub(crate) location: FieldLocation,
    /// `null`: all of it.
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, required = true))]
    pub(crate) name: Option<Cow<'static, str>>,
    #[cfg_attr(feature = "router", schema(value_type = String))]
    pub(crate) detail: Cow<'static, str>,
}

/// The part of a request in which something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
#[cfg_attr(not(feature = "router"), allow(dead_code))]
#[serde(rename_all = "lowercase")]
pub(crate) enum FieldLocation {
    Body,
    Query,
}

impl Problem {
    /// A problem with a word for programs (`code`) and a sentence for people (`detail`).
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        // Section 4.2.1: with `about:blank` the title is the phrase of the status.
        let title = match status {
            // The phrases of RFC 9110, sections 15.5.14 and 15.5.21; the crate has older ones.
            StatusCode::PAYLOAD_TOO_LARGE => "Content Too Large",
            StatusCode::UNPROCESSABLE_ENTITY => "Unprocessable Content",
            _ => status.canonical_reason().unwrap_or_default(),
        };
        Self { kind: "about:blank", title, status, detail: detail.into(), code, errors: Vec::new() }
    }

    /// Adds each thing that is wrong with the request.
    #[cfg(feature = "router")]
    pub(crate) fn with_errors(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    /// The whole response. Caches may not store it: the next request may get another response.
    pub fn respond(&self) -> Response<Bytes> {
        // Serializing texts and a number cannot fail.
        let body = serde_json::to_vec(self).unwrap_or_default();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_the_members_of_the_rfc() {
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
