//! What a step itself says about its response.

use std::collections::HashMap;

use serde_json::Value;
use simple_security::Timestamp;

use super::file::{fill, text_of};
use super::response::Response;

pub(super) fn check(
    name: &str,
    step: &Value,
    problems: &Value,
    values: &HashMap<String, String>,
    response: &Response,
) {
    assert_eq!(response.status, step["status"], "{name}: {response:?}");
    assert_eq!(response.header("cache-control").as_deref(), Some("no-store"), "{name}");
    let body = match response.body.as_str() {
        "" => Value::Null,
        body => serde_json::from_str(body).unwrap_or_else(|error| panic!("{name}: {error}")),
    };
    match step.get("code") {
        Some(code) => check_problem(name, step, &problems[text_of(code)], response, &body),
        None => {
            let media_type = response.header("content-type");
            assert_eq!(media_type.as_deref(), Some("application/json"), "{name}");
        }
    }
    if let Some(expected) = step.get("answer") {
        let expected = fill(&expected.to_string(), values);
        check_part(name, &body, &serde_json::from_str(&expected).expect("JSON"));
    }
    let is_change = response.status < 300 && step["method"] != "GET";
    assert_eq!(body.get("effective_by").is_some_and(is_moment), is_change, "{name}");
    if response.status == 201 {
        let location = format!("keys/{}", text_of(&body["id"]));
        assert_eq!(response.header("location"), Some(location), "{name}");
        let is_import = step["body"]["key"].is_string();
        assert_eq!(body["key"].is_string(), !is_import, "{name}");
    } else {
        assert!(body.get("key").is_none(), "{name}");
    }
}

fn check_problem(name: &str, step: &Value, expected: &Value, response: &Response, body: &Value) {
    assert!(expected.is_object(), "{name}: no such problem");
    assert_eq!(response.status, expected["status"], "{name}");
    let challenge = response.header("www-authenticate");
    assert_eq!(challenge.as_deref(), expected["challenge"].as_str(), "{name}");
    let media_type = response.header("content-type");
    assert_eq!(media_type.as_deref(), Some("application/problem+json"), "{name}");
    assert_eq!(response.header("allow").as_deref(), step["allow"].as_str(), "{name}");
    if step["method"] == "HEAD" {
        assert!(body.is_null(), "{name}");
        return;
    }
    assert_eq!(body["type"], "about:blank", "{name}");
    assert_eq!(body["title"], expected["title"], "{name}");
    assert_eq!(body["status"], expected["status"], "{name}");
    assert_eq!(body["code"], step["code"], "{name}");
    match step.get("detail").unwrap_or(&expected["detail"]) {
        Value::Null => assert!(!text_of(&body["detail"]).is_empty(), "{name}"),
        detail => assert_eq!(&body["detail"], detail, "{name}"),
    }
    assert_eq!(body.get("errors").is_some(), step["code"] == "invalid", "{name}");
    if let Some(errors) = step.get("errors") {
        let pairs = |errors: &Value, location: &str, name: &str| {
            let pair = |error: &Value| (error[location].to_string(), error[name].to_string());
            let mut pairs: Vec<_> = errors.as_array().expect("a list").iter().map(pair).collect();
            pairs.sort();
            pairs
        };
        let named = |pair: &Value| serde_json::json!({"location": pair[0], "name": pair[1]});
        let expected = errors.as_array().expect("a list").iter().map(named).collect();
        let found = pairs(&body["errors"], "location", "name");
        assert_eq!(found, pairs(&expected, "location", "name"), "{name}: {body}");
        for error in body["errors"].as_array().expect("a list") {
            assert!(!text_of(&error["detail"]).is_empty(), "{name}");
        }
    }
}

/// Such as `2030-01-31T12:00:00.250Z`.
fn is_moment(value: &Value) -> bool {
    let text = text_of(value);
    let parts = text.strip_suffix('Z').and_then(|text| text.split_once('.'));
    let is_thousandth = |rest: &str| rest.len() == 3 && rest.parse::<u16>().is_ok();
    text.parse::<Timestamp>().is_ok() && parts.is_some_and(|it| is_thousandth(it.1))
}

/// Checks that what is expected is there; an object may have more.
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
