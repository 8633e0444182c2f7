//! The owner of a key: in bodies, in answers, in the query.

use axum::Router;
use http::Method;
use serde_json::{Value, json};

use super::{app, get, post, request_with, send, text, wrong};
use crate::{Answer, Engine};

async fn patch(app: &Router, id: &str, body: Value) -> Answer {
    send(app, request_with(Method::PATCH, &format!("/keys/{id}"), body.to_string())).await
}

#[tokio::test]
async fn an_owner_is_set_changed_and_cleared() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    for (body, owner) in [
        (json!({}), ""),
        (json!({"owner": null}), ""),
        (json!({"owner": ""}), ""),
        (json!({"owner": "acme"}), "acme"),
        (json!({"owner": "<script>'\"&</script>"}), "<script>'\"&</script>"),
        (json!({"owner": "é".repeat(200)}), &"é".repeat(200)),
        (json!({"owner": "acme", "key": "an-imported-key-of-32-characters"}), "acme"),
    ] {
        let made = post(&app, "/keys", body.clone()).await;
        assert_eq!((made.status.as_u16(), &made.body["owner"]), (201, &json!(owner)), "{body}");
        let shown = get(&app, &format!("/keys/{}", text(&made.body["id"]))).await;
        assert_eq!(shown.body["owner"], owner);
    }
    let made = post(&app, "/keys", json!({"name": "shop", "owner": "acme"})).await;
    let id = text(&made.body["id"]);
    for (body, owner) in [
        (json!({"name": "kiosk"}), "acme"),
        (json!({}), "acme"),
        (json!({"owner": "globex"}), "globex"),
        (json!({"owner": null}), ""),
        (json!({"owner": "acme"}), "acme"),
        (json!({"owner": ""}), ""),
    ] {
        let edited = patch(&app, &id, body.clone()).await;
        assert_eq!((edited.status.as_u16(), &edited.body["owner"]), (200, &json!(owner)), "{body}");
        assert_eq!(edited.body["name"], "kiosk");
    }
    for verb in ["revoke", "renew"] {
        let changed = post(&app, &format!("/keys/{id}/{verb}"), json!({})).await;
        assert_eq!(changed.body["owner"], "");
    }
}

#[tokio::test]
async fn a_page_has_the_keys_of_one_owner() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    for (name, owner) in
        [("1", "acme"), ("2", "Acme"), ("3", ""), ("4", "a b+c&d=é%"), ("5", "acme")]
    {
        let body = json!({"name": name, "owner": owner});
        assert_eq!(post(&app, "/keys", body).await.status, 201);
    }
    for (query, names) in [
        ("owner=acme", &["1", "5"][..]),
        ("owner=Acme", &["2"]),
        ("owner=acm", &[]),
        ("owner=", &["3"]),
        ("owner=a+b%2Bc%26d%3D%C3%A9%25", &["4"]),
        ("owner=acme&name=5", &["5"]),
        ("owner=acme&state=revoked", &[]),
        ("name=", &["1", "2", "3", "4", "5"]),
    ] {
        let answer = get(&app, &format!("/keys?{query}")).await;
        let found = answer.body["keys"].as_array().expect("a list").iter();
        let mut found: Vec<_> = found.map(|key| text(&key["name"])).collect();
        found.sort();
        assert_eq!(found, names, "{query}");
    }
}

#[tokio::test]
async fn a_wrong_owner_is_named_and_changes_nothing() {
    let engine = Engine::new();
    let app = app(&engine.keys);
    let id = text(&post(&app, "/keys", json!({"owner": "acme"})).await.body["id"]);
    let before = get(&app, "/keys").await.body;
    for owner in ["é".repeat(201), "a\n".into(), "a\0".into(), "a\u{7f}".into(), "a\u{202e}".into()]
    {
        let owner = json!(owner);
        let sent: String =
            form_urlencoded::byte_serialize(owner.as_str().expect("a text").as_bytes()).collect();
        for (answer, location) in [
            (post(&app, "/keys", json!({"owner": owner})).await, "body"),
            (patch(&app, &id, json!({"owner": owner})).await, "body"),
            (get(&app, &format!("/keys?owner={sent}")).await, "query"),
        ] {
            assert_eq!((answer.status.as_u16(), answer.code()), (422, Some("invalid")));
            assert_eq!(wrong(&answer.body), [(location.to_owned(), Some("owner".to_owned()))]);
            let detail = answer.body["detail"].as_str().expect("a text");
            assert!(detail.starts_with("owner: an owner "), "{detail}");
        }
    }
    for owner in [json!(5), json!(true), json!(["acme"]), json!({"id": 1})] {
        for answer in [
            post(&app, "/keys", json!({"owner": owner})).await,
            patch(&app, &id, json!({"owner": owner})).await,
        ] {
            assert_eq!(answer.status, 422);
            assert_eq!(answer.body["detail"], "owner: an owner is a text");
        }
    }
    let twice = get(&app, "/keys?owner=a&owner=a").await;
    assert_eq!(wrong(&twice.body), [("query".to_owned(), Some("owner".to_owned()))]);
    let renewed = post(&app, &format!("/keys/{id}/renew"), json!({"owner": "globex"})).await;
    assert_eq!(wrong(&renewed.body), [("body".to_owned(), Some("owner".to_owned()))]);
    assert_eq!(get(&app, "/keys").await.body, before);
}
