//! The body of a request, which may not take for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

/// From when the first byte is asked for to the last one. How long a body may be is for the routes
/// to say.
const LIMIT: Duration = Duration::from_secs(5);

/// A body that fails when it has not come in time.
pub(super) struct TimelyBody {
    body: Incoming,
    time: Option<Pin<Box<Sleep>>>,
}

impl TimelyBody {
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, time: None }
    }
}

impl Body for TimelyBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let time = this.time.get_or_insert_with(|| Box::pin(sleep(LIMIT)));
        time.as_mut().poll(context).map(|()| {
            Some(Err(
                io::Error::new(io::ErrorKind::TimedOut, "the body has not come in time").into()
            ))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
