//! The future of a response: refused already, under way, or waiting for the store.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::form::Form;
use crate::policy::{Answer, Policy};
use crate::refusal::Refusal;

pin_project! {
    /// What [`RequireApiKey`](crate::RequireApiKey) gives back: the inner response, or a refusal.
    pub struct ResponseFuture<S, R, F>
    where
        S: Service<Request<R>>,
    {
        #[pin]
        stage: Stage<S, R>,
        form: PhantomData<F>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<S, R>
    where
        S: Service<Request<R>>,
    {
        Called { #[pin] future: S::Future },
        Refused { response: Option<Box<S::Response>> },
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

impl<S, R, F> ResponseFuture<S, R, F>
where
    S: Service<Request<R>>,
{
    #[inline]
    pub(crate) fn called(future: S::Future) -> Self {
        Self { stage: Stage::Called { future }, form: PhantomData }
    }

    pub(crate) fn refused(response: S::Response) -> Self {
        Self { stage: Stage::refused(response), form: PhantomData }
    }

    pub(crate) fn asking(
        answer: Answer,
        inner: S,
        request: Request<R>,
        policy: Arc<Policy>,
    ) -> Self {
        let asking = Some(Box::new(Asking { answer, inner, request, policy }));
        Self { stage: Stage::Asking { asking }, form: PhantomData }
    }
}

impl<S, R, F, B> Future for ResponseFuture<S, R, F>
where
    S: Service<Request<R>, Response = Response<B>>,
    F: Form<B>,
{
    type Output = Result<Response<B>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stage = self.project().stage;
        match stage.as_mut().project() {
            StageProjection::Called { future } => future.poll(context),
            _ => poll_seldom::<S, R, F, B>(stage, context),
        }
    }
}

/// Where the request was not let in at once.
fn poll_seldom<S, R, F, B>(
    mut stage: Pin<&mut Stage<S, R>>,
    context: &mut Context<'_>,
) -> Poll<Result<Response<B>, S::Error>>
where
    S: Service<Request<R>, Response = Response<B>>,
    F: Form<B>,
{
    loop {
        let next = match stage.as_mut().project() {
            StageProjection::Called { future } => return future.poll(context),
            StageProjection::Refused { response } => {
                return Poll::Ready(Ok(*response.take().expect(AFTER_THE_END)));
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
                    Err(denied) => Stage::refused(F::respond(
                        Refusal::Denied(denied),
                        &policy.challenges,
                        request.headers(),
                    )),
                }
            }
        };
        stage.set(next);
    }
}

/// Futures may not be polled again after they gave back their output.
const AFTER_THE_END: &str = "polled after it was ready";

impl<S, R> Stage<S, R>
where
    S: Service<Request<R>>,
{
    fn refused(response: S::Response) -> Self {
        Self::Refused { response: Some(Box::new(response)) }
    }
}

impl<S, R, F> fmt::Debug for ResponseFuture<S, R, F>
where
    S: Service<Request<R>>,
{
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
