//! Locks and atomics: the standard library's, or loom's when the lease is checked as a model.

#[cfg(not(loom_model))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

#[cfg(loom_model)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};

/// Locks, also after a panic elsewhere: what our locks protect is whole between two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
