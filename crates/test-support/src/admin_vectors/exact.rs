//! The exact responses: `tests/vectors/admin_responses.json`.

use std::collections::BTreeMap;
use std::fs;

use regex::{Captures, Regex};
use serde_json::{Value, json};
use simple_security::Timestamp;

use super::file::{path_of, read, text_of};
use super::response::Response;

const FILE: &str = "admin_responses.json";

/// The variable that makes [`Responses::check_or_write`] write the file.
const WRITE: &str = "SIMPLE_SECURITY_WRITE_VECTORS";

/// The headers that are the router's own, and no server's.
const HEADERS: [&str; 6] =
    ["allow", "cache-control", "content-type", "location", "retry-after", "www-authenticate"];

/// How far from the first key's `created_at` a time is one of the run, in days. The dates that the steps
/// send are further away.
const RUN: i64 = 30;

/// The responses of all steps, without what differs from run to run.
#[derive(Default)]
pub struct Responses(Vec<(String, Value)>);

impl Responses {
    /// Compares them with the file.
    ///
    /// # Panics
    /// A response differs by a byte, or a step is in one of them only.
    pub fn check(&self) {
        let file = read(FILE);
        for (name, response) in &self.0 {
            let expected = file.get(name);
            let expected = expected.unwrap_or_else(|| panic!("{name}: not in the file; {WRITE}=1"));
            assert_eq!(response, expected, "{name}");
        }
        let steps = file.as_object().expect("an object").len();
        assert_eq!(steps, self.0.len(), "the file has steps that are no longer there; {WRITE}=1");
    }

    /// The same; but first writes the file, if the environment asks for it. Only for one adapter: the
    /// others then compare themselves with it.
    pub fn check_or_write(&self) {
        #[allow(clippy::disallowed_methods, reason = "a setting of the tests")]
        let write = std::env::var(WRITE);
        if write.is_ok_and(|write| write == "1") {
            fs::write(path_of(FILE), self.lines()).expect("written");
        }
        self.check();
    }

    /// # Panics
    /// There is a step of this name already.
    pub(super) fn push(&mut self, name: String, response: Value) {
        assert!(
            self.0.iter().all(|(pushed, _)| *pushed != name),
            "two steps with one name: {name}"
        );
        self.0.push((name, response));
    }

    /// One line a step, in their order, so that a change of one is a change of one line.
    fn lines(&self) -> String {
        let lines = self.0.iter().map(|(name, response)| {
            let [status, headers, body] = ["status", "headers", "body"].map(|part| &response[part]);
            let name = json!(name);
            format!(r#"  {name}: {{"status": {status}, "headers": {headers}, "body": {body}}}"#)
        });
        format!("{{\n{}\n}}\n", lines.collect::<Vec<_>>().join(",\n"))
    }
}

/// Replaces what differs from run to run, by what `tests/vectors/README.md` says.
pub(super) struct Normalizer {
    /// The ids of issued keys, and what replaces them.
    ids: BTreeMap<String, String>,
    /// When the first key was issued, in seconds.
    start: Option<i64>,
    key: Regex,
    next: Regex,
    time: Regex,
}

impl Default for Normalizer {
    fn default() -> Self {
        let regex = |pattern: &str| Regex::new(pattern).expect("a regular expression");
        Self {
            ids: BTreeMap::new(),
            start: None,
            key: regex(r#""fss_[0-9A-Za-z]{11}_[0-9A-Za-z]{39}""#),
            next: regex(r#""next":"-?[0-9]{1,12}\.[0-9A-Za-z]{11}""#),
            time: regex(r#""(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{3})?Z""#),
        }
    }
}

impl Normalizer {
    /// Takes note of an issued key, and of the name under which its id is saved.
    pub(super) fn learn(&mut self, response: &Response, id: &str, saved: Option<&str>) {
        self.ids.insert(id.to_owned(), format!("<{}>", saved.unwrap_or("id")));
        let body: Value = serde_json::from_str(&response.body).expect("JSON");
        let created_at: Timestamp = text_of(&body["created_at"]).parse().expect("a time");
        self.start.get_or_insert(created_at.seconds());
    }

    pub(super) fn normalize(&self, response: &Response) -> Value {
        let headers: BTreeMap<_, _> = HEADERS
            .into_iter()
            .filter_map(|name| Some((name, self.without_ids(&response.header(name)?))))
            .collect();
        let body = self.key.replace_all(&response.body, r#""<key>""#);
        let body = self.next.replace_all(&body, r#""next":"<next>""#);
        let body = self.time.replace_all(&body, |found: &Captures<'_>| self.time(found));
        let body = self.without_ids(&body);
        json!({"status": response.status, "headers": headers, "body": body})
    }

    fn without_ids(&self, text: &str) -> String {
        self.ids.iter().fold(text.to_owned(), |text, (id, name)| text.replace(id, name))
    }

    /// A time of the run: in whole days from its start. A date that a request has set stays.
    fn time(&self, found: &Captures<'_>) -> String {
        let time: Timestamp = format!("{}Z", &found[1]).parse().expect("a time");
        let days = self.start.map(|start| (time.seconds() - start + 43_200).div_euclid(86_400));
        let fraction = if found.get(2).is_some() { ".mmm" } else { "" };
        match days {
            Some(0) => format!("\"<now{fraction}>\""),
            Some(days) if days.abs() <= RUN => format!("\"<now{days:+}d{fraction}>\""),
            _ => found[0].to_owned(),
        }
    }
}
