//! A process that forks while an engine is open.
//!
//! `os.register_at_fork` calls the three functions here. The parent closes its database for the
//! moment of the fork, because a child must not inherit an SQLite that has files open. In the
//! child one atomic goes up, and with it all that was opened before belongs to another process:
//! it is neither used nor dropped. The next use opens an engine of the child's own, with empty
//! counters.
//!
//! A store on a network is not closed for that: nothing of it is suspended, so a call that waits
//! for it in another thread does not hold up a fork, and the parent's goes on. What the child has
//! of it is dead, and harmless as long as nobody touches it. Its threads are not there. A lock that
//! one of them held stays locked, and nobody takes it, because each way to it leads through
//! [`Owned::get`]. The sockets are the parent's: the child neither writes to them nor reads; that
//! its copies keep them open until it ends or starts another program is seen by the server alone,
//! where a parent was killed that could not say goodbye. And the counts that are being written
//! are written by the parent, as with SQLite.
//!
//! A fork waits while an engine is opened or closed, which a network can draw out for as long as
//! its deadlines let it.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pyo3::prelude::*;
use simple_security::ApiKeys;

static FORKS: AtomicU64 = AtomicU64::new(0);

/// The engines that are open. Locked while one is opened or closed, and during a fork: so a child
/// never inherits it from a thread that it does not have.
static OPEN: Mutex<Vec<Weak<ApiKeys>>> = Mutex::new(Vec::new());

thread_local! {
    /// What the thread that forks holds meanwhile.
    static FORKING: RefCell<Option<Forking>> = const { RefCell::new(None) };
}

struct Forking {
    open: MutexGuard<'static, Vec<Weak<ApiKeys>>>,
    suspended: Vec<Arc<ApiKeys>>,
}

/// How many forks lie between the first process and this one.
pub(crate) fn count() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

/// Opens or closes an engine while no other is, and no thread forks. Not to be called with the
/// GIL: the one who has the lock may need it.
pub(crate) fn exclusively<T>(work: impl FnOnce(&mut Vec<Weak<ApiKeys>>) -> T) -> T {
    let mut open = lock();
    open.retain(|engine| engine.strong_count() > 0);
    work(&mut open)
}

/// Something that belongs to the process that made it. Another process leaves it as it is.
pub(crate) struct Owned<T: Send + 'static> {
    forks: u64,
    value: Option<T>,
}

impl<T: Send + 'static> Owned<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { forks: count(), value: Some(value) }
    }

    /// The value, to be dropped here and now.
    pub(crate) fn take(mut self) -> Option<T> {
        if self.forks == count() { self.value.take() } else { None }
    }

    /// The value, in the process that made it.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        if self.forks == count() { self.value.as_ref() } else { None }
    }

    /// The same, to be changed.
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        if self.forks == count() { self.value.as_mut() } else { None }
    }
}

impl<T: Send + 'static> Drop for Owned<T> {
    fn drop(&mut self) {
        let Some(value) = self.value.take() else { return };
        if self.forks != count() {
            std::mem::forget(value);
            return;
        }
        // Whoever let go of it last may be Python's garbage collector, on any thread and with any
        // lock held: it is closed on a thread of its own.
        let close = move || exclusively(|_| drop(value));
        if let Err(error) = std::thread::Builder::new().name("key-close".to_owned()).spawn(close) {
            tracing::error!(%error, "there was no thread to close the engine on");
        }
    }
}

/// Closes all databases, after what is being done.
#[pyfunction]
pub(crate) fn before_fork(py: Python<'_>) {
    // Without the GIL: what is being done may have to log.
    py.detach(|| {
        let open = lock();
        let suspended: Vec<Arc<ApiKeys>> = open.iter().filter_map(Weak::upgrade).collect();
        suspended.iter().for_each(|keys| keys.suspend());
        FORKING.set(Some(Forking { open, suspended }));
    });
}

/// Lets the parent open them again.
#[pyfunction]
pub(crate) fn after_fork_in_parent(py: Python<'_>) {
    py.detach(|| {
        if let Some(Forking { open, suspended }) = FORKING.take() {
            suspended.iter().for_each(|keys| keys.resume());
            drop(suspended);
            drop(open);
        }
    });
}

/// Leaves all that was open to the parent.
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    if let Some(Forking { mut open, suspended }) = FORKING.take() {
        std::mem::forget(suspended);
        std::mem::forget(std::mem::take(&mut *open));
    }
}

fn lock() -> MutexGuard<'static, Vec<Weak<ApiKeys>>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}
