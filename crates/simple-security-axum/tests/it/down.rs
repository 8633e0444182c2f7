//! A store that is down: doubt is a refusal, and says nothing about the key.

use std::sync::atomic::Ordering;

use http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use simple_security_axum::Refusal;
use tower::ServiceExt;

use crate::{Engine, Layered as _, ask, guarded, request};

#[tokio::test]
async fn the_answer_is_503_and_nothing_else() {
    let engine = Engine::new();
    let app = guarded(engine.layer());
    let (good, revoked) = (engine.issue("good").await, engine.issue("revoked").await);
    engine.keys.revoke(revoked.record.id).await.expect("revoked");
    let keys = [good.key.expose(), revoked.key.expose(), "never issued"];
    for key in keys {
        ask(&app, &[("x-api-key", key)]).await;
    }
    engine.store.down.store(true, Ordering::SeqCst);
    assert_eq!(ask(&app, &[("x-api-key", keys[0])]).await.status, 200, "within the lease");
    engine.let_the_lease_end();
    for key in keys {
        let answer = ask(&app, &[("x-api-key", key)]).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (503, Some("unavailable")));
        assert_eq!(answer.headers[RETRY_AFTER], "1");
        assert_eq!(answer.headers[CACHE_CONTROL], "no-store");
        assert!(!answer.headers.contains_key(WWW_AUTHENTICATE), "another key would not help");
        assert!(!answer.body.to_string().contains("out of order"), "the cause is for the log");
    }
    let sent = request("/", &[("x-api-key", keys[0])]);
    let response = app.clone().oneshot(sent).await.expect("a response");
    let refusal = response.extensions().get::<Refusal>().expect("a reason");
    assert!(refusal.to_string().contains("out of order"), "a layer outside may log it");

    engine.store.down.store(false, Ordering::SeqCst);
    assert_eq!(ask(&app, &[("x-api-key", keys[0])]).await.status, 200);
    assert_eq!(ask(&app, &[("x-api-key", keys[1])]).await.status, 401);
    assert_eq!(engine.counted(good.record.id).await, 3);
}

#[tokio::test]
async fn what_no_store_has_to_be_asked_for_is_answered_as_ever() {
    let engine = Engine::new();
    let app = guarded(engine.layer());
    engine.store.down.store(true, Ordering::SeqCst);
    engine.let_the_lease_end();
    assert_eq!(ask::<&str>(&app, &[]).await.code(), Some("not_presented"));
    assert_eq!(ask(&app, &[("x-api-key", "fss_")]).await.code(), Some("denied"));
    assert_eq!(ask(&app, &[("x-api-key", "x"), ("api-key", "x")]).await.code(), Some("repeated"));
}
