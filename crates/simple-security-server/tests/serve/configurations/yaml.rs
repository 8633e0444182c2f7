//! YAML, as the values of JSON.

use saphyr::{LoadableYamlNode as _, Yaml};
use serde_json::{Map, Value};

/// The only document of a text.
pub(super) fn read(text: &str) -> Value {
    let documents = Yaml::load_from_str(text).expect("YAML");
    assert_eq!(documents.len(), 1);
    value(&documents[0])
}

fn value(yaml: &Yaml<'_>) -> Value {
    if let Some(list) = yaml.as_sequence() {
        return list.iter().map(value).collect();
    }
    if let Some(pairs) = yaml.as_mapping() {
        let pair = |(name, inner): (&Yaml<'_>, _)| (text(name), value(inner));
        return Value::Object(pairs.iter().map(pair).collect::<Map<String, Value>>());
    }
    if let Some(text) = yaml.as_str() {
        return text.into();
    }
    // Numbers and the like decide nothing here.
    yaml.as_bool().map_or(Value::Null, Value::from)
}

fn text(name: &Yaml<'_>) -> String {
    name.as_str().expect("a name of text").to_owned()
}

/// The texts of a list; empty where there is none.
pub(super) fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
