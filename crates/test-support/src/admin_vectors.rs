//! The requests of `tests/vectors/admin.json`, made through an adapter one after the other.

use std::collections::HashMap;

use serde_json::Value;

mod exact;
mod expected;
mod file;
mod request;
mod response;

pub use exact::Responses;
pub use request::Request;
pub use response::Response;

use exact::Normalizer;
use file::{read, text_of};

/// Makes each request and checks its response by what the step says. The store must be empty, and the
/// router below `/auth`.
///
/// Returns all responses: [`Responses::check`] compares them with those of every adapter.
pub async fn run(secret: &str, mut send: impl AsyncFnMut(Request) -> Response) -> Responses {
    let file = read("admin.json");
    let steps = file["steps"].as_array().expect("a list");
    assert!(steps.len() > 200);
    let mut values = HashMap::from([
        ("unknown".to_owned(), "00000000000".to_owned()),
        ("10kB".to_owned(), "x".repeat(10_000)),
        ("secret".to_owned(), secret.replace(' ', "+")),
    ]);
    let mut normalizer = Normalizer::default();
    let mut responses = Responses::default();
    for step in steps {
        let name = text_of(&step["step"]);
        let response = send(Request::of_step(step, secret, &values)).await;
        expected::check(&name, step, &file["problems"], &values, &response);
        let id = issued_id(&response);
        if let Some(id) = &id {
            normalizer.learn(&response, id, step["save"].as_str());
        }
        responses.push(name, normalizer.normalize(&response));
        if let Some(saved) = step["save"].as_str() {
            values.insert(saved.to_owned(), id.expect("an issued key"));
        }
    }
    responses
}

fn issued_id(response: &Response) -> Option<String> {
    let body: Value = serde_json::from_str(&response.body).ok()?;
    (response.status == 201).then(|| text_of(&body["id"]))
}
