//! `docs/openapi.json` is what the routes generate.

const FILE: &str = include_str!("../../../docs/openapi.json");

#[test]
fn the_file_is_the_document_of_the_routes() {
    let document = simple_security_admin::openapi().to_pretty_json().expect("JSON");
    assert!(document.trim() == FILE.trim(), "run `make docs` to update it");
}

/// FastAPI makes a route of each operation.
#[test]
fn every_operation_has_what_the_adapters_need() {
    let document = serde_json::to_value(simple_security_admin::openapi()).expect("JSON");
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let name = format!("{method} {path}");
            assert!(operation["operationId"].is_string(), "{name}");
            assert!(operation["summary"].is_string(), "{name}");
            assert_eq!(operation["security"], serde_json::json!([{"Secret header": []}]), "{name}");
            let responses = operation["responses"].as_object().expect("responses");
            let successes = responses.keys().filter(|status| status.starts_with('2')).count();
            assert_eq!(successes, 1, "{name}");
            assert_eq!(responses.keys().min().map(|status| &status[..1]), Some("2"), "{name}");
        }
    }
}
