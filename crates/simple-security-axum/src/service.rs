//! The service: a key that is cached costs no box, no task and no wait.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use crate::body::ResponseBody;
use crate::future::ResponseFuture;
use crate::policy::{Check, Policy};

/// What [`RequireApiKeyLayer`](crate::RequireApiKeyLayer) makes of a service.
///
/// It asks nothing of the bodies of requests and responses, and of the inner service only that it
/// can be cloned, for requests whose key has to be looked up.
#[derive(Clone)]
pub struct RequireApiKey<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S> RequireApiKey<S> {
    pub(crate) fn new(inner: S, policy: Arc<Policy>) -> Self {
        Self { inner, policy }
    }
}

impl<S, R, B> Service<Request<R>> for RequireApiKey<S>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
{
    type Response = Response<ResponseBody<B>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, R>;

    #[inline]
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    #[inline]
    fn call(&mut self, mut request: Request<R>) -> ResponseFuture<S, R> {
        match self.policy.check(&request) {
            Check::Verified(verified) => {
                self.policy.admit(&mut request, verified);
                ResponseFuture::called(self.inner.call(request))
            }
            Check::PassedBefore => {
                self.policy.strip(&mut request);
                ResponseFuture::called(self.inner.call(request))
            }
            Check::Refused(refusal) => ResponseFuture::refused(self.policy.refuse(refusal)),
            Check::Asked(answer) => {
                // The one that was found ready is taken. Its clone need not be, and stays.
                let clone = self.inner.clone();
                let inner = mem::replace(&mut self.inner, clone);
                ResponseFuture::asking(answer, inner, request, Arc::clone(&self.policy))
            }
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for RequireApiKey<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RequireApiKey")
            .field("inner", &self.inner)
            .field("policy", &self.policy)
            .finish()
    }
}
