//! Operations of an OpenAPI document, to compare them with those of another one.

use std::collections::BTreeMap;

use serde_json::Value;

const METHODS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

/// Returns all operations by method and path, each with what its references refer to. The paths are
/// without this prefix, which every one of them must have.
pub fn operations(document: &Value, prefix: &str) -> BTreeMap<String, Value> {
    let mut operations = BTreeMap::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let path = path.strip_prefix(prefix).unwrap_or_else(|| panic!("{path}: another prefix"));
        for (method, operation) in item.as_object().expect("an object") {
            // Such as parameters of all operations of a path: then they must be part of each.
            assert!(METHODS.contains(&method.as_str()), "{path} has {method}");
            operations.insert(format!("{method} {path}"), resolved(document, operation));
        }
    }
    operations
}

/// Returns `docs/openapi.json`.
pub fn file() -> Value {
    let text = include_str!("../../../docs/openapi.json");
    serde_json::from_str(text).expect("JSON")
}

fn resolved(document: &Value, part: &Value) -> Value {
    match part {
        Value::Array(items) => items.iter().map(|item| resolved(document, item)).collect(),
        Value::Object(members) => match members.get("$ref") {
            Some(reference) => {
                let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
                let target = pointer.and_then(|pointer| document.pointer(pointer));
                resolved(document, target.unwrap_or_else(|| panic!("{reference}: not there")))
            }
            None => members
                .iter()
                .map(|(name, member)| (name.clone(), resolved(document, member)))
                .collect(),
        },
        _ => part.clone(),
    }
}
