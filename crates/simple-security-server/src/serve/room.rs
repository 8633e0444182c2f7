//! Room for connections. When all of it is taken, the connection that has been idle longest is closed,
//! so that clients which connect and stay quiet keep nobody out.

use std::sync::Arc;
use std::time::Duration;

use simple_security::Seldom;
use tokio::sync::oneshot::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::activity::{Activity, Idle};

/// How long to wait for an end before connections are looked at again, while a request is in progress on
/// each of them.
const ALL_BUSY: Duration = Duration::from_millis(10);

/// All connections. It belongs to the task that accepts them: a request touches nothing but the
/// [`Activity`] of its own connection.
pub(super) struct Room {
    limit: usize,
    places: Arc<Semaphore>,
    /// Also some that have ended: they are dropped when there are twice as many as the limit.
    connections: Vec<Connection>,
    /// Idle ones by their place in `connections`, the one idle longest last. What has changed since they
    /// were sorted is not closed, and is younger than the rest. So they are sorted again only when all
    /// are used up.
    oldest: Vec<(Idle, usize)>,
}

struct Connection {
    activity: Arc<Activity>,
    /// `None`: it was told to end.
    end: Option<Sender<()>>,
}

/// What a connection has while it lasts.
pub(super) struct Place {
    pub(super) activity: Arc<Activity>,
    /// Resolves when the connection has to end.
    pub(super) ending: Receiver<()>,
    _permit: OwnedSemaphorePermit,
}

impl Room {
    pub(super) fn new(limit: usize) -> Self {
        let places = Arc::new(Semaphore::new(limit));
        Self { limit, places, connections: Vec::new(), oldest: Vec::new() }
    }

    /// A place for a connection. Waits only while a request is in progress on each of the others.
    pub(super) async fn take(&mut self) -> Place {
        loop {
            let free = Arc::clone(&self.places).acquire_owned();
            // One that was told to end makes room as soon as its task runs.
            let patience = if self.places.available_permits() > 0 || self.close_oldest() {
                Duration::MAX
            } else {
                ALL_BUSY
            };
            // The semaphore is never closed.
            if let Ok(Ok(permit)) = timeout(patience, free).await {
                return self.add(permit);
            }
        }
    }

    fn add(&mut self, permit: OwnedSemaphorePermit) -> Place {
        if self.connections.len() >= 2 * self.limit {
            self.forget_ended();
        }
        let activity = Arc::new(Activity::new(Instant::now()));
        let (end, ending) = channel();
        self.connections.push(Connection { activity: Arc::clone(&activity), end: Some(end) });
        Place { activity, ending, _permit: permit }
    }

    /// Tells the connection that has been idle longest to end. `false`: a request is in progress on each.
    pub(super) fn close_oldest(&mut self) -> bool {
        if self.close_next() {
            return true;
        }
        self.forget_ended();
        let idle = |(place, connection): (usize, &Connection)| {
            connection.activity.idle().map(|idle| (idle, place))
        };
        self.oldest.extend(self.connections.iter().enumerate().filter_map(idle));
        self.oldest.sort_unstable_by_key(|(idle, _)| std::cmp::Reverse(idle.since));
        self.close_next()
    }

    fn close_next(&mut self) -> bool {
        while let Some((idle, place)) = self.oldest.pop() {
            let connection = &mut self.connections[place];
            if connection.has_ended() || !connection.activity.close(idle) {
                continue;
            }
            if connection.end.take().is_some_and(|end| end.send(()).is_ok()) {
                static CLOSED: Seldom = Seldom::new();
                if let Some(times) = CLOSED.happened() {
                    tracing::warn!(
                        closed = times,
                        "all {} connections were in use: closed those idle longest; if these are \
                         clients of yours, raise --max-connections",
                        self.limit
                    );
                }
                return true;
            }
        }
        false
    }

    /// What is sorted names places, and is void after it.
    fn forget_ended(&mut self) {
        self.oldest.clear();
        self.connections.retain(|connection| !connection.has_ended());
    }
}

impl Connection {
    fn has_ended(&self) -> bool {
        self.end.as_ref().is_none_or(Sender::is_closed)
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
    fn request(place: &Place) {
        drop(place.activity.begin(Version::HTTP_11).expect("a request"));
        let answered = place.activity.answered().expect("none in progress");
        place.activity.rest(answered, Instant::now());
    }

    fn is_told_to_end(place: &mut Place) -> bool {
        place.ending.try_recv().is_ok()
    }

    #[test]
    fn the_connection_idle_longest_is_closed() {
        runtime().block_on(async {
            let mut room = Room::new(3);
            let mut places = vec![room.take().await, room.take().await, room.take().await];
            request(&places[0]);
            let busy = places[1].activity.begin(Version::HTTP_11).expect("a request");
            // The third has sent nothing since it was accepted, the first has made a request after it.
            for oldest in [2, 0] {
                assert!(room.close_oldest());
                let told: Vec<bool> = places.iter_mut().map(is_told_to_end).collect();
                assert_eq!(told, [0, 1, 2].map(|place| place == oldest));
            }
            assert!(!room.close_oldest(), "a request is in progress on the last one");
            drop(busy);
            assert!(!room.close_oldest(), "its answer is not handed over yet");
            places.remove(2);
            drop(room.take().await);
        });
    }

    /// However many come and go, only those that last are kept.
    #[test]
    fn ended_connections_are_forgotten() {
        runtime().block_on(async {
            let mut room = Room::new(2);
            let lasting = room.take().await;
            for _ in 0..1_000 {
                drop(room.take().await);
                assert!(room.connections.len() <= 4);
            }
            assert!(room.close_oldest());
            drop(lasting);
        });
    }

    #[test]
    fn all_busy_wait_for_the_first_that_ends() {
        runtime().block_on(async {
            let mut room = Room::new(1);
            let place = room.take().await;
            let busy = place.activity.begin(Version::HTTP_11).expect("a request");
            let waited = timeout(3 * ALL_BUSY, room.take()).await;
            assert!(waited.is_err());
            drop((busy, place));
            drop(room.take().await);
        });
    }
}
