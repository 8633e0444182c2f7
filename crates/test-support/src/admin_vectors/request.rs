//! The request of a step.

use std::collections::HashMap;

use serde_json::Value;

use super::file::{fill, text_of};

/// A request to be made.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path below `/auth`, with the query.
    pub target: String,
    /// All headers but `Host`, in small letters. They have the length of the body, or say that it is
    /// chunked.
    pub headers: Vec<(String, String)>,
    /// The body, without the encoding of [`Request::is_chunked`].
    pub body: Vec<u8>,
}

impl Request {
    /// Whether the body is sent in chunks, so that its length is not announced.
    pub fn is_chunked(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == "transfer-encoding")
    }

    pub(super) fn of_step(step: &Value, secret: &str, values: &HashMap<String, String>) -> Self {
        let query = step.get("query").map(|query| format!("?{}", fill(&text_of(query), values)));
        let path = fill(&text_of(&step["path"]), values);
        let body = body(step);
        let length = body.as_ref().map(Vec::len);
        let named = |name: &'static str| move |value: String| (name.to_owned(), value);
        let mut headers: Vec<_> =
            secrets(step, secret).into_iter().map(named("secret-key")).collect();
        headers.extend(media_types(step, length.is_some()).into_iter().map(named("content-type")));
        headers.extend(step["headers"].as_array().into_iter().flatten().map(pair));
        headers.extend(match (step["chunked"].as_bool(), length) {
            (Some(true), _) => Some(named("transfer-encoding")("chunked".to_owned())),
            (_, length) => length.map(|length| named("content-length")(length.to_string())),
        });
        Self {
            method: text_of(&step["method"]),
            target: format!("/auth{path}{}", query.unwrap_or_default()),
            headers,
            body: body.unwrap_or_default(),
        }
    }
}

fn secrets(step: &Value, secret: &str) -> Vec<String> {
    match step.get("secret").map_or("good", |kind| kind.as_str().expect("a text")) {
        "good" => vec![secret.to_owned()],
        "wrong" => vec!["a wrong secret".to_owned()],
        "empty" => vec![String::new()],
        "none" => vec![],
        "twice" => vec![secret.to_owned(); 2],
        other => panic!("no kind of secret: {other}"),
    }
}

fn media_types(step: &Value, has_body: bool) -> Vec<String> {
    match step.get("content_type") {
        None if has_body => vec!["application/json".to_owned()],
        None | Some(Value::Null) => vec![],
        Some(Value::Array(several)) => several.iter().map(text_of).collect(),
        Some(one) => vec![text_of(one)],
    }
}

fn body(step: &Value) -> Option<Vec<u8>> {
    let number = |name: &str| step.get(name).map(|number| number.as_u64().expect("a number"));
    if let Some(raw) = step.get("raw") {
        return Some(text_of(raw).into_bytes());
    }
    if let Some(digits) = step.get("hex") {
        return Some(bytes_of(&text_of(digits)));
    }
    if let Some(length) = number("padded") {
        return Some(format!("{{}}{}", " ".repeat(length as usize - 2)).into_bytes());
    }
    if let Some(depth) = number("nested") {
        let lists = ["[".repeat(depth as usize), "]".repeat(depth as usize)].concat();
        return Some(format!(r#"{{"name":{lists}}}"#).into_bytes());
    }
    step.get("body").map(|body| body.to_string().into_bytes())
}

fn bytes_of(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal digits")).collect()
}

fn pair(pair: &Value) -> (String, String) {
    (text_of(&pair[0]), text_of(&pair[1]))
}
