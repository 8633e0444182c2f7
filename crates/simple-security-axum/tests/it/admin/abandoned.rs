//! A client that goes away in the middle of a change.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request};
use http_body::Frame;
use serde_json::json;
use simple_security::clock::{Clock, FakeClock, Uptime};
use simple_security::store::MemoryStore;
use simple_security::{Moment, Timestamp};
use test_support::engine;
use tower::ServiceExt;

use super::{app, get, issue, request, request_with, send};
use crate::{Answer, Engine};

/// Sends a request whose client leaves while the change is on its way to the store, and lets the
/// change go on.
async fn abandon(engine: &Engine, app: &Router, request: Request<Body>) {
    engine.store.hold_changes.store(true, Ordering::SeqCst);
    {
        let mut answer = pin!(app.clone().oneshot(request));
        let mut context = Context::from_waker(Waker::noop());
        while !is_held(engine) {
            assert!(answer.as_mut().poll(&mut context).is_pending(), "it waits for the store");
            tokio::task::yield_now().await;
        }
    }
    engine.store.hold_changes.store(false, Ordering::SeqCst);
    engine.store.release();
}

/// Whether a call waits for the store.
fn is_held(engine: &Engine) -> bool {
    !engine.store.held.lock().expect("those held").is_empty()
}

/// Looks until a key is as it should be.
async fn wait_for(app: &Router, path: &str, is_there: impl Fn(&Answer) -> bool) {
    let mut looks = 0;
    while !is_there(&get(app, path).await) {
        assert!(looks < 10_000, "{path} never changed");
        tokio::time::sleep(Duration::from_millis(1)).await;
        looks += 1;
    }
}

#[tokio::test]
async fn every_change_comes_to_its_end() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let (id, key) = issue(&app).await;
    let path = format!("/keys/{id}");

    let edit = request_with(Method::PATCH, &path, json!({"name": "edited"}).to_string());
    abandon(&engine, &app, edit).await;
    wait_for(&app, &path, |answer| answer.body["name"] == "edited").await;

    abandon(&engine, &app, request(Method::POST, &format!("{path}/revoke"))).await;
    wait_for(&app, &path, |answer| answer.body["state"] == "revoked").await;
    assert!(engine.keys.verify(key.as_bytes()).await.is_err());

    abandon(&engine, &app, request(Method::POST, &format!("{path}/renew"))).await;
    wait_for(&app, &path, |answer| answer.body["state"] == "active").await;

    abandon(&engine, &app, request(Method::DELETE, &path)).await;
    wait_for(&app, &path, |answer| answer.status == 404).await;

    // Nobody has the key of this one; the administrator sees it and can delete it.
    abandon(&engine, &app, request(Method::POST, "/keys")).await;
    wait_for(&app, "/keys", |answer| {
        answer.body["keys"].as_array().is_some_and(|keys| keys.len() == 1)
    })
    .await;
}

#[tokio::test]
async fn one_that_leaves_while_its_body_is_read_has_changed_nothing() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let sent = request_with(Method::POST, "/keys", Body::new(Pending));
    let mut answer = Box::pin(app.clone().oneshot(sent));
    assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(answer);
    assert_eq!(get(&app, "/keys").await.body["keys"], json!([]));
}

/// A body that never comes.
struct Pending;

impl http_body::Body for Pending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// A clock on which a change waits and keeps its thread, as SQLite does for another writer.
struct Stuck {
    clock: FakeClock,
    is_free: Mutex<bool>,
    freed: Condvar,
}

impl Clock for Stuck {
    fn moment(&self) -> Moment {
        self.clock.moment()
    }

    fn uptime(&self) -> Uptime {
        self.clock.uptime()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let is_free = self.is_free.lock().expect("the lock");
        // Where nobody can free it because all wait, the test fails and does not hang.
        let patience = Duration::from_secs(5);
        drop(self.freed.wait_timeout_while(is_free, patience, |is_free| !*is_free));
        self.clock.sleep(duration)
    }
}

#[tokio::test]
async fn others_do_not_wait_with_one_whose_thread_is_stuck() {
    let now = Timestamp::from_seconds(1_800_000_000);
    let is_free = Mutex::new(true);
    let clock = Arc::new(Stuck { clock: FakeClock::at(now), is_free, freed: Condvar::new() });
    let store = Arc::new(MemoryStore::new().expect("random bytes"));
    let keys = engine(store, &clock);
    // The runtime of this test has one thread.
    let app = app(&Arc::new(keys));
    let (id, _) = issue(&app).await;
    *clock.is_free.lock().expect("the lock") = false;
    let path = format!("/keys/{id}");
    let is_revoked = AtomicBool::new(false);
    let revoke = async {
        let answer = send(&app, request(Method::POST, &format!("{path}/revoke"))).await;
        is_revoked.store(true, Ordering::SeqCst);
        answer.status
    };
    let others = async {
        let answer = get(&app, &path).await;
        let is_first = !is_revoked.load(Ordering::SeqCst);
        *clock.is_free.lock().expect("the lock") = true;
        clock.freed.notify_all();
        (answer.status, is_first)
    };
    let (revoked, (shown, is_first)) = tokio::join!(revoke, others);
    assert_eq!((revoked.as_u16(), shown.as_u16()), (200, 200));
    assert!(is_first, "the other one was answered meanwhile");
}
