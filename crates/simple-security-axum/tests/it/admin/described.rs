//! What `openapi` says, as an app has it and as the routes do it.

use serde_json::Value;
use simple_security::{Cursor, PageRequest};
use simple_security_axum::openapi;
use simple_security_axum::utoipa::openapi::{Info, OpenApi, Paths};
use test_support::openapi::{file, operations};

/// The description of an app with the routes below `/auth`, as examples/axum.rs serves it.
fn described() -> Value {
    let app = OpenApi::new(Info::new("an app", "1"), Paths::new()).nest("/auth", openapi());
    serde_json::to_value(app).expect("JSON")
}

#[test]
fn each_operation_is_that_of_the_file() {
    let (found, expected) = (operations(&described(), "/auth"), operations(&file(), ""));
    assert_eq!(expected.len(), 7);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, operation) in &expected {
        assert_eq!(&found[name], operation, "{name}");
    }
}

#[test]
fn every_operation_requires_the_secret() {
    let document = described();
    let scheme = &document["components"]["securitySchemes"]["Secret header"];
    assert_eq!(scheme, &file()["components"]["securitySchemes"]["Secret header"]);
    assert_eq!((&scheme["type"], &scheme["in"]), (&"apiKey".into(), &"header".into()));
    assert_eq!(scheme["name"], "secret-key");
    for (name, operation) in operations(&document, "/auth") {
        assert_eq!(operation["security"], serde_json::json!([{"Secret header": []}]), "{name}");
    }
    assert!(document.get("security").is_none(), "the app's own routes need no admin secret");
}

/// Texts and numbers that the description repeats, because attributes cannot name constants.
#[test]
fn the_limits_are_those_of_the_engine() {
    let operations = operations(&described(), "/auth");
    for name in ["post /keys", "patch /keys/{id}", "post /keys/{id}/renew"] {
        let schema = &operations[name]["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(schema["additionalProperties"], false, "{name}");
    }
    let parameters = operations["get /keys"]["parameters"].as_array().expect("a list");
    let schema = |name: &str| {
        let parameter = parameters.iter().find(|parameter| parameter["name"] == name);
        &parameter.unwrap_or_else(|| panic!("no {name}"))["schema"]
    };
    assert_eq!(schema("cursor")["pattern"], Cursor::PATTERN);
    let limit = schema("limit");
    assert_eq!(limit["minimum"], 1);
    assert_eq!(limit["maximum"], PageRequest::MAX_LIMIT);
    assert_eq!(limit["default"], PageRequest::DEFAULT_LIMIT);
}
