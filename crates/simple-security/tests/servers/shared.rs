//! One server for all who need one at the same time. It ends, and its folder goes, with the last of
//! them: what a `static` holds itself is never dropped.

use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The server that is there, or a new one.
pub fn shared<T>(there: &Mutex<Weak<T>>, start: impl FnOnce() -> T) -> Arc<T> {
    let mut there = there.lock().unwrap_or_else(PoisonError::into_inner);
    there.upgrade().unwrap_or_else(|| {
        let server = Arc::new(start());
        *there = Arc::downgrade(&server);
        server
    })
}
