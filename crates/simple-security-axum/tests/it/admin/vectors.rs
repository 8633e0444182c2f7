//! The steps that every face shares: `tests/vectors/admin.json`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request};
use serde_json::Value;
use simple_security::store::{KeyStore, MemoryStore, SqliteStore};

use super::{SECRET, app, header, read_json, send, text, wrong};
use crate::{Answer, Engine};

#[tokio::test]
async fn on_a_store_in_memory() {
    run_all(Arc::new(MemoryStore::new().expect("random bytes"))).await;
}

#[tokio::test]
async fn on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    run_all(Arc::new(SqliteStore::open(&folder.path().join("keys.db")).expect("a store"))).await;
}

async fn run_all(store: Arc<dyn KeyStore>) {
    let file = read_json("tests/vectors/admin.json");
    let steps = file["steps"].as_array().expect("a list");
    assert!(steps.len() > 100);
    // The settings have the days from which some steps count, and no step waits.
    let engine = Engine::on(store);
    let app = app(&engine.keys);
    let mut saved = HashMap::from([
        ("unknown".to_owned(), "00000000000".to_owned()),
        ("secret".to_owned(), SECRET.replace(' ', "+")),
    ]);
    for step in steps {
        run(&app, step, &file["problems"], &mut saved).await;
    }
}

async fn run(app: &Router, step: &Value, problems: &Value, saved: &mut HashMap<String, String>) {
    let name = text(&step["step"]);
    let answer = send(app, request(step, saved)).await;
    assert_eq!(answer.status.as_u16(), step["status"], "{name}: {answer:?}");
    assert_eq!(header(&answer.headers, "cache-control"), Some("no-store"), "{name}");
    match step.get("code") {
        Some(code) => check_problem(&name, step, &problems[text(code)], &answer),
        None => {
            let media_type = header(&answer.headers, "content-type");
            assert_eq!(media_type, Some("application/json"), "{name}");
        }
    }
    if let Some(expected) = step.get("answer") {
        let expected = fill(&expected.to_string(), saved);
        check_part(&name, &answer.body, &serde_json::from_str(&expected).expect("JSON"));
    }
    let is_change = answer.status.is_success() && step["method"] != "GET";
    assert_eq!(answer.body.get("effective_by").is_some_and(is_moment), is_change, "{name}");
    if answer.status == 201 {
        let location = format!("keys/{}", text(&answer.body["id"]));
        assert_eq!(header(&answer.headers, "location"), Some(location.as_str()), "{name}");
        let has_own_key = step["body"]["key"].is_string();
        assert_eq!(answer.body["key"].is_string(), !has_own_key, "{name}");
    } else {
        assert!(answer.body.get("key").is_none(), "{name}");
    }
    if let Some(place) = step.get("save") {
        saved.insert(text(place), text(&answer.body["id"]));
    }
}

fn request(step: &Value, saved: &HashMap<String, String>) -> Request<Body> {
    let query = step.get("query").map(|query| format!("?{}", fill(&text(query), saved)));
    let path = fill(&text(&step["path"]), saved);
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::from_bytes(text(&step["method"]).as_bytes()).expect("a method");
    *request.uri_mut() =
        format!("/auth{path}{}", query.unwrap_or_default()).parse().expect("a URI");
    let secrets: &[&str] =
        match step.get("secret").map_or("good", |kind| kind.as_str().expect("a text")) {
            "good" => &[SECRET],
            "wrong" => &["a wrong secret"],
            "empty" => &[""],
            "none" => &[],
            "twice" => &[SECRET, SECRET],
            other => panic!("no kind of secret: {other}"),
        };
    for secret in secrets {
        request.headers_mut().append("secret-key", HeaderValue::from_static(secret));
    }
    let padded = step.get("padded").and_then(Value::as_u64).map(padded);
    let body = match (padded.as_deref(), step.get("raw"), step.get("body")) {
        (Some(padded), _, _) => padded.to_owned(),
        (_, Some(raw), _) => text(raw),
        (_, _, Some(body)) => body.to_string(),
        _ => return request,
    };
    let media_type = match step.get("content_type") {
        None => Some("application/json".to_owned()),
        Some(Value::Null) => None,
        Some(media_type) => Some(text(media_type)),
    };
    if let Some(media_type) = media_type {
        request.headers_mut().insert(CONTENT_TYPE, media_type.parse().expect("a value"));
    }
    *request.body_mut() = Body::from(body);
    request
}

fn check_problem(name: &str, step: &Value, expected: &Value, answer: &Answer) {
    assert!(expected.is_object(), "{name}: no such problem");
    assert_eq!(answer.status.as_u16(), expected["status"], "{name}");
    let challenge = expected["challenge"].as_str();
    assert_eq!(header(&answer.headers, "www-authenticate"), challenge, "{name}");
    assert_eq!(header(&answer.headers, "content-type"), Some("application/problem+json"), "{name}");
    if let Some(methods) = step.get("allow") {
        assert_eq!(header(&answer.headers, "allow"), methods.as_str(), "{name}");
    }
    if step["method"] == "HEAD" {
        assert!(answer.body.is_null(), "{name}");
        return;
    }
    let body = &answer.body;
    assert_eq!(body["type"], "about:blank", "{name}");
    assert_eq!(body["title"], expected["title"], "{name}");
    assert_eq!(body["status"], expected["status"], "{name}");
    assert_eq!(body["code"], step["code"], "{name}");
    match step.get("detail").unwrap_or(&expected["detail"]) {
        Value::Null => assert!(!text(&body["detail"]).is_empty(), "{name}"),
        detail => assert_eq!(&body["detail"], detail, "{name}"),
    }
    assert_eq!(body.get("errors").is_some(), step["code"] == "invalid", "{name}");
    if let Some(errors) = step.get("errors") {
        let pair = |pair: &Value| (text(&pair[0]), pair[1].as_str().map(str::to_owned));
        let mut expected: Vec<_> = errors.as_array().expect("a list").iter().map(pair).collect();
        expected.sort();
        assert_eq!(wrong(body), expected, "{name}: {body}");
    }
}

/// An empty object with spaces after it, of this length.
fn padded(length: u64) -> String {
    format!("{{}}{}", " ".repeat(length as usize - 2))
}

/// Such as `2030-01-31T12:00:00.250Z`.
fn is_moment(value: &Value) -> bool {
    let text = text(value);
    let parts = text.strip_suffix('Z').and_then(|text| text.split_once('.'));
    let is_thousandth = |rest: &str| rest.len() == 3 && rest.parse::<u16>().is_ok();
    text.parse::<simple_security::Timestamp>().is_ok()
        && parts.is_some_and(|it| is_thousandth(it.1))
}

/// What is expected is there; an object may have more.
fn check_part(name: &str, found: &Value, expected: &Value) {
    match expected {
        Value::Object(members) => {
            for (member, expected) in members {
                let found = found.get(member).unwrap_or_else(|| panic!("{name}: no {member}"));
                check_part(&format!("{name}, {member}"), found, expected);
            }
        }
        Value::Array(items) => {
            let found = found.as_array().expect("a list");
            assert_eq!(found.len(), items.len(), "{name}: {found:?}");
            found.iter().zip(items).for_each(|(found, item)| check_part(name, found, item));
        }
        _ => assert_eq!(found, expected, "{name}"),
    }
}

/// Puts what is known in the place of `{name}`. Objects in JSON have braces too.
fn fill(text: &str, saved: &HashMap<String, String>) -> String {
    saved
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}
