//! Paths and queries that adapters may route differently: axum routes the path as it was sent.

use http::Method;

use super::{app, get, header, issue, request, send};
use crate::Engine;

#[tokio::test]
async fn an_encoded_slash_is_part_of_the_id() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let (id, _) = issue(&app).await;
    for path in ["/keys/a%2Fb", "/keys/%2F", &format!("/keys/{id}%2F"), "/keys/..%2Fkeys"] {
        let response = get(&app, path).await;
        assert_eq!(response.body["detail"], "There is no such key", "{path}");
    }
    for path in [format!("/keys/{id}%2Frevoke"), format!("/keys/{id}%2frevoke")] {
        let response = send(&app, request(Method::POST, &path)).await;
        assert_eq!(response.status, 405, "{path}");
        assert_eq!(header(&response.headers, "allow"), Some("DELETE, GET, PATCH"), "{path}");
    }
    assert_eq!(get(&app, &format!("/keys/{id}")).await.body["state"], "active");
}

#[tokio::test]
async fn a_path_is_not_decoded_or_merged_to_find_its_route() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let (id, _) = issue(&app).await;
    let paths = ["//keys", "/keys//", "/%6Beys", "/keys%2F", "/x/../keys", "/KEYS", "/keys;x"];
    for path in paths.map(str::to_owned).into_iter().chain([format!("/keys//{id}")]) {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let response = send(&app, request(method, &path)).await;
            assert_eq!(response.status, 404, "{path}");
            assert_eq!(response.body["detail"], "There is no such path", "{path}");
        }
    }
    assert_eq!(get(&app, &format!("/keys/{id}")).await.body["state"], "active");
}

#[tokio::test]
async fn a_query_of_60000_characters() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let long = "x".repeat(60_000);
    assert_eq!(get(&app, &format!("/keys?name={long}")).await.status, 200);
    for parameter in ["limit", "cursor", "state", "owner"] {
        let response = get(&app, &format!("/keys?{parameter}={long}")).await;
        assert_eq!(response.status, 422, "{parameter}");
        assert_eq!(super::wrong(&response.body), [("query".into(), Some(parameter.into()))]);
        assert!(!response.body.to_string().contains(&long), "{parameter} is repeated");
    }
}
