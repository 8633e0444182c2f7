//! The thread that writes usage: at most once in a flush interval. It sleeps while nothing is counted.

use std::sync::Arc;
use std::time::Duration;

use super::counters::{Counters, Wake};
use crate::clock::Clock;
use crate::store::{KeyStore, StoreError};
use crate::sync::block_on;
use crate::sync::mpsc::{self, RecvTimeoutError};
use crate::sync::thread::{self, JoinHandle};

/// The thread that flushes.
pub(crate) struct Flusher {
    pub(crate) counters: Arc<Counters>,
    /// It ends with its last flush.
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

impl Flusher {
    /// Starts the thread. It flushes at most once in `interval`, and whenever something was
    /// counted within `interval`.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(crate) fn start(
        writer: [u8; 16],
        interval: Duration,
        store: Arc<dyn KeyStore>,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let (counters, woken) = Counters::new(writer);
        let counters = Arc::new(counters);
        let thread = thread::Builder::new().name("key-usage".to_owned()).spawn({
            let counters = Arc::clone(&counters);
            move || run(&counters, &woken, interval, &*store, &*clock)
        })?;
        Ok(Self { counters, thread: Some(thread) })
    }

    /// Stops the thread after one last flush; `false` when it was stopped before.
    pub(crate) fn stop(&mut self) -> bool {
        let Some(thread) = self.thread.take() else { return false };
        let _ = self.counters.wake.send(Wake::Stop);
        match thread.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.counters.say_lost(&error),
            Err(_) => tracing::error!("the thread that flushes usage has panicked"),
        }
        true
    }
}

fn run(
    counters: &Counters,
    woken: &mpsc::Receiver<Wake>,
    interval: Duration,
    store: &dyn KeyStore,
    clock: &dyn Clock,
) -> Result<(), StoreError> {
    let flush = || block_on(counters.flush(store, clock));
    let mut failed = false;
    loop {
        // After a failure the counts are there already: nothing will wake us.
        if !failed && !matches!(woken.recv(), Ok(Wake::Counted)) {
            break;
        }
        // Woken again while it waits: somebody else has flushed, and what was counted since then
        // may wait for a whole interval of its own.
        let waited = loop {
            match woken.recv_timeout(interval) {
                Ok(Wake::Counted) => {}
                other => break other,
            }
        };
        match waited {
            Err(RecvTimeoutError::Timeout) => {
                let flushed = flush().inspect_err(|error| {
                    tracing::warn!(%error, "usage could not be written yet; it is kept and tried again");
                });
                failed = flushed.is_err();
            }
            _ => break,
        }
    }
    flush()
}
