//! Keys as JSON, with the members that the resource API has (`docs/openapi.json`).

use serde::{Serialize, Serializer};
use simple_security::{self as engine, KeyRecord, PlainKey, Timestamp};

/// All that is known of a key. The key itself is not.
#[derive(Serialize)]
pub(super) struct KeyDetails {
    id: String,
    name: String,
    owner: String,
    state: &'static str,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    usage: KeyUsage,
}

#[derive(Serialize)]
struct KeyUsage {
    total: u64,
    last_used_at: Option<String>,
}

/// A key that was made.
#[derive(Serialize)]
pub(super) struct IssuedKey<'a> {
    #[serde(flatten)]
    details: KeyDetails,
    #[serde(serialize_with = "expose")]
    key: &'a PlainKey,
}

impl<'a> IssuedKey<'a> {
    /// The key as it was when it was made.
    pub(super) fn new(record: KeyRecord, key: &'a PlainKey) -> Self {
        Self { details: engine::KeyDetails::of_new(record).into(), key }
    }
}

impl From<engine::KeyDetails> for KeyDetails {
    fn from(key: engine::KeyDetails) -> Self {
        let engine::KeyDetails { record, state, usage, .. } = key;
        let text = |date: Timestamp| date.to_string();
        Self {
            id: record.id.to_string(),
            name: record.name.as_str().to_owned(),
            owner: record.owner.as_str().to_owned(),
            state: state.as_str(),
            created_at: text(record.created_at),
            expires_at: record.expiry().date().map(text),
            revoked_at: record.revoked_at.map(text),
            usage: KeyUsage { total: usage.total, last_used_at: usage.last_used_at.map(text) },
        }
    }
}

/// A line of JSON.
pub(super) fn line(value: &impl Serialize) -> String {
    // Texts and numbers always have a form in JSON.
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

/// The one place where a plain key becomes part of an answer in JSON.
fn expose<S: Serializer>(key: &PlainKey, serializer: S) -> Result<S::Ok, S::Error> {
    key.expose().serialize(serializer)
}
