//! Locks, atomics, threads: the standard library's, or loom's in the model of the lease.

#[cfg(not(loom_model))]
pub(crate) use {
    pollster::block_on,
    std::sync::{Arc, Mutex, MutexGuard, atomic, mpsc},
    std::thread,
};

#[cfg(loom_model)]
pub(crate) use {
    loom::future::block_on,
    loom::sync::{Arc, Mutex, MutexGuard, atomic},
    loom::thread,
};

/// Locks, also after a panic elsewhere: what our locks protect is whole between two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A channel that loom can see into. Its own has no `recv_timeout`.
#[cfg(loom_model)]
pub(crate) mod mpsc {
    pub(crate) use std::sync::mpsc::{RecvError, RecvTimeoutError, SendError};

    use std::collections::VecDeque;
    use std::sync::Arc;
    use std::time::Duration;

    use loom::sync::{Condvar, Mutex};

    struct Channel<T> {
        messages: Mutex<VecDeque<T>>,
        sent: Condvar,
    }

    pub(crate) struct Sender<T>(Arc<Channel<T>>);

    pub(crate) struct Receiver<T>(Arc<Channel<T>>);

    pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let messages = Mutex::new(VecDeque::new());
        let channel = Arc::new(Channel { messages, sent: Condvar::new() });
        (Sender(Arc::clone(&channel)), Receiver(channel))
    }

    impl<T> Sender<T> {
        pub(crate) fn send(&self, message: T) -> Result<(), SendError<T>> {
            super::lock(&self.0.messages).push_back(message);
            self.0.sent.notify_one();
            Ok(())
        }
    }

    impl<T> Receiver<T> {
        pub(crate) fn recv(&self) -> Result<T, RecvError> {
            let mut messages = super::lock(&self.0.messages);
            loop {
                match messages.pop_front() {
                    Some(message) => return Ok(message),
                    None => messages = self.0.sent.wait(messages).map_err(|_| RecvError)?,
                }
            }
        }

        /// To wait for the time is to wait for one's turn: all turns are tried.
        pub(crate) fn recv_timeout(&self, _: Duration) -> Result<T, RecvTimeoutError> {
            super::lock(&self.0.messages).pop_front().ok_or(RecvTimeoutError::Timeout)
        }
    }
}
