//! When to stop: at SIGTERM, and at SIGINT, which is ctrl-c.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for the signals. From when it is made they end the process no more by themselves.
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// # Errors
    /// When the operating system does not let us have the signals.
    pub(crate) fn watch() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Returns at the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
