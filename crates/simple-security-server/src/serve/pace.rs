//! The pace of a connection: how long a client may take to send, to read, or to do nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::activity::Activity;

/// From the first byte of a request to the last one of its headers; for the first request from when
/// the connection was made.
const HEADERS: Duration = Duration::from_secs(5);

/// Between two requests. nginx keeps its connections for 60 seconds, and who closes them first should
/// be the one who sends.
const IDLE: Duration = Duration::from_secs(75);

/// In which a client takes no byte of an answer.
const STALLED: Duration = Duration::from_secs(10);

/// A connection that fails when its client is too slow.
pub(super) struct Paced {
    stream: TcpStream,
    activity: Arc<Activity>,
    stage: Stage,
    /// How many requests were answered when this stage was entered.
    answered: u32,
    /// Wakes the reader. It may do so early, and is set anew then: most stages end long before, and
    /// setting it for each of them would cost more than all else here.
    alarm: Pin<Box<Sleep>>,
    stalled: Option<Pin<Box<Sleep>>>,
}

/// What a connection on which nothing is under way waits for, and since when.
#[derive(Clone, Copy)]
enum Stage {
    /// The next request.
    Idle(Instant),
    /// The rest of its headers.
    Headers(Instant),
}

impl Paced {
    pub(super) fn new(stream: TcpStream, activity: Arc<Activity>) -> Self {
        let now = Instant::now();
        let alarm = Box::pin(sleep_until(now + HEADERS));
        Self { stream, activity, stage: Stage::Headers(now), answered: 0, alarm, stalled: None }
    }

    /// Returns when the client must have sent more, or `None` while a request is in progress. Also marks the
    /// connection as idle after an answer, so call it whenever an answer may have been written: hyper may not
    /// read again before more bytes arrive.
    fn deadline(&mut self) -> Option<Instant> {
        let answered = self.activity.answered()?;
        if answered != self.answered {
            let now = Instant::now();
            self.activity.become_idle(answered, now);
            self.answered = answered;
            self.stage = Stage::Idle(now);
        }
        Some(match self.stage {
            Stage::Idle(since) => since + IDLE,
            Stage::Headers(since) => since + HEADERS,
        })
    }

    /// Bytes have come where nothing was under way. On HTTP/2 they need not be a request.
    fn received(&mut self) {
        if let Stage::Idle(_) = self.stage
            && !self.activity.is_http2()
        {
            self.stage = Stage::Headers(Instant::now());
        }
    }

    /// Pending until the deadline, if there is one.
    fn poll_late(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            // While a request is under way the alarm goes on, to be asked again after it.
            let deadline = self.deadline();
            if deadline.is_some_and(|deadline| deadline < self.alarm.deadline()) {
                self.alarm.as_mut().reset(deadline.unwrap_or_else(Instant::now));
            }
            ready!(self.alarm.as_mut().poll(context));
            let now = Instant::now();
            match deadline {
                Some(deadline) if deadline <= now => return Poll::Ready(late()),
                deadline => self.alarm.as_mut().reset(deadline.unwrap_or(now + HEADERS)),
            }
        }
    }

    /// What writing has come to, unless the client has taken nothing for too long.
    fn written<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        // A client that does not read its answer is idle. Otherwise it could keep its slot that way.
        self.deadline();
        let alarm = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALLED)));
        alarm.as_mut().poll(context).map(|()| Err(late()))
    }
}

fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the client is too slow")
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) {
            if buffer.filled().len() > before && this.deadline().is_some() {
                this.received();
            }
            return Poll::Ready(read);
        }
        this.poll_late(context).map(Err)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.deadline();
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
