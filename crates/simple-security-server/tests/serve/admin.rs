//! The routes of the administrator, by the steps that all faces share. What is in the answers, the
//! tests of the routes themselves look at.

use std::collections::HashMap;

use serde_json::Value;

use crate::{Desk, SECRET};

#[test]
fn each_step_is_answered_as_all_faces_do() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let file: Value = serde_json::from_str(include_str!("../../../../tests/vectors/admin.json"))
        .expect("the file");
    let unknown = ("unknown".to_owned(), "00000000000".to_owned());
    let mut saved = HashMap::from([unknown, ("secret".to_owned(), SECRET.replace(' ', "+"))]);
    for step in file["steps"].as_array().expect("a list") {
        let name = text(&step["step"]);
        let query = step.get("query").map(|query| format!("?{}", fill(&text(query), &saved)));
        let path = fill(&text(&step["path"]), &saved) + &query.unwrap_or_default();
        let mut headers =
            match step.get("secret").map_or("good", |kind| kind.as_str().expect("a text")) {
                "good" => vec![format!("secret-key: {SECRET}")],
                "wrong" => vec![format!("secret-key: {SECRET}x")],
                "empty" => vec!["secret-key:".to_owned()],
                "none" => vec![],
                "twice" => vec![format!("secret-key: {SECRET}"); 2],
                other => panic!("{other}"),
            };
        let body = match (step.get("raw"), step.get("body")) {
            (Some(raw), _) => Some(text(raw)),
            (None, body) => body.map(Value::to_string),
        };
        let padded = |length| format!("{{}}{}", " ".repeat(length as usize - 2));
        let body = body.or_else(|| step.get("padded").and_then(Value::as_u64).map(padded));
        match step.get("content_type") {
            Some(Value::Null) => {}
            Some(kind) => headers.push(format!("content-type: {}", text(kind))),
            None if body.is_some() => headers.push("content-type: application/json".to_owned()),
            None => {}
        }
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let method = text(&step["method"]);
        if method == "HEAD" {
            continue;
        }
        let answer =
            server.ask(&method, &format!("/auth{path}"), &headers, &body.unwrap_or_default());
        assert_eq!(answer.status, step["status"], "{name}: {answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{name}");
        let value: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if let Some(code) = step.get("code") {
            assert_eq!(&value["code"], code, "{name}");
        }
        if let Some(place) = step.get("save") {
            saved.insert(text(place), text(&value["id"]));
        }
    }
    server.stop();
}

fn fill(text: &str, saved: &HashMap<String, String>) -> String {
    saved
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
