//! The limit on connections. At the limit, a new connection closes the one that has been idle longest, so
//! that clients which connect and send nothing do not block new clients.

use std::sync::Arc;
use std::time::Duration;

use simple_security::LogThrottle;
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::activity::{Activity, Idle};

/// How long to wait for a slot before looking for an idle connection again, while every connection has a
/// request in progress.
const RECHECK: Duration = Duration::from_millis(10);

/// All connections. Owned by the task that accepts them: a request touches only the [`Activity`] of its
/// own connection.
pub(super) struct ConnectionLimit {
    limit: usize,
    slots: Arc<Semaphore>,
    /// Includes some that are closed: they are removed when there are twice as many as the limit.
    connections: Vec<Connection>,
    /// Idle connections by their index in `connections`, the one idle longest last. A connection that has
    /// changed since the sort is skipped: it is younger than the rest. So they are sorted again only when
    /// this list is used up.
    oldest: Vec<(Idle, usize)>,
}

struct Connection {
    activity: Arc<Activity>,
    /// `None`: the connection is closing.
    close: Option<Sender<()>>,
}

/// One of the connections that the limit allows, until it is dropped.
pub(super) struct Slot {
    pub(super) activity: Arc<Activity>,
    /// Resolves when the connection must close.
    pub(super) closing: Receiver<()>,
    _permit: OwnedSemaphorePermit,
}

impl ConnectionLimit {
    pub(super) fn new(limit: usize) -> Self {
        let slots = Arc::new(Semaphore::new(limit));
        Self { limit, slots, connections: Vec::new(), oldest: Vec::new() }
    }

    /// Returns a slot for a new connection. Waits only while every other connection has a request in
    /// progress.
    pub(super) async fn acquire(&mut self) -> Slot {
        loop {
            let slot = Arc::clone(&self.slots).acquire_owned();
            // A connection that is closing frees its slot as soon as its task runs.
            let wait = if self.slots.available_permits() > 0 || self.close_oldest() {
                Duration::MAX
            } else {
                RECHECK
            };
            // The semaphore is never closed.
            if let Ok(Ok(permit)) = timeout(wait, slot).await {
                return self.add(permit);
            }
        }
    }

    fn add(&mut self, permit: OwnedSemaphorePermit) -> Slot {
        if self.connections.len() >= 2 * self.limit {
            self.remove_closed();
        }
        let activity = Arc::new(Activity::new(Instant::now()));
        let (close, closing) = channel();
        self.connections.push(Connection { activity: Arc::clone(&activity), close: Some(close) });
        Slot { activity, closing, _permit: permit }
    }

    /// Closes the connection that has been idle longest. Returns `false` if none is idle.
    pub(super) fn close_oldest(&mut self) -> bool {
        if self.close_next() {
            return true;
        }
        self.remove_closed();
        let idle = |(index, connection): (usize, &Connection)| {
            connection.activity.idle().map(|idle| (idle, index))
        };
        self.oldest.extend(self.connections.iter().enumerate().filter_map(idle));
        self.oldest.sort_unstable_by_key(|(idle, _)| std::cmp::Reverse(idle.since));
        self.close_next()
    }

    fn close_next(&mut self) -> bool {
        while let Some((idle, index)) = self.oldest.pop() {
            let connection = &mut self.connections[index];
            if connection.is_closed() || !connection.activity.close(idle) {
                continue;
            }
            if connection.close.take().is_some_and(|close| close.send(()).is_ok()) {
                static CLOSED: LogThrottle = LogThrottle::new();
                if let Some(times) = CLOSED.record() {
                    tracing::warn!(
                        closed = times,
                        "all {} connections were in use: closed the ones idle longest; if their clients \
                         are legitimate, raise --max-connections",
                        self.limit
                    );
                }
                return true;
            }
        }
        false
    }

    /// Clears `oldest` too, because the indexes in it become invalid.
    fn remove_closed(&mut self) {
        self.oldest.clear();
        self.connections.retain(|connection| !connection.is_closed());
    }
}

impl Connection {
    /// Closed, or closing.
    fn is_closed(&self) -> bool {
        self.close.as_ref().is_none_or(Sender::is_closed)
    }
}

#[cfg(test)]
mod tests {
    use http::Version;
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_time().build().expect("a runtime")
    }

    /// A request on this connection, answered.
    fn request(slot: &Slot) {
        drop(slot.activity.begin(Version::HTTP_11).expect("a request"));
        let answered = slot.activity.answered().expect("none in progress");
        slot.activity.become_idle(answered, Instant::now());
    }

    fn is_closing(slot: &mut Slot) -> bool {
        slot.closing.try_recv().is_ok()
    }

    #[test]
    fn the_connection_idle_longest_is_closed() {
        runtime().block_on(async {
            let mut limit = ConnectionLimit::new(3);
            let mut slots =
                vec![limit.acquire().await, limit.acquire().await, limit.acquire().await];
            request(&slots[0]);
            let busy = slots[1].activity.begin(Version::HTTP_11).expect("a request");
            // The third has sent nothing since it was accepted, the first has made a request after it.
            for oldest in [2, 0] {
                assert!(limit.close_oldest());
                let closing: Vec<bool> = slots.iter_mut().map(is_closing).collect();
                assert_eq!(closing, [0, 1, 2].map(|index| index == oldest));
            }
            assert!(!limit.close_oldest(), "a request is in progress on the last one");
            drop(busy);
            assert!(!limit.close_oldest(), "its answer has not been written yet");
            slots.remove(2);
            drop(limit.acquire().await);
        });
    }

    /// The list does not grow with the number of connections that were ever accepted.
    #[test]
    fn closed_connections_are_removed() {
        runtime().block_on(async {
            let mut limit = ConnectionLimit::new(2);
            let lasting = limit.acquire().await;
            for _ in 0..1_000 {
                drop(limit.acquire().await);
                assert!(limit.connections.len() <= 4);
            }
            assert!(limit.close_oldest());
            drop(lasting);
        });
    }

    #[test]
    fn a_new_connection_waits_while_all_are_busy() {
        runtime().block_on(async {
            let mut limit = ConnectionLimit::new(1);
            let slot = limit.acquire().await;
            let busy = slot.activity.begin(Version::HTTP_11).expect("a request");
            let waited = timeout(3 * RECHECK, limit.acquire()).await;
            assert!(waited.is_err());
            drop((busy, slot));
            drop(limit.acquire().await);
        });
    }
}
