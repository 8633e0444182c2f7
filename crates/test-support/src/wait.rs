//! Waiting for a future.

/// Waits for a future on this thread.
pub fn wait<F: IntoFuture>(future: F) -> F::Output {
    pollster::block_on(future.into_future())
}
