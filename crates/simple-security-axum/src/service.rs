//! The service: a key that is cached costs no box, no task and no wait.

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response};
use tower_service::Service;

use crate::form::{Form, ProblemJson};
use crate::future::ResponseFuture;
use crate::policy::{Answer, Check, Policy};
use crate::refusal::Refusal;

/// What [`RequireApiKeyLayer`](crate::RequireApiKeyLayer) makes of a service.
///
/// It asks nothing of the bodies of requests. That of a response must be one that a refusal can be
/// told in, by its [`Form`]. The inner service must be one that can be cloned, for requests whose key
/// has to be looked up.
#[derive(Clone)]
pub struct RequireApiKey<S, F = ProblemJson> {
    inner: S,
    policy: Arc<Policy>,
    form: PhantomData<F>,
}

impl<S, F> RequireApiKey<S, F> {
    pub(crate) fn new(inner: S, policy: Arc<Policy>) -> Self {
        Self { inner, policy, form: PhantomData }
    }
}

impl<S, F, R, B> Service<Request<R>> for RequireApiKey<S, F>
where
    S: Service<Request<R>, Response = Response<B>> + Clone,
    F: Form<B>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = ResponseFuture<S, R, F>;

    #[inline]
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    #[inline]
    fn call(&mut self, mut request: Request<R>) -> ResponseFuture<S, R, F> {
        match self.policy.check(&request) {
            Check::Verified(verified) => self.policy.admit(&mut request, verified),
            Check::PassedBefore => self.policy.strip(&mut request),
            Check::Refused(refusal) => return self.refuse(refusal, request.headers()),
            Check::Asked(answer) => return self.ask(answer, request),
        }
        ResponseFuture::called(self.inner.call(request))
    }
}

impl<S, F> RequireApiKey<S, F> {
    fn refuse<R, B>(&self, refusal: Refusal, asked: &HeaderMap) -> ResponseFuture<S, R, F>
    where
        S: Service<Request<R>, Response = Response<B>>,
        F: Form<B>,
    {
        ResponseFuture::refused(F::respond(refusal, &self.policy.challenges, asked))
    }

    fn ask<R>(&mut self, answer: Answer, request: Request<R>) -> ResponseFuture<S, R, F>
    where
        S: Service<Request<R>> + Clone,
    {
        // The one that was found ready is taken. Its clone need not be, and stays.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        ResponseFuture::asking(answer, inner, request, Arc::clone(&self.policy))
    }
}

impl<S: fmt::Debug, F> fmt::Debug for RequireApiKey<S, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RequireApiKey")
            .field("inner", &self.inner)
            .field("policy", &self.policy)
            .finish()
    }
}
