//! The future of a response: refused already, under way, or waiting for the store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::body::ResponseBody;
use crate::policy::{Answer, Policy};
use crate::refusal::Refusal;

pin_project! {
    /// What [`RequireApiKey`](crate::RequireApiKey) gives back: the inner response, or a refusal.
    pub struct ResponseFuture<S, R>
    where
        S: Service<Request<R>>,
    {
        #[pin]
        stage: Stage<S, R>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<S, R>
    where
        S: Service<Request<R>>,
    {
        Called { #[pin] future: S::Future },
        Refused { response: Option<Box<Response<Bytes>>> },
        Asking { asking: Option<Box<Asking<S, R>>> },
    }
}

/// A request that waits for the store, and all that it takes to go on.
struct Asking<S, R> {
    answer: Answer,
    inner: S,
    request: Request<R>,
    policy: Arc<Policy>,
}

impl<S, R> ResponseFuture<S, R>
where
    S: Service<Request<R>>,
{
    #[inline]
    pub(crate) fn called(future: S::Future) -> Self {
        Self { stage: Stage::Called { future } }
    }

    #[cold]
    pub(crate) fn refused(response: Response<Bytes>) -> Self {
        Self { stage: Stage::refused(response) }
    }

    #[cold]
    pub(crate) fn asking(
        answer: Answer,
        inner: S,
        request: Request<R>,
        policy: Arc<Policy>,
    ) -> Self {
        let asking = Some(Box::new(Asking { answer, inner, request, policy }));
        Self { stage: Stage::Asking { asking } }
    }
}

impl<S, R, B> Future for ResponseFuture<S, R>
where
    S: Service<Request<R>, Response = Response<B>>,
{
    type Output = Result<Response<ResponseBody<B>>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stage = self.project().stage;
        loop {
            let next = match stage.as_mut().project() {
                StageProjection::Called { future } => {
                    return future
                        .poll(context)
                        .map_ok(|response| response.map(ResponseBody::of_service));
                }
                StageProjection::Refused { response } => {
                    let response = response.take().expect(AFTER_THE_END);
                    return Poll::Ready(Ok(response.map(ResponseBody::of_refusal)));
                }
                StageProjection::Asking { asking } => {
                    let answer = &mut asking.as_mut().expect(AFTER_THE_END).answer;
                    let verdict = ready!(answer.as_mut().poll(context));
                    let asking = asking.take().expect(AFTER_THE_END);
                    let Asking { mut inner, mut request, policy, .. } = *asking;
                    match verdict {
                        Ok(verified) => {
                            policy.admit(&mut request, verified);
                            Stage::Called { future: inner.call(request) }
                        }
                        Err(denied) => Stage::refused(policy.refuse(Refusal::Denied(denied))),
                    }
                }
            };
            stage.set(next);
        }
    }
}

/// Futures may not be polled again after they gave back their output.
const AFTER_THE_END: &str = "polled after it was ready";

impl<S, R> Stage<S, R>
where
    S: Service<Request<R>>,
{
    fn refused(response: Response<Bytes>) -> Self {
        Self::Refused { response: Some(Box::new(response)) }
    }
}

impl<S, R> fmt::Debug for ResponseFuture<S, R>
where
    S: Service<Request<R>>,
{
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
