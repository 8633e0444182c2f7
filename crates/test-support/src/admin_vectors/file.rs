//! The files of `tests/vectors`, and the texts in them.

use std::collections::HashMap;
use std::fs;

use serde_json::Value;

pub(super) fn path_of(file: &str) -> String {
    format!("{}/../../tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn read(file: &str) -> Value {
    let path = path_of(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Replaces each `{name}` by its value. Objects in JSON have braces too.
pub(super) fn fill(text: &str, values: &HashMap<String, String>) -> String {
    values
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

pub(super) fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
