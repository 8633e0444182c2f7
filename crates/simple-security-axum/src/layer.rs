//! The layer: which engine decides, what is read, and what the answers name.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use simple_security::ApiKeys;
use tower_layer::Layer;

use crate::form::{Grpc, ProblemJson};
use crate::policy::Policy;
use crate::refusal::{Challenges, InvalidRealm};
use crate::service::RequireApiKey;

/// Lets requests pass that carry a good API key, and answers all others itself.
///
/// A key is read from `Authorization: Bearer`, `X-API-Key` or `api-key`. What passed has an
/// [`ApiKey`](crate::ApiKey) in its extensions. It is counted once, also where layers of one engine
/// lie one in another; a layer of another engine between them makes the inner one count it again.
///
/// ```
/// use std::sync::Arc;
///
/// use axum::{Router, routing::get};
/// use simple_security::ApiKeys;
/// use simple_security_axum::RequireApiKeyLayer;
///
/// fn app(keys: Arc<ApiKeys>) -> Router {
///     Router::new()
///         .route("/secure", get(|| async { "only with a key" }))
///         .layer(RequireApiKeyLayer::new(keys).strip_credential())
/// }
/// ```
#[derive(Clone)]
#[must_use]
pub struct RequireApiKeyLayer<F = ProblemJson> {
    policy: Arc<Policy>,
    form: PhantomData<F>,
}

impl RequireApiKeyLayer {
    /// A layer that asks this engine. Keys are read from headers alone, and left in them.
    pub fn new(keys: Arc<ApiKeys>) -> Self {
        let challenges = Challenges::default();
        let policy = Policy { keys, reads_query: false, strips: false, challenges };
        Self { policy: Arc::new(policy), form: PhantomData }
    }

    /// The same for services of gRPC: a client is told of a refusal by `UNAUTHENTICATED`,
    /// `INVALID_ARGUMENT` where it sent more than one key, or `UNAVAILABLE`.
    ///
    /// The status of HTTP is 200 then, as always with gRPC. Only a client that says that it speaks it,
    /// by `Content-Type: application/grpc`, is answered so; others get the status that they would get
    /// without this, and no body. Such a layer may not stand where somebody goes by the status of HTTP and
    /// hands on the headers of a client, as a proxy does that asks who may pass.
    pub fn for_grpc(self) -> RequireApiKeyLayer<Grpc> {
        RequireApiKeyLayer { policy: self.policy, form: PhantomData }
    }
}

impl<F> RequireApiKeyLayer<F> {
    /// Reads the query parameter `api-key` too, for clients that can send no header.
    ///
    /// Insecure: URLs end in logs, in histories and in the header `Referer`, and the keys with them
    /// (RFC 6750, section 5.3). What lies outside of this layer sees the URL as it came.
    pub fn with_insecure_query_parameter(mut self) -> Self {
        Arc::make_mut(&mut self.policy).reads_query = true;
        self
    }

    /// Takes the key out of the request before the application sees it: the headers that may
    /// carry one, and the query parameter where it is read. Other schemes of `Authorization` stay.
    ///
    /// What has copied the request before stays as it is, such as axum's `OriginalUri`.
    pub fn strip_credential(mut self) -> Self {
        Arc::make_mut(&mut self.policy).strips = true;
        self
    }

    /// Names what the keys are for, in the header `WWW-Authenticate` (RFC 9110, section 11.5). It
    /// is `api` unless set.
    ///
    /// # Errors
    /// [`InvalidRealm`] when it has other characters than visible ASCII and spaces.
    pub fn with_realm(mut self, realm: &str) -> Result<Self, InvalidRealm> {
        Arc::make_mut(&mut self.policy).challenges = Challenges::new(realm)?;
        Ok(self)
    }
}

impl<S, F> Layer<S> for RequireApiKeyLayer<F> {
    type Service = RequireApiKey<S, F>;

    fn layer(&self, inner: S) -> RequireApiKey<S, F> {
        RequireApiKey::new(inner, Arc::clone(&self.policy))
    }
}

impl<F> fmt::Debug for RequireApiKeyLayer<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RequireApiKeyLayer").field("policy", &self.policy).finish()
    }
}
