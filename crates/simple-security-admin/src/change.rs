//! A change, and how long until every process honours it.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponseParts, ResponseParts};
use http::Uri;
use simple_security::{ApiKeys, Committed, KeyError, Moment};
use utoipa::IntoParams;

use crate::blocking;
use crate::parameters::Parameters;
use crate::rejection::Rejection;

/// How long until every process honours the change that a response reports; in the response's extensions.
/// The adapter waits that long before it sends the response, if the client asked for it with `?wait=true`.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EffectiveIn {
    /// From when the response was made.
    pub remaining: Duration,
    /// The client asked to wait for it.
    pub wait: bool,
}

/// The parameter of the routes that change keys.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wait {
    /// Respond only when `effective_by` has passed.
    #[param(default = false)]
    wait: Option<bool>,
}

/// A change that is committed.
pub(crate) struct Changed<T> {
    pub(crate) outcome: T,
    pub(crate) effective_by: Moment,
    pub(crate) effective_in: EffectiveIn,
}

impl Wait {
    /// # Errors
    /// [`Rejection::Invalid`]: it is neither `true` nor `false`, or there is another parameter.
    pub(crate) fn read(uri: &Uri) -> Result<Self, Rejection> {
        let mut parameters = Parameters::of_query(uri);
        let wait = parameters.take("wait", |text| match text.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("it is true or false".into()),
        });
        parameters.end(Self { wait })
    }

    /// Makes a change, and runs it to its end if the client disconnects.
    pub(crate) async fn make<T, F>(
        self,
        keys: Arc<ApiKeys>,
        change: F,
    ) -> Result<Changed<T>, Rejection>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&ApiKeys) -> Result<Committed<T>, KeyError> + Send + 'static,
    {
        let committed = blocking::call(keys, change).await?;
        let remaining = committed.remaining();
        Ok(Changed {
            outcome: committed.outcome,
            effective_by: committed.effective_by,
            effective_in: EffectiveIn { remaining, wait: self.wait.unwrap_or_default() },
        })
    }
}

impl IntoResponseParts for EffectiveIn {
    type Error = std::convert::Infallible;

    fn into_response_parts(
        self,
        mut response: ResponseParts,
    ) -> Result<ResponseParts, Self::Error> {
        response.extensions_mut().insert(self);
        Ok(response)
    }
}
