//! Asking the engine something that may take long.

use std::sync::Arc;

use simple_security::{ApiKeys, Committed, KeyError, Moment};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tracing::Span;

use super::refused::{self, Refused};

/// Makes a change and says from when on it holds everywhere; waits for that where it is wanted. The
/// wait holds no thread, and is for the one who asked alone.
pub(super) async fn change<T, F>(
    keys: Arc<ApiKeys>,
    wait: bool,
    change: F,
) -> Result<(T, Moment), Refused>
where
    T: Send + 'static,
    F: AsyncFnOnce(&ApiKeys) -> Result<Committed<T>, KeyError> + Send + 'static,
{
    let committed = ask(Arc::clone(&keys), change).await?;
    let effective_by = committed.effective_by;
    let outcome = if wait { committed.effective().await } else { committed.outcome };
    Ok((outcome, effective_by))
}

/// Asks on a thread of its own, for two reasons. An embedded store works on the thread that polls
/// it and may wait there for another writer, for seconds: other requests must not wait with it. And
/// what was asked is brought to its end whatever becomes of the one who asked: when a client goes
/// away its request is dropped, and a revocation that is under way must not be.
///
/// A runtime that is dropped meanwhile waits for what is being written. The wait of some milliseconds
/// that follows on an embedded store ends in a panic of tokio's timer then, on that thread alone.
pub(super) async fn ask<T, F>(keys: Arc<ApiKeys>, question: F) -> Result<T, Refused>
where
    T: Send + 'static,
    F: AsyncFnOnce(&ApiKeys) -> Result<T, KeyError> + Send + 'static,
{
    let (runtime, span) = (Handle::current(), Span::current());
    let asking = spawn_blocking(move || span.in_scope(|| runtime.block_on(question(&keys))));
    match asking.await {
        Ok(answer) => answer.map_err(Refused::from),
        Err(panicked) => Err(refused::unavailable(&panicked)),
    }
}
