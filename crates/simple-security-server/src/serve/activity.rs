//! The state of a connection: how many requests are in progress, and since when it is idle.
//!
//! A new connection closes another one (`connection_limit.rs`) only while that one is idle. A single atomic
//! word holds everything that decides this, so that no request begins at the same instant. This costs a
//! request two atomic additions and no lock.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use http::Version;
use tokio::time::Instant;

/// Bit 0: the connection is being closed.
const CLOSED: u64 = 1;
/// Bits 1 to 31: the number of requests in progress.
const REQUEST: u64 = 1 << 1;
/// Bits 32 to 63: the number of answers, modulo 2^32.
const ANSWER: u64 = 1 << 32;

#[derive(Debug)]
pub(super) struct Activity {
    requests: AtomicU64,
    /// The number of answers when the connection last became idle.
    idle_after: AtomicU32,
    /// When it last became idle; at first, when it was accepted. Bytes that are not yet a whole request do
    /// not change it, so that a client cannot stay young by sending a byte now and then.
    idle_since: AtomicU64,
    is_http2: AtomicBool,
}

/// A request in progress, until it is dropped.
pub(super) struct InProgress(Arc<Activity>);

/// An idle connection, at one instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Idle {
    /// Nanoseconds on the clock of this process.
    pub(super) since: u64,
    requests: u64,
}

impl Activity {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            requests: AtomicU64::new(0),
            idle_after: AtomicU32::new(0),
            idle_since: AtomicU64::new(nanoseconds(now)),
            is_http2: AtomicBool::new(false),
        }
    }

    /// Begins a request, once its headers are complete. Returns `None` if the connection is closing: the
    /// request must not be verified then.
    pub(super) fn begin(self: &Arc<Self>, version: Version) -> Option<InProgress> {
        let before = self.requests.fetch_add(REQUEST, Ordering::AcqRel);
        if before & CLOSED != 0 {
            return None;
        }
        if version == Version::HTTP_2 {
            self.is_http2.store(true, Ordering::Relaxed);
        }
        Some(InProgress(Arc::clone(self)))
    }

    /// Returns the number of answers, modulo 2^32, or `None` while a request is in progress.
    pub(super) fn answered(&self) -> Option<u32> {
        let requests = self.requests.load(Ordering::Acquire);
        is_quiet(requests).then_some(answers(requests))
    }

    /// Marks the connection as idle after this number of answers.
    pub(super) fn become_idle(&self, answered: u32, now: Instant) {
        self.idle_since.store(nanoseconds(now), Ordering::Relaxed);
        self.idle_after.store(answered, Ordering::Release);
    }

    pub(super) fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    /// Returns since when the connection has been idle, if it is. It is not idle before its last answer has
    /// been written, or the client has stopped reading it.
    pub(super) fn idle(&self) -> Option<Idle> {
        let requests = self.requests.load(Ordering::Acquire);
        let is_idle = requests & CLOSED == 0
            && is_quiet(requests)
            && self.idle_after.load(Ordering::Acquire) == answers(requests);
        is_idle.then(|| Idle { since: self.idle_since.load(Ordering::Relaxed), requests })
    }

    /// Closes the connection to further requests. Returns `false` if one has begun since `idle` was taken.
    pub(super) fn close(&self, idle: Idle) -> bool {
        let (before, after) = (idle.requests, idle.requests | CLOSED);
        self.requests.compare_exchange(before, after, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.requests.fetch_add(ANSWER - REQUEST, Ordering::AcqRel);
    }
}

fn is_quiet(requests: u64) -> bool {
    requests % ANSWER < REQUEST
}

fn answers(requests: u64) -> u32 {
    (requests / ANSWER) as u32
}

fn nanoseconds(now: Instant) -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    now.saturating_duration_since(*START).as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_idle_connection_is_closed() {
        let activity = Arc::new(Activity::new(Instant::now()));
        let fresh = activity.idle().expect("idle before the first request");
        let request = activity.begin(Version::HTTP_11).expect("a request");
        let other = activity.begin(Version::HTTP_2).expect("a second one");
        assert!(activity.idle().is_none() && !activity.close(fresh));
        drop(request);
        assert!(activity.answered().is_none(), "one of two is in progress");
        drop(other);
        assert_eq!(activity.answered(), Some(2));
        assert!(activity.idle().is_none(), "the answers have not been written yet");
        assert!(!activity.close(fresh), "requests were answered since");
        activity.become_idle(2, Instant::now());
        let idle = activity.idle().expect("idle after them");
        assert!(idle.since >= fresh.since);
        assert!(activity.close(idle));
        assert!(activity.begin(Version::HTTP_11).is_none());
        assert!(activity.idle().is_none() && !activity.close(idle));
    }

    #[test]
    fn the_number_of_answers_may_overflow() {
        let activity = Arc::new(Activity::new(Instant::now()));
        activity.requests.store(u64::MAX << 32, Ordering::Relaxed);
        drop(activity.begin(Version::HTTP_11).expect("a request"));
        assert_eq!(activity.answered(), Some(0));
        assert!(activity.idle().is_some() && activity.begin(Version::HTTP_11).is_some());
    }

    /// Either the request begins or its connection closes, never both.
    #[test]
    fn a_request_and_a_close_exclude_each_other() {
        for _ in 0..2_000 {
            let activity = Arc::new(Activity::new(Instant::now()));
            let idle = activity.idle().expect("idle");
            let (begun, closed) = std::thread::scope(|scope| {
                let begun = scope.spawn(|| activity.begin(Version::HTTP_11).is_some());
                let closed = activity.close(idle);
                (begun.join().expect("begun"), closed)
            });
            assert!(begun != closed);
        }
    }
}
