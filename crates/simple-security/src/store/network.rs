//! What stores on the network share: threads of their own, deadlines, and the bounds that are kept.

use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use futures_util::future::join;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::{OpenError, Poll, PollOutcome, StoreError};
use crate::store::location::Server;

pub(super) mod tls;

/// How late a change may be known everywhere, unless the one who makes the store says otherwise.
const MAX_STALENESS: Duration = Duration::from_secs(2);

/// How soon a poll that failed is tried again.
const RETRY: Duration = Duration::from_millis(250);

/// The least time between a hint and the poll before it. Any user of the server can send hints: a
/// flood of them must not become a flood of polls.
const HINTED: Duration = Duration::from_millis(10);

/// The runtime of one store. What it does goes on whoever asks for it: a thread that waits, or a
/// task of any other runtime.
pub(super) struct Worker(Option<Runtime>);

impl Worker {
    pub(super) fn start() -> Result<Self, OpenError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("key-store")
            .enable_all()
            .build()
            .map_err(|error| StoreError::Failed {
                reason: "no thread for the store could be started".to_owned(),
                source: Some(error.into()),
            })?;
        Ok(Self(Some(runtime)))
    }

    /// Does some work there. It is done also when nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(runtime) = &self.0 else { return Err(stopped(None)) };
        match runtime.spawn(work).await {
            Ok(done) => done,
            Err(error) => Err(stopped(Some(error.into()))),
        }
    }

    /// Does some work there, and holds this thread until it is done.
    pub(super) fn wait_for<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, OpenError>> + Send + 'static,
    ) -> Result<T, OpenError> {
        let Some(runtime) = &self.0 else { return Err(stopped(None).into()) };
        let (done, waiting) = mpsc::channel();
        runtime.spawn(async move {
            // Nobody waits any more when this fails.
            let _ = done.send(work.await);
        });
        waiting.recv().unwrap_or_else(|error| Err(stopped(Some(error.into())).into()))
    }

    /// Lets some work go on beside all else, until the store is dropped.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(work);
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Whoever drops it may be a task of another runtime, and must not wait.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn stopped(source: Option<super::BoxedError>) -> StoreError {
    StoreError::Failed { reason: "the thread of the store has stopped".to_owned(), source }
}

/// Does some work that must be done in time.
pub(super) async fn within<T, E: From<StoreError>>(
    deadline: Duration,
    place: &str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    timeout(deadline, work).await.unwrap_or_else(|elapsed| {
        Err(E::from(StoreError::Unreachable {
            place: place.to_owned(),
            reason: format!("it did not answer within {} ms", deadline.as_millis()),
            source: Some(elapsed.into()),
        }))
    })
}

/// Refreshes until the engine is gone: when `hint` comes, at most once in 10 ms, and twice in a lease.
pub(super) async fn poll_changes(refresh: Poll, hint: &Notify, lease: Duration) {
    loop {
        let (hinted, earliest) = (hint.notified(), sleep(HINTED));
        let pause = match refresh().await {
            PollOutcome::Fresh => lease / 2,
            PollOutcome::Failed => RETRY.min(lease / 2),
            PollOutcome::Gone => return,
        };
        // A hint that came during the poll may be of a change that it has not seen.
        let _ = timeout(pause, join(hinted, earliest)).await;
    }
}

/// The bounds that a store has kept for all its processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) max_staleness: Duration,
    pub(super) stale_if_error: Duration,
}

impl Bounds {
    /// Those of a store that is made now.
    pub(super) fn wanted(server: &Server) -> Self {
        Self {
            max_staleness: server.max_staleness.unwrap_or(MAX_STALENESS),
            stale_if_error: server.stale_if_error.unwrap_or_default(),
        }
    }

    /// Those that the store has kept, where this process is not set to others.
    pub(super) fn agree(self, server: &Server) -> Result<Self, OpenError> {
        let other = |setting, kept: Duration, wanted: Option<Duration>| match wanted {
            Some(wanted) if wanted != kept => Err(OpenError::OtherBound {
                place: server.to_string(),
                setting,
                kept: kept.as_secs_f64(),
                wanted: wanted.as_secs_f64(),
            }),
            _ => Ok(()),
        };
        other("max_staleness", self.max_staleness, server.max_staleness)?;
        other("stale_if_error", self.stale_if_error, server.stale_if_error)?;
        Ok(self)
    }

    /// How late a change may be known, as the store was made for it.
    pub(super) fn bound(self) -> Duration {
        self.max_staleness + self.stale_if_error
    }

    /// How long an answer may be used after a poll: what is left of the bound when the time that
    /// a change waits is a little longer than the lease.
    pub(super) fn lease(self) -> Duration {
        self.max_staleness * 99 / 100
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::Instant;

    use super::*;

    /// Polls in one virtual second, while `hints` come a millisecond apart.
    async fn polls_in_a_second(hints: u32) -> u32 {
        let (polls, hint) = (Arc::new(AtomicU32::new(0)), Notify::new());
        let counted = Arc::clone(&polls);
        let refresh: Poll = Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Box::pin(std::future::ready(PollOutcome::Fresh))
        });
        let begun = Instant::now();
        let hinting = async {
            for _ in 0..hints {
                sleep(Duration::from_millis(1)).await;
                hint.notify_one();
            }
        };
        let both = join(poll_changes(refresh, &hint, Duration::from_secs(2)), hinting);
        let _ = timeout(Duration::from_millis(999), both).await;
        assert_eq!(begun.elapsed(), Duration::from_millis(999));
        polls.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_hints_is_no_flood_of_polls() {
        assert_eq!(polls_in_a_second(0).await, 1, "the next one is due after half a lease");
        assert_eq!(polls_in_a_second(1).await, 2, "a hint is followed");
        let polls = polls_in_a_second(1000).await;
        assert!((50..=101).contains(&polls), "{polls} polls");
    }
}
