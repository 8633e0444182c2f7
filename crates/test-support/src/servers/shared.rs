//! One server for all tests that need it at the same time. It ends, and its folder is removed, with
//! the last of them: what a `static` holds itself is never dropped.

use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Returns the server that runs, or starts one.
pub fn shared<T>(there: &Mutex<Weak<T>>, start: impl FnOnce() -> T) -> Arc<T> {
    let mut there = there.lock().unwrap_or_else(PoisonError::into_inner);
    there.upgrade().unwrap_or_else(|| {
        let server = Arc::new(start());
        *there = Arc::downgrade(&server);
        server
    })
}
