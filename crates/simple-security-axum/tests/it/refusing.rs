//! What a client gets that may not pass, and what a layer outside learns of it.

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Request, Response};
use serde_json::json;
use simple_security::{Renewal, VerifyError};
use simple_security_axum::Refusal;
use tower::{Layer, Service, ServiceExt};

use crate::{Engine, Layered as _, ask, guarded, request};

const UNKNOWN: &str = "a key that was never issued, as of the old package";

#[tokio::test]
async fn a_refusal_is_a_problem_that_no_cache_keeps() {
    let app = guarded(Engine::new().layer());
    let answer = ask::<&str>(&app, &[]).await;
    assert_eq!(answer.headers[CONTENT_TYPE], "application/problem+json");
    assert_eq!(answer.headers[CACHE_CONTROL], "no-store");
    let expected = json!({
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "An API key must be sent, in the header Authorization (Bearer) or X-API-Key",
        "code": "not_presented",
    });
    assert_eq!(answer.body, expected);
}

#[tokio::test]
async fn only_who_knows_the_whole_key_learns_that_it_is_revoked_or_expired() {
    let engine = Engine::new();
    let app = guarded(engine.layer());
    let issued = engine.issue("key").await;
    let (key, id) = (issued.key.expose().to_owned(), issued.record.id);
    engine.keys.revoke(id).await.expect("revoked");
    let revoked = ask(&app, &[("x-api-key", &key)]).await;
    assert_eq!(revoked.body["detail"], "The API key is revoked");
    let date = simple_security::Timestamp::from_seconds(0);
    engine.keys.renew(id, Renewal::Date(date)).await.expect("renewed");
    let expired = ask(&app, &[("x-api-key", &key)]).await;
    assert_eq!(expired.body["detail"], "The API key has expired");

    let wrong = ask(&app, &[("x-api-key", UNKNOWN)]).await;
    assert_eq!(wrong.body["detail"], "The API key is wrong");
    for malformed in [&key[..54], &key[4..], "fss_", "x", &"x".repeat(10_000)] {
        let answer = ask(&app, &[("x-api-key", malformed)]).await;
        assert_eq!(answer.body, wrong.body, "{malformed}");
        assert_eq!(answer.headers, wrong.headers, "{malformed}");
    }
    for answer in [revoked, expired, wrong] {
        assert_eq!((answer.status.as_u16(), answer.code()), (401, Some("denied")));
        assert!(!answer.body.to_string().contains(id.as_str()), "the id is not for clients");
    }
}

#[tokio::test]
async fn a_realm_is_named_in_every_challenge() {
    let engine = Engine::new();
    let app = guarded(engine.layer().with_realm("the \"shop\"").expect("a realm"));
    let sent: [&[(&str, &str)]; 3] =
        [&[], &[("x-api-key", "x")], &[("x-api-key", "x"), ("api-key", "x")]];
    let mut challenges = Vec::new();
    for headers in sent {
        challenges.push(ask(&app, headers).await.challenge().expect("a challenge").to_owned());
    }
    let expected = [
        r#"Bearer realm="the \"shop\"""#,
        r#"Bearer realm="the \"shop\"", error="invalid_token""#,
        r#"Bearer realm="the \"shop\"", error="invalid_request""#,
    ];
    assert_eq!(challenges, expected);
    assert!(engine.layer().with_realm("line\nend").is_err());
}

#[tokio::test]
async fn a_layer_outside_learns_the_reason() {
    let engine = Engine::new();
    let app = guarded(engine.layer());
    let issued = engine.issue("key").await;
    engine.keys.revoke(issued.record.id).await.expect("revoked");
    let reason = async |request: Request<Body>| {
        let response: Response<Body> = app.clone().oneshot(request).await.expect("a response");
        let refusal = response.extensions().get::<Refusal>().expect("a reason").clone();
        assert_eq!(refusal.status(), response.status());
        refusal
    };
    let sent = [("api-key", issued.key.expose())];
    let revoked = reason(request("/", &sent)).await;
    assert!(
        matches!(&revoked, Refusal::Denied(VerifyError::Revoked(id)) if *id == issued.record.id)
    );
    assert_eq!(revoked.to_string(), format!("key {} is revoked", issued.record.id));
    let unknown = reason(request("/", &[("api-key", UNKNOWN)])).await;
    assert!(matches!(unknown, Refusal::Denied(VerifyError::Unknown)));
    let nothing = reason(request::<&str>("/", &[])).await;
    assert!(matches!(nothing, Refusal::NotPresented));
    let twice = reason(request("/", &[("api-key", "x"), ("x-api-key", "x")])).await;
    assert!(matches!(twice, Refusal::Repeated));
    let passed = app.clone().oneshot(request("/", &[("api-key", issued.key.expose())])).await;
    assert!(passed.expect("a response").status().is_client_error());
}

#[tokio::test]
async fn nothing_shows_a_key() {
    let engine = Engine::new();
    let issued = engine.issue("key").await;
    let layer = engine.layer();
    let inner = tower::service_fn(async |_: Request<Body>| {
        Ok::<_, std::convert::Infallible>(Response::<Body>::default())
    });
    let mut service = layer.layer(inner);
    let mut shown = format!("{layer:?} {service:?}");
    for _ in ["from the store", "cached"] {
        let future = service.call(request("/", &[("api-key", issued.key.expose())]));
        shown += &format!("{future:?}");
        future.await.expect("a response");
    }
    assert!(shown.contains("realm"), "{shown}");
    assert!(!shown.contains(&issued.key.expose()[16..]), "{shown}");
}
