//! The extractor: which key has let this request in.

use std::convert::Infallible;
use std::fmt;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Extensions, StatusCode};
use simple_security::{ApiKeys, KeyId, KeyRecord, Timestamp, VerifiedKey};
use simple_security_admin::Problem;

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
    verified: VerifiedKey,
    authenticated_by: AuthenticatedBy,
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

    /// Whose key it is, empty where it has no owner.
    pub fn owner(&self) -> &str {
        self.verified.owner()
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

/// Marks an authenticated request, so that a nested layer of the same engine does not count it again.
///
/// Holds the number of the engine: no other engine ever has it, while an address can be used again. A
/// layer of another engine ignores the mark, verifies the key itself and replaces the mark by its own.
///
/// A copy is empty: a copy of the extensions may end up on a request that begins long after the key
/// was revoked, and that one has to be verified.
#[derive(Default)]
struct AuthenticatedBy(Option<u64>);

impl Clone for AuthenticatedBy {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Whether this engine has authenticated the request already.
#[inline]
pub(crate) fn is_authenticated_by(keys: &ApiKeys, extensions: &Extensions) -> bool {
    let key = extensions.get::<ApiKey>();
    key.is_some_and(|key| key.authenticated_by.0 == Some(keys.number()))
}

/// Hands the key to the application, marked with the engine that authenticated the request.
#[inline]
pub(crate) fn insert_key(keys: &ApiKeys, verified: VerifiedKey, extensions: &mut Extensions) {
    let authenticated_by = AuthenticatedBy(Some(keys.number()));
    extensions.insert(ApiKey { verified, authenticated_by });
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
            .respond()
            .map(Into::into)
    }
}
