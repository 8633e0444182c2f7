//! What is read from the query, beyond the steps that every adapter shares.

use http::Method;
use serde_json::json;

use super::{app, get, issue, post, request_with, send, text, wrong};
use crate::Engine;

#[tokio::test]
async fn all_that_is_wrong_is_named_at_once() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let answer = get(&app, "/keys?limit=x&cursor=&state=Active&sate=x&sate=x&name=a&name=a").await;
    let named = ["cursor", "limit", "name", "sate", "state"];
    assert_eq!(wrong(&answer.body), named.map(|name| ("query".into(), Some(name.into()))));
    assert_eq!((answer.status.as_u16(), answer.code()), (422, Some("invalid")));
}

#[tokio::test]
async fn values_are_read_as_a_form_is_encoded() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    for name in ["a b+c&d=é%", "plain", ""] {
        assert_eq!(post(&app, "/keys", json!({"name": name})).await.status, 201);
    }
    for (query, names) in [
        ("name=a+b%2Bc%26d%3D%C3%A9%25", vec!["a b+c&d=é%"]),
        ("n%61me=plai", vec!["plain"]),
        ("&&name=plain&", vec!["plain"]),
        ("name=PLAIN", vec![]),
        ("name=%FF", vec![]),
        ("limit=1000&name=b", vec!["a b+c&d=é%"]),
        ("state=revoked", vec![]),
    ] {
        let answer = get(&app, &format!("/keys?{query}")).await;
        let found = answer.body["keys"].as_array().expect("a list").iter();
        assert_eq!(found.map(|key| text(&key["name"])).collect::<Vec<_>>(), names, "{query}");
    }
    for nothing in ["", "?", "?name="] {
        let answer = get(&app, &format!("/keys{nothing}")).await;
        assert_eq!(answer.body["keys"].as_array().map(Vec::len), Some(3), "{nothing}");
    }
}

#[tokio::test]
async fn a_limit_is_a_plain_number() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    for limit in ["+5%20", "5.0", "5_0", "0x5", "%20", "5,", "4294967297", "٥"] {
        let limit: String = form_urlencoded::byte_serialize(limit.as_bytes()).collect();
        let answer = get(&app, &format!("/keys?limit={limit}")).await;
        assert_eq!(wrong(&answer.body), [("query".into(), Some("limit".into()))], "{limit}");
    }
    for limit in [1, 100, 1000] {
        assert_eq!(get(&app, &format!("/keys?limit={limit}")).await.status, 200);
    }
}

#[tokio::test]
async fn the_other_routes_refuse_what_they_do_not_know_and_change_nothing_then() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let (id, _) = issue(&app).await;
    let path = format!("/keys/{id}");
    let before = get(&app, "/keys").await.body;
    for (method, path, body) in [
        (Method::POST, "/keys".to_owned(), ""),
        (Method::GET, path.clone(), ""),
        (Method::PATCH, path.clone(), r#"{"name": "x"}"#),
        (Method::DELETE, path.clone(), ""),
        (Method::POST, format!("{path}/revoke"), ""),
        (Method::POST, format!("{path}/renew"), ""),
    ] {
        let sent = request_with(method.clone(), &format!("{path}?dry-run=true"), body);
        let answer = send(&app, sent).await;
        let expected = [("query".to_owned(), Some("dry-run".to_owned()))];
        assert_eq!(wrong(&answer.body), expected, "{method} {path}");
    }
    assert_eq!(get(&app, "/keys").await.body, before);
}
