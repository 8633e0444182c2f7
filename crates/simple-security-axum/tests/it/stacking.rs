//! Layers within layers.

use axum::Router;
use axum::routing::get;
use http::Request;
use simple_security_axum::{ApiKey, RequireApiKeyLayer};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{Engine, Layered as _, ask, echo, guarded, request};

#[tokio::test]
async fn layers_of_one_engine_count_a_request_once() {
    let engine = Engine::new();
    let issued = engine.issue("key").await;
    let inner = guarded(engine.layer()).route_layer(engine.layer());
    let app =
        Router::new().merge(inner).layer(engine.layer().with_realm("outer").expect("a realm"));
    for round in 1..=10 {
        let answer = ask(&app, &[("x-api-key", issued.key.expose())]).await;
        assert_eq!(answer.body["id"], issued.record.id.as_str());
        assert_eq!(engine.counted(issued.record.id).await, round);
        if round % 2 == 0 {
            engine.let_the_lease_end(); // The next one is a miss.
        }
    }
}

#[tokio::test]
async fn what_an_outer_layer_has_stripped_was_checked_there() {
    let engine = Engine::new();
    let issued = engine.issue("key").await;
    let app = guarded(engine.layer()).layer(engine.layer().strip_credential());
    assert_eq!(ask(&app, &[("x-api-key", issued.key.expose())]).await.status, 200);
    assert_eq!(ask::<&str>(&app, &[]).await.status, 401);
    assert_eq!(engine.counted(issued.record.id).await, 1);
}

#[tokio::test]
async fn layers_of_different_engines_check_each_for_themselves() {
    let (one, other) = (Engine::new(), Engine::new());
    let of_one = one.issue("one").await;
    let of_other = other.issue("other").await;
    let app = guarded(other.layer()).layer(one.layer());
    let sent = ask(&app, &[("x-api-key", of_one.key.expose())]).await;
    assert_eq!((sent.status.as_u16(), sent.code()), (401, Some("denied")), "the inner one");
    let sent = ask(&app, &[("x-api-key", of_other.key.expose())]).await;
    assert_eq!((sent.status.as_u16(), sent.code()), (401, Some("denied")), "the outer one");
    assert_eq!(one.counted(of_one.record.id).await, 1);
    assert_eq!(other.counted(of_other.record.id).await, 0);
}

#[tokio::test]
async fn engines_that_alternate_verify_and_count_each_time() {
    let (one, other) = (Engine::new(), Engine::new());
    // One text that both know.
    let issued = one.issue("shared").await;
    let id = issued.record.id;
    let digest = simple_security::KeyDigest::of(issued.key.expose().as_bytes());
    test_support::commits::insert(&*other.store, digest, &issued.record).expect("stored");
    let alternating = [one.layer(), other.layer(), one.layer(), other.layer()];
    let app = alternating
        .into_iter()
        .fold(echo(), |app: Router, layer: RequireApiKeyLayer| app.layer(layer));
    for round in 1..=3 {
        assert_eq!(ask(&app, &[("x-api-key", issued.key.expose())]).await.status, 200);
        let counted = [one.counted(id).await, other.counted(id).await];
        assert_eq!(counted, [2 * round; 2]);
    }
}

#[tokio::test]
async fn the_mark_of_another_engine_accepts_nothing() {
    let (one, other) = (Engine::new(), Engine::new());
    let issued = one.issue("shared").await;
    let digest = simple_security::KeyDigest::of(issued.key.expose().as_bytes());
    test_support::commits::insert(&*other.store, digest, &issued.record).expect("stored");
    // From the outside in: one, other, one. The middle one takes the credential away.
    let app = guarded(one.layer()).layer(other.layer().strip_credential()).layer(one.layer());
    let sent = ask(&app, &[("x-api-key", issued.key.expose())]).await;
    assert_eq!((sent.status.as_u16(), sent.code()), (401, Some("not_presented")));
}

#[tokio::test]
async fn what_one_request_was_granted_is_not_granted_to_another() {
    let engine = Engine::new();
    let issued = engine.issue("key").await;
    // An application that keeps a copy of what a request had with it, and begins another later.
    let (sender, kept) = std::sync::mpsc::channel();
    let keep = service_fn(move |request: Request<axum::body::Body>| {
        let key = request.extensions().get::<ApiKey>().expect("a key").clone();
        sender.send((request.extensions().clone(), key)).expect("kept");
        async {
            Ok::<_, std::convert::Infallible>(axum::response::Response::new(
                axum::body::Body::empty(),
            ))
        }
    });
    let mut outer = engine.layer().layer(keep);
    let sent = request("/", &[("x-api-key", issued.key.expose())]);
    outer.ready().await.expect("ready").call(sent).await.expect("a response");
    let (extensions, key) = kept.recv().expect("kept");
    let app = guarded(engine.layer());
    for copy in ["of the extensions", "of the key"] {
        let mut later = request::<&str>("/", &[]);
        match copy {
            "of the key" => drop(later.extensions_mut().insert(key.clone())),
            _ => *later.extensions_mut() = extensions.clone(),
        }
        let response = app.clone().oneshot(later).await.expect("a response");
        assert_eq!(response.status(), 401, "a copy {copy}");
    }
    assert_eq!(engine.counted(issued.record.id).await, 1);
}

#[tokio::test]
async fn routes_outside_of_the_layer_stay_open() {
    let engine = Engine::new();
    let app = guarded(engine.layer()).route("/open", get(|| async { "null" }));
    let open = app.clone().oneshot(request::<&str>("/open", &[])).await.expect("a response");
    assert_eq!(open.status(), 200);
    assert_eq!(ask::<&str>(&app, &[]).await.status, 401);
}
