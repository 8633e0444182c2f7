//! The requests of `tests/vectors/requests.json` and `places.json`, with real keys instead of the
//! placeholders.

use std::collections::HashMap;
use std::fs;

use serde_json::Value;
use simple_security::store::{KeyImage, KeyStore, Operation};
use simple_security::{Actor, ApiKeys, Expiry, KeyDigest, KeyId, KeyRecord, NewKey, Timestamp};

/// A key of the old package.
const LEGACY: &str = "0b6c1b9e-52f7-4c1d-8a4e-6f9d3c2b1a07";
const LEGACY_ID: &str = "legacy00000";

/// The places of a key, as `places.json` names them.
const PLACES: [&str; 4] = ["query", "api-key", "x-api-key", "bearer"];

/// The requests of a file.
pub struct Requests {
    /// The requests in the order of the file.
    pub cases: Vec<Case>,
    /// The answers of the standard reading by outcome.
    pub standard: Value,
    /// The keys that `Case::key` names.
    pub ids: HashMap<String, KeyId>,
}

/// One request, and what the standard reading makes of it.
pub struct Case {
    /// The name of the case.
    pub name: String,
    /// The headers in their order. A value may be any bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The query of the URL, without `?`.
    pub query: String,
    /// Whether the store answers.
    pub store_is_up: bool,
    /// What is decided, by its name in the file.
    pub outcome: String,
    /// The name of the key that is accepted.
    pub key: Option<String>,
}

impl Requests {
    /// Makes the keys in an engine and its store, and puts them into the cases.
    pub async fn read(keys: &ApiKeys, store: &dyn KeyStore) -> Self {
        let file = read_file("requests.json");
        let (mut values, ids) = issue_all(keys, store).await;
        for name in ["unknown", "other_prefix"] {
            values.insert(name, text_of(&file["fixed_keys"][name]));
        }
        let cases: Vec<_> = file["cases"].as_array().expect("a list").iter().collect();
        assert!(!cases.is_empty());
        let cases = cases.into_iter().map(|case| Case::read(case, &values)).collect();
        Self { cases, standard: file["standard"].clone(), ids }
    }

    /// Makes requests of all combinations in `places.json`, each with a key of its own in each place.
    pub async fn places(keys: &ApiKeys) -> Self {
        let (mut values, mut ids) = (HashMap::new(), HashMap::new());
        for name in PLACES.into_iter().chain(["revoked"]) {
            let issued = keys.issue(NewKey::default()).await.expect("a key");
            values.insert(name, issued.key.expose().to_owned());
            ids.insert(name.to_owned(), issued.record.id);
        }
        keys.revoke(ids["revoked"]).await.expect("revoked");
        let rows = read_file("places.json")["rows"].clone();
        let cases: Vec<_> = rows.as_array().expect("a list").iter().collect();
        assert_eq!(cases.len(), 625);
        let cases = cases.into_iter().map(|row| Case::of_places(row, &values)).collect();
        Self { cases, standard: read_file("requests.json")["standard"].clone(), ids }
    }
}

impl Case {
    fn read(case: &Value, values: &HashMap<&str, String>) -> Self {
        let headers = case["headers"].as_array().expect("a list").iter().map(|header| {
            let value = fill(&text_of(&header[1]), values);
            let bytes = value.chars().map(|letter| u8::try_from(letter).expect("Latin-1"));
            (text_of(&header[0]), bytes.collect())
        });
        let decided = case.get("standard").unwrap_or(case);
        Self {
            name: text_of(&case["case"]),
            headers: headers.collect(),
            query: fill(&text_of(&case["query"]), values),
            store_is_up: text_of(&case["store"]) == "up",
            outcome: text_of(&decided["outcome"]),
            key: decided["key"].as_str().map(str::to_owned),
        }
    }

    /// A row has the state of each place, then what the two readings decide.
    fn of_places(row: &Value, values: &HashMap<&str, String>) -> Self {
        let sent = |index: usize| {
            let good = values[PLACES[index]].clone();
            match text_of(&row[index]).as_str() {
                "absent" => vec![],
                "empty" => vec![String::new()],
                "good" => vec![good],
                "bad" => vec![values["revoked"].clone()],
                "twice" => vec![good.clone(), good],
                state => panic!("an unknown state: {state}"),
            }
        };
        let header = |index: usize, name: &str, scheme: &str| -> Vec<(String, Vec<u8>)> {
            let values = sent(index).into_iter();
            // A value has no white space after it.
            let value = |key| format!("{scheme}{key}").trim_end().as_bytes().to_vec();
            values.map(|key| (name.to_owned(), value(key))).collect()
        };
        let headers = [
            header(1, "api-key", ""),
            header(2, "x-api-key", ""),
            header(3, "authorization", "Bearer "),
        ];
        let query: Vec<_> = sent(0).into_iter().map(|key| format!("api-key={key}")).collect();
        let standard = text_of(&row[5]);
        let is_accepted = PLACES.contains(&standard.as_str());
        Self {
            name: row.to_string(),
            headers: headers.concat(),
            query: query.join("&"),
            store_is_up: true,
            outcome: if is_accepted { "verified".to_owned() } else { standard.clone() },
            key: is_accepted.then_some(standard),
        }
    }
}

/// The values of all placeholders that stand for keys, and the ids of those that are good.
async fn issue_all(
    keys: &ApiKeys,
    store: &dyn KeyStore,
) -> (HashMap<&'static str, String>, HashMap<String, KeyId>) {
    let mut values = HashMap::from([("legacy", LEGACY.to_owned()), ("10kB", "x".repeat(10_000))]);
    let mut ids = HashMap::new();
    for name in ["live", "second", "revoked", "expired"] {
        let expires_at = (name == "expired").then(|| Timestamp::from_seconds(0));
        let new = NewKey::default().with_expiry(expires_at.map(Expiry::At));
        let issued = keys.issue(new).await.expect("a key");
        values.insert(name, issued.key.expose().to_owned());
        ids.insert(name.to_owned(), issued.record.id);
    }
    keys.revoke(ids["revoked"]).await.expect("revoked");
    let id = LEGACY_ID.parse().expect("an id");
    let legacy =
        KeyRecord::new(id, Timestamp::from_seconds(0), Timestamp::MAX).with_expiry(Expiry::Never);
    let insert = KeyImage::new(KeyDigest::of(LEGACY.as_bytes()), legacy);
    let operations = vec![Operation::Insert(insert)];
    store.commit(operations, &Actor::Program).await.expect("stored");
    ids.insert("legacy".to_owned(), id);

    let live = values["live"].clone();
    let (cut, last) = live.split_at(live.len() - 1);
    let percent: String = live.bytes().map(|byte| format!("%{byte:02X}")).collect();
    values.extend([
        ("wrong_checksum", format!("{cut}{}", if last == "0" { "1" } else { "0" })),
        ("live_id", live[4..15].to_owned()),
        ("live_cut", cut.to_owned()),
        ("live_upper", live.to_uppercase()),
        ("legacy_upper", LEGACY.to_uppercase()),
        ("live_percent_twice", percent.replace('%', "%25")),
        ("live_percent", percent),
    ]);
    (values, ids)
}

fn read_file(name: &str) -> Value {
    let path = format!("{}/../../tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).expect("the file");
    serde_json::from_str(&text).expect("JSON")
}

fn fill(text: &str, values: &HashMap<&str, String>) -> String {
    let filled = values
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
    assert!(!filled.contains('{'), "an unknown placeholder in {text}");
    filled
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
