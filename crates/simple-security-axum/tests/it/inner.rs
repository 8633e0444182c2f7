//! The contract of `tower::Service`: only a service that said it is ready is called.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use http::{Request, Response};
use simple_security_axum::ApiKey;
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

use crate::{Engine, Layered as _, request};

/// Panics where it is called without having been found ready. A clone of it is not ready.
#[derive(Default)]
struct Strict {
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false, calls: Arc::clone(&self.calls) }
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "it was not asked whether it is ready");
        assert!(request.extensions().get::<ApiKey>().is_some());
        self.calls.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Response::default()))
    }
}

#[tokio::test]
async fn the_one_that_was_found_ready_is_called() {
    let engine = Engine::new();
    let issued = engine.issue("key").await;
    let inner = Strict::default();
    let calls = Arc::clone(&inner.calls);
    let mut service = engine.layer().layer(inner);
    for round in 1..=6 {
        let sent = request("/", &[("x-api-key", issued.key.expose())]);
        let response = service.ready().await.expect("ready").call(sent).await.expect("a response");
        assert_eq!(response.status(), 200);
        assert_eq!(calls.load(Ordering::SeqCst), round);
        if round % 2 == 0 {
            engine.let_the_lease_end(); // The next one is a miss.
        }
        // A refusal leaves the inner one as it is.
        let refused = request::<&str>("/", &[]);
        let response =
            service.ready().await.expect("ready").call(refused).await.expect("an answer");
        assert_eq!(response.status(), 401);
    }
    assert_eq!(engine.counted(issued.record.id).await, 6);
}

#[tokio::test]
async fn a_request_that_waits_for_the_store_goes_on_with_what_it_reserved() {
    let engine = Engine::new();
    let issued = engine.issue("key").await;
    // Room for one request: its place is reserved when it is found ready.
    let mut service = ServiceBuilder::new()
        .layer(engine.layer())
        .layer(ConcurrencyLimitLayer::new(1))
        .service(Strict::default());
    engine.let_the_lease_end();
    engine.store.hold_readings.store(true, Ordering::SeqCst);
    let sent = request("/", &[("x-api-key", issued.key.expose())]);
    let mut first = Box::pin(service.ready().await.expect("ready").call(sent));
    let mut context = Context::from_waker(Waker::noop());
    assert!(first.as_mut().poll(&mut context).is_pending(), "the store holds it");
    assert!(service.poll_ready(&mut context).is_pending(), "the place is taken");
    engine.store.hold_readings.store(false, Ordering::SeqCst);
    engine.store.release();
    assert_eq!(first.await.expect("a response").status(), 200);
    service.ready().await.expect("the place is free again");
}

#[tokio::test]
async fn a_request_that_is_dropped_while_it_waits_is_neither_counted_nor_served() {
    let engine = Engine::new();
    let issued = engine.issue("key").await;
    let inner = Strict::default();
    let calls = Arc::clone(&inner.calls);
    let mut service = engine.layer().layer(inner);
    engine.let_the_lease_end();
    engine.store.hold_readings.store(true, Ordering::SeqCst);
    let sent = request("/", &[("x-api-key", issued.key.expose())]);
    let mut dropped = Box::pin(service.ready().await.expect("ready").call(sent));
    assert!(dropped.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(dropped);
    engine.store.hold_readings.store(false, Ordering::SeqCst);
    engine.store.release();
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_eq!(engine.counted(issued.record.id).await, 0);
}

#[tokio::test]
async fn errors_of_the_inner_one_are_passed_on() {
    #[derive(Debug, PartialEq)]
    struct Broken;
    let engine = Engine::new();
    let key = engine.issue("key").await.key;
    let seen = Arc::new(Mutex::new(0));
    let inner = tower::service_fn({
        let seen = Arc::clone(&seen);
        move |_: Request<Body>| {
            *seen.lock().expect("the number") += 1;
            ready(Err::<Response<Body>, _>(Broken))
        }
    });
    let mut service = engine.layer().layer(inner);
    for _ in ["from the store", "cached"] {
        let sent = request("/", &[("x-api-key", key.expose())]);
        let result = service.ready().await.expect("ready").call(sent).await;
        assert_eq!(result.map(drop), Err(Broken));
    }
    assert_eq!(*seen.lock().expect("the number"), 2);
}
