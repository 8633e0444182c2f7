//! A plain key leaves once, in the answer that has made it.

use std::fmt::Write as _;

use http::Method;
use serde_json::json;
use simple_security::clock::{Clock as _, SystemClock};
use test_support::Log;

use super::{SECRET, app, get, post, request, request_with, send, text};
use crate::Engine;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn nothing_else_shows_a_key_or_the_secret() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let engine = Engine::new();
    let app = app(&engine.keys);
    let own = "canary-0123456789-of-somebodys-own-0123456789";
    let mut said = String::new();

    let issued = post(&app, "/keys", json!({"name": "shop"})).await;
    let (id, key) = (text(&issued.body["id"]), text(&issued.body["key"]));
    let mut headers = issued.headers.clone();
    headers.remove("content-length");
    write!(said, "{headers:?} {app:?}").expect("a text");
    let path = format!("/keys/{id}");
    let requests = [
        request_with(Method::POST, "/keys", json!({"key": own}).to_string()),
        request_with(Method::POST, "/keys", json!({"key": own}).to_string()),
        request_with(Method::POST, "/keys", json!({"key": key}).to_string()),
        request_with(Method::POST, "/keys", json!({"key": format!("{own} ")}).to_string()),
        request_with(Method::POST, "/keys", json!({"key": [key]}).to_string()),
        request_with(Method::POST, "/keys", json!({"name": 5, "key": own}).to_string()),
        request_with(Method::POST, "/keys", json!(own).to_string()),
        request_with(Method::POST, "/keys", format!("{{\"key\": \"{own}\"")),
        request_with(Method::POST, "/keys", own),
        request_with(Method::PATCH, &path, json!({"key": key}).to_string()),
        request(Method::GET, &format!("/keys/{key}")),
        request(Method::GET, &format!("/keys?state={key}")),
        request(Method::GET, &format!("/keys?limit={key}&cursor={key}")),
        request(Method::GET, &format!("/keys?secret-key={}", SECRET.replace(' ', "+"))),
        request(Method::GET, &path),
        request(Method::GET, "/keys"),
        request(Method::POST, &format!("{path}/revoke")),
        request(Method::POST, &format!("{path}/renew")),
        request(Method::PUT, &path),
        request_with(Method::PATCH, &path, json!({"name": "another"}).to_string()),
    ];
    for sent in requests {
        let name = format!("{} {}", sent.method(), sent.uri().path());
        let answer = send(&app, sent).await;
        writeln!(said, "{} {:?} {}", answer.status, answer.headers, answer.body).expect(&name);
    }
    engine.keys.verify(key.as_bytes()).await.expect("a good key");
    assert_eq!(send(&app, request(Method::DELETE, &path)).await.status, 200);
    // Another test may have logged a line within the last second, which suppresses this one.
    let began = SystemClock.uptime().nanoseconds();
    let seconds = || (SystemClock.uptime().nanoseconds() - began) / 1_000_000_000;
    let warned = || {
        let logged = log.text();
        logged.matches(" admin secret (requests ").count() as u64
    };
    let mut number = 0;
    while number < 300 || (warned() == 0 && seconds() < 30) {
        let mut sent = request(Method::GET, "/keys");
        let guess = format!("canary-of-a-guess-{number}");
        sent.headers_mut().insert("secret-key", guess.parse().expect("a value"));
        assert_eq!(send(&app, sent).await.status, 401);
        number += 1;
    }
    let lines = warned();
    assert!((1..=seconds() + 2).contains(&lines), "{lines} lines for {number} requests");
    engine.store.down.store(true, Ordering::SeqCst);
    for sent in [
        request_with(Method::POST, "/keys", json!({"key": format!("{own}x")}).to_string()),
        request(Method::POST, "/keys"),
        request(Method::GET, &path),
    ] {
        let answer = send(&app, sent).await;
        assert_eq!(answer.status, 503);
        writeln!(said, "{} {:?} {}", answer.status, answer.headers, answer.body).expect("a text");
    }
    engine.store.down.store(false, Ordering::SeqCst);
    assert_eq!(get(&app, "/keys").await.status, 200);

    let logged = log.text();
    assert!(logged.contains("the keys could not be read or written"), "{logged}");
    assert!(logged.contains("out of order"), "the log has the cause");
    for (verb, key) in [
        ("issued", id.as_str()),
        ("imported", ""),
        ("edited", &id),
        ("revoked", &id),
        ("renewed", &id),
        ("deleted", &id),
    ] {
        let line = format!(" INFO simple_security_admin::keys: {verb} key {key}");
        assert!(logged.contains(&line), "{line} in {logged}");
    }
    for secret in [&key[key.len() - 20..], &own[7..27], &SECRET[9..]] {
        assert!(!said.contains(secret), "an answer shows {secret}");
        assert!(!logged.contains(secret), "the log shows {secret}");
    }
    assert!(!logged.contains("canary"), "{logged}");
}
