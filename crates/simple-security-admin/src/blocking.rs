//! Calls of the engine, which may block their thread for seconds.

use std::sync::Arc;
use std::time::Duration;

use simple_security::{ApiKeys, KeyError};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::Span;

use crate::rejection::{self, Rejection};

/// Calls the engine, in tokio on a thread of its own, for two reasons. An embedded store works on the
/// thread that polls it and may wait there for another writer, for seconds: other requests must not wait
/// with it. And the call runs to its end if the client disconnects and its request is dropped: a
/// revocation that is under way must not be.
///
/// Outside tokio the thread that polls the router does it: it may block.
///
/// A runtime that is dropped waits for what is being written. The wait of some milliseconds that follows on
/// an embedded store then ends in a panic of tokio's timer, on that thread alone.
pub(crate) async fn call<T, F>(keys: Arc<ApiKeys>, work: F) -> Result<T, Rejection>
where
    T: Send + 'static,
    F: AsyncFnOnce(&ApiKeys) -> Result<T, KeyError> + Send + 'static,
{
    let Ok(runtime) = Handle::try_current() else {
        return pollster::block_on(work(&keys)).map_err(Rejection::from);
    };
    let span = Span::current();
    let called = spawn_blocking(move || span.in_scope(|| runtime.block_on(work(&keys))));
    match called.await {
        Ok(outcome) => outcome.map_err(Rejection::from),
        Err(panicked) => Err(rejection::store_unavailable(&panicked)),
    }
}

/// What a future returns within this time. Outside tokio there is no timer, and it gets no time.
pub(crate) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    match Handle::try_current() {
        Ok(_) => timeout(limit, future).await.ok(),
        Err(_) => None,
    }
}
