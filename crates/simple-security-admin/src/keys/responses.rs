//! The bodies of responses.

use serde::{Serialize, Serializer};
use simple_security as engine;
use simple_security::{KeyId, KeyRecord, Moment, PlainKey, Timestamp};
use utoipa::ToSchema;

/// A key and its usage, without the plain key.
#[derive(Serialize, ToSchema)]
pub struct KeyDetails {
    /// Safe to show.
    #[schema(examples("Gh29RPWKBo4"))]
    id: String,
    /// Empty if it has no name.
    #[schema(examples("shop"))]
    name: String,
    /// Empty if it has no owner.
    #[schema(examples("acme"))]
    owner: String,
    state: KeyState,
    #[schema(format = DateTime, examples("2026-11-24T12:00:00Z"))]
    created_at: String,
    /// `null`: it never expires.
    #[schema(required = true, format = DateTime, examples("2026-12-09T12:00:00Z"))]
    expires_at: Option<String>,
    /// `null`: it is not revoked.
    #[schema(required = true, format = DateTime, examples(json!(null)))]
    revoked_at: Option<String>,
    usage: KeyUsage,
}

/// How often a key was accepted.
#[derive(Serialize, ToSchema)]
struct KeyUsage {
    #[schema(examples(42))]
    total: u64,
    #[schema(required = true, format = DateTime, examples("2026-11-24T12:00:00Z"))]
    last_used_at: Option<String>,
}

/// The state of a key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum KeyState {
    Active,
    Expired,
    Revoked,
}

/// A key that was changed.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangedKey {
    #[serde(flatten)]
    details: KeyDetails,
    /// Every request that begins after this time is decided by the new state.
    #[schema(format = DateTime, examples("2026-11-24T12:00:00.250Z"))]
    effective_by: String,
}

/// A key that was issued or imported, as it was then.
#[derive(Serialize, ToSchema)]
#[schema(as = NewKeyDetails)]
pub struct NewKeyDetails {
    #[serde(flatten)]
    details: KeyDetails,
    /// The plain key, shown only once. `null` for an imported key.
    #[serde(serialize_with = "expose")]
    #[schema(
        value_type = Option<String>,
        required = true,
        examples("fss_Gh29RPWKBo4_lVZzIRe3yD2iS8cJZFsMuWGRnCtAAWHto2SO8rC")
    )]
    key: Option<PlainKey>,
}

/// A key that was issued or imported.
#[derive(Serialize, ToSchema)]
#[schema(as = IssuedKey)]
pub(super) struct IssuedKey {
    #[serde(flatten)]
    key: NewKeyDetails,
    /// Every process accepts the key from this time on.
    #[schema(format = DateTime, examples("2026-11-24T12:00:00.250Z"))]
    effective_by: String,
}

/// A deleted key.
#[derive(Serialize, ToSchema)]
pub(super) struct DeletedKey {
    #[schema(examples("Gh29RPWKBo4"))]
    id: String,
    /// No request that begins after this time is accepted with the key.
    #[schema(format = DateTime, examples("2026-11-24T12:00:00.250Z"))]
    effective_by: String,
}

/// Some keys, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyPage {
    keys: Vec<KeyDetails>,
    /// The `cursor` of the next page; `null`: this is the last one.
    #[schema(required = true, examples("1795435200.Gh29RPWKBo4"))]
    next: Option<String>,
}

impl ChangedKey {
    pub(super) fn new(details: engine::KeyDetails, effective_by: Moment) -> Self {
        Self { details: details.into(), effective_by: effective_by.to_string() }
    }
}

impl NewKeyDetails {
    /// The plain key is `None` for an imported key.
    pub fn new(record: KeyRecord, key: Option<PlainKey>) -> Self {
        Self { details: engine::KeyDetails::of_new(record).into(), key }
    }
}

impl IssuedKey {
    pub(super) fn new(key: NewKeyDetails, effective_by: Moment) -> Self {
        Self { key, effective_by: effective_by.to_string() }
    }

    /// Where the key is, relative to the path of all keys.
    pub(super) fn location(&self) -> String {
        format!("keys/{}", self.key.details.id)
    }
}

impl DeletedKey {
    pub(super) fn new(id: KeyId, effective_by: Moment) -> Self {
        Self { id: id.to_string(), effective_by: effective_by.to_string() }
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
            state: state.into(),
            created_at: text(record.created_at),
            expires_at: record.expiry().date().map(text),
            revoked_at: record.revoked_at.map(text),
            usage: KeyUsage { total: usage.total, last_used_at: usage.last_used_at.map(text) },
        }
    }
}

impl From<engine::KeyState> for KeyState {
    fn from(state: engine::KeyState) -> Self {
        match state {
            engine::KeyState::Active => Self::Active,
            engine::KeyState::Expired => Self::Expired,
            engine::KeyState::Revoked => Self::Revoked,
        }
    }
}

impl From<engine::Page> for KeyPage {
    fn from(page: engine::Page) -> Self {
        Self {
            keys: page.keys.into_iter().map(KeyDetails::from).collect(),
            next: page.next.map(|next| next.to_string()),
        }
    }
}

/// The one place where a plain key becomes text of a response.
fn expose<S: Serializer>(key: &Option<PlainKey>, serializer: S) -> Result<S::Ok, S::Error> {
    key.as_ref().map(PlainKey::expose).serialize(serializer)
}
