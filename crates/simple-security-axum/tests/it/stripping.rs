//! Taking the credential out before the application sees the request.

use serde_json::json;

use crate::{Engine, Layered as _, answer, ask, guarded, request};

#[tokio::test]
async fn the_header_that_carried_the_key_is_gone_and_no_other() {
    let engine = Engine::new();
    let key = engine.issue("key").await.key;
    let app = guarded(engine.layer().strip_credential());
    let bearer = format!("Bearer {}", key.expose());
    for (name, value) in
        [("authorization", &*bearer), ("x-api-key", key.expose()), ("api-key", key.expose())]
    {
        let answer = ask(&app, &[(name, value), ("x-other", "stays"), ("api_key", "stays")]).await;
        assert_eq!(
            answer.body["headers"],
            json!({"x-other": "stays", "api_key": "stays"}),
            "{name}"
        );
        assert!(answer.body["id"].is_string());
    }
}

#[tokio::test]
async fn other_schemes_stay() {
    let engine = Engine::new();
    let key = engine.issue("key").await.key;
    let app = guarded(engine.layer().strip_credential());
    let answer = ask(&app, &[("x-api-key", key.expose()), ("authorization", "Basic YTpi")]).await;
    assert_eq!(answer.body["headers"], json!({"authorization": "Basic YTpi"}));
}

#[tokio::test]
async fn the_parameter_is_gone_where_it_is_read_and_the_rest_is_as_it_was() {
    let engine = Engine::new();
    let key = engine.issue("key").await.key;
    let reads = guarded(engine.layer().with_insecure_query_parameter().strip_credential());
    let uri = format!("/?a=%2f+&api%2Dkey={}&b=%zz;c", key.expose());
    let answer_of_it = answer(&reads, request::<&str>(&uri, &[])).await;
    assert_eq!(answer_of_it.body["uri"], "/?a=%2f+&b=%zz;c");
    let uri = format!("/?api-key={}", key.expose());
    assert_eq!(answer(&reads, request::<&str>(&uri, &[])).await.body["uri"], "/");

    // Not ours where it is not read.
    let does_not = guarded(engine.layer().strip_credential());
    let answer_of_it =
        answer(&does_not, request("/?api-key=x", &[("api-key", key.expose())])).await;
    assert_eq!(answer_of_it.body["uri"], "/?api-key=x");
}

#[tokio::test]
async fn nothing_is_taken_unless_it_is_asked_for() {
    let engine = Engine::new();
    let key = engine.issue("key").await.key;
    let app = guarded(engine.layer().with_insecure_query_parameter());
    let answer_of_header = ask(&app, &[("x-api-key", key.expose())]).await;
    assert_eq!(answer_of_header.body["headers"], json!({"x-api-key": key.expose()}));
    let uri = format!("/?api-key={}", key.expose());
    assert_eq!(answer(&app, request::<&str>(&uri, &[])).await.body["uri"], uri);
}

#[tokio::test]
async fn a_key_in_the_url_is_not_read_unless_it_is_asked_for() {
    let engine = Engine::new();
    let key = engine.issue("key").await.key;
    let app = guarded(engine.layer());
    let uri = format!("/?api-key={}", key.expose());
    let alone = answer(&app, request::<&str>(&uri, &[])).await;
    assert_eq!((alone.status.as_u16(), alone.code()), (401, Some("not_presented")));
    let beside = answer(&app, request(&uri, &[("api-key", key.expose())])).await;
    assert_eq!(beside.status, 200);
}

#[tokio::test]
async fn an_inner_layer_that_does_not_check_again_strips_all_the_same() {
    let engine = Engine::new();
    let key = engine.issue("key").await.key;
    let app = guarded(engine.layer().strip_credential()).layer(engine.layer());
    for _ in ["from the store", "cached"] {
        let answer = ask(&app, &[("x-api-key", key.expose())]).await;
        assert_eq!(answer.body["headers"], json!({}));
        engine.let_the_lease_end();
    }
}
