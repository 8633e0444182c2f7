//! The extractor.

use axum::Router;
use axum::routing::get;
use http::header::CACHE_CONTROL;
use simple_security::{Expiry, KeyName, NewKey, Timestamp};
use simple_security_axum::ApiKey;
use tower::ServiceExt;

use crate::{Engine, Layered as _, answer, ask, request};

#[tokio::test]
async fn a_handler_learns_the_key() {
    let engine = Engine::new();
    let expires_at = Timestamp::from_seconds(1_900_000_000);
    let name = KeyName::new("shop").expect("a name");
    let new = NewKey::named(name).with_expiry(Expiry::At(expires_at));
    let issued = engine.keys.issue(new).await.expect("a key");
    let expected = issued.record.clone();
    let handler = async move |key: ApiKey| {
        assert_eq!(key.record(), &expected);
        assert_eq!((key.id(), key.name()), (expected.id, "shop"));
        assert_eq!(key.expires_at(), Some(expires_at));
        assert_eq!(format!("{key:?}"), format!("ApiKey(KeyId({}))", expected.id));
        assert_eq!(key.clone().record(), key.record());
        "\"seen\""
    };
    let app = Router::new().route("/", get(handler)).layer(engine.layer());
    assert_eq!(ask(&app, &[("x-api-key", issued.key.expose())]).await.body, "seen");
}

#[tokio::test]
async fn a_key_without_an_end_has_no_date() {
    let engine = Engine::new();
    let new = NewKey::default().with_expiry(Expiry::Never);
    let issued = engine.keys.issue(new).await.expect("a key");
    let handler = async |key: ApiKey| format!("{:?}", key.expires_at().map(Timestamp::seconds));
    let app = Router::new().route("/", get(handler)).layer(engine.layer());
    let sent = request("/", &[("x-api-key", issued.key.expose())]);
    let response = app.oneshot(sent).await.expect("a response");
    let body = axum::body::to_bytes(response.into_body(), 100).await.expect("a body");
    assert_eq!(body, "None");
}

#[tokio::test]
async fn without_the_layer_it_is_500_and_says_what_to_add() {
    let handler = async |_: ApiKey| "never";
    let app = Router::new().route("/", get(handler));
    let answer = ask(&app, &[("x-api-key", "anything")]).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (500, Some("missing_layer")));
    assert!(answer.body["detail"].as_str().expect("a text").contains("RequireApiKeyLayer"));
    assert_eq!(answer.headers[CACHE_CONTROL], "no-store");
}

#[tokio::test]
async fn an_optional_one_is_none_without_the_layer() {
    let handler = async |key: Option<ApiKey>| key.is_some().to_string();
    let engine = Engine::new();
    let key = engine.issue("key").await.key;
    let app = Router::new()
        .route("/guarded", get(handler))
        .layer(engine.layer())
        .route("/open", get(handler));
    let open = answer(&app, request("/open", &[("x-api-key", key.expose())])).await;
    assert_eq!(open.body, false);
    let guarded = answer(&app, request("/guarded", &[("x-api-key", key.expose())])).await;
    assert_eq!(guarded.body, true);
}
