//! The extractor: which key has let this request in.

use std::convert::Infallible;
use std::fmt;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use simple_security::{KeyId, KeyRecord, Timestamp, VerifiedKey};

use crate::passed::Passed;
use crate::problem::Problem;

/// The key that has let a request in. [`RequireApiKeyLayer`](crate::RequireApiKeyLayer) puts it into
/// the extensions of the request; with several layers it is that of the last one that checked.
///
/// As an argument of a handler it asks for the layer; as `Option<ApiKey>` it is `None` on routes
/// without one.
///
/// ```
/// use simple_security_axum::ApiKey;
///
/// async fn whoami(key: ApiKey) -> String {
///     format!("{} {}", key.id(), key.name())
/// }
/// ```
#[derive(Clone)]
pub struct ApiKey {
    pub(crate) verified: VerifiedKey,
    pub(crate) passed: Passed,
}

impl ApiKey {
    /// The public handle of the key, safe to log.
    pub fn id(&self) -> KeyId {
        self.verified.id()
    }

    /// What people call it, empty where it has no name.
    pub fn name(&self) -> &str {
        self.record().name.as_str()
    }

    /// From when on it is refused; `None` when it never expires.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.record().expiry().date()
    }

    /// All that is known of the key, as it was when the request came.
    pub fn record(&self) -> &KeyRecord {
        self.verified.record()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ApiKey").field(&self.id()).finish()
    }
}

impl<S: Sync> FromRequestParts<S> for ApiKey {
    type Rejection = MissingLayer;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, MissingLayer> {
        parts.extensions.get::<Self>().cloned().ok_or(MissingLayer)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for ApiKey {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// A handler asks for an [`ApiKey`], and its route has no layer that would check one: status 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this route needs an API key and has no RequireApiKeyLayer; add the layer to its router")]
pub struct MissingLayer;

impl IntoResponse for MissingLayer {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "missing_layer", self.to_string())
            .into_response()
    }
}
