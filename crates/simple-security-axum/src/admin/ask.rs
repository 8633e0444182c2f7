//! Asking the engine something that may take long.

use std::sync::Arc;

use simple_security::{ApiKeys, KeyError};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tracing::Span;

use super::refused::{self, Refused};

/// Asks on a thread of its own, for two reasons. An embedded store works on the thread that polls
/// it and may wait there for another writer, for seconds: other requests must not wait with it. And
/// what was asked is brought to its end whatever becomes of the one who asked: when a client goes
/// away its request is dropped, and a revocation that is under way must not be.
///
/// A runtime that is dropped meanwhile waits for what is being written. The wait for other
/// processes that follows ends in a panic of tokio's timer then, on that thread alone.
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
