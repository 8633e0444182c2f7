//! The bodies of the routes, read member by member.

use std::borrow::Cow;

use secrecy::SecretString;
use serde_json::Value;
use simple_security::{Expiry, InvalidImport, InvalidTimestamp, KeyFormat, KeyName, Owner};
use utoipa::ToSchema;

use crate::body;
use crate::parameters::{Parameters, detail};
use crate::rejection::Rejection;

/// The key to issue or import.
// `serde` is only for the schema, here and below: `read` rejects unknown members, and names them.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// What people call it. No control characters or direction marks.
    #[schema(value_type = String, required = false, max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$", examples("shop"))]
    pub(super) name: KeyName,
    /// Whose key it is: an id from your own tables, such as that of a customer. `null` or empty: no owner.
    #[schema(value_type = Option<String>, max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$", examples("acme"))]
    pub(super) owner: Owner,
    /// When it expires. `null`: never. If omitted: the number of days in the settings, from now.
    #[schema(value_type = Option<String>, format = DateTime, examples("2030-01-31T12:00:00Z"))]
    pub(super) expires_at: Option<Expiry>,
    /// Imports this key instead of issuing one: printable ASCII that does not start with the prefix of
    /// this service. It must be random: anyone with a copy of the database can find a guessable key.
    #[schema(value_type = Option<String>, min_length = 32, max_length = 255, pattern = r"^[\x21-\x7e]*$")]
    pub(super) key: Option<SecretString>,
}

/// The members to change. Omitted members keep their values.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyEdit {
    #[schema(value_type = String, required = false, max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$", examples("shop"))]
    pub(super) name: Option<KeyName>,
    /// Whose key it is. `null` or empty: no owner. If omitted: unchanged.
    #[schema(value_type = Option<String>, max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]*$", examples("acme"))]
    pub(super) owner: Option<Owner>,
    /// When it expires. `null`: never. If omitted: unchanged.
    #[schema(value_type = Option<String>, format = DateTime, examples("2030-01-31T12:00:00Z"))]
    pub(super) expires_at: Option<Expiry>,
}

/// The new expiry of a key.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRenewal {
    /// When it expires. `null`: never. If omitted: the number of days in the settings, from now; a key
    /// that never expires stays so.
    #[schema(value_type = Option<String>, format = DateTime, examples("2030-01-31T12:00:00Z"))]
    pub(super) expires_at: Option<Expiry>,
}

impl NewKey {
    /// # Errors
    /// [`Rejection::Invalid`], as for the other bodies.
    pub(super) fn read(body: Option<Parameters<Value>>) -> Result<Self, Rejection> {
        let Some(mut members) = body else {
            let (name, owner) = (KeyName::default(), Owner::default());
            return Ok(Self { name, owner, expires_at: None, key: None });
        };
        let name = members.take("name", name).unwrap_or_default();
        let owner = members.take("owner", owner).unwrap_or_default();
        let expires_at = expiry(&mut members);
        let key = members.take("key", key).flatten();
        members.end(Self { name, owner, expires_at, key })
    }
}

impl KeyEdit {
    pub(super) fn read(body: Option<Parameters<Value>>) -> Result<Self, Rejection> {
        let mut members = body.ok_or_else(|| Rejection::body(body::NOT_AN_OBJECT))?;
        let name = members.take("name", name);
        let owner = members.take("owner", owner);
        let expires_at = expiry(&mut members);
        members.end(Self { name, owner, expires_at })
    }
}

impl KeyRenewal {
    pub(super) fn read(body: Option<Parameters<Value>>) -> Result<Self, Rejection> {
        let Some(mut members) = body else { return Ok(Self { expires_at: None }) };
        let expires_at = expiry(&mut members);
        members.end(Self { expires_at })
    }
}

/// The member `expires_at`; `None` where it was not sent.
fn expiry(members: &mut Parameters<Value>) -> Option<Expiry> {
    members.take("expires_at", |value| match value {
        Value::Null => Ok(Expiry::Never),
        Value::String(text) => text.parse().map(Expiry::At).map_err(detail),
        _ => Err(detail(InvalidTimestamp)),
    })
}

fn name(value: Value) -> Result<KeyName, Cow<'static, str>> {
    match value {
        Value::String(text) => KeyName::new(&text).map_err(detail),
        _ => Err("a name is a text".into()),
    }
}

fn owner(value: Value) -> Result<Owner, Cow<'static, str>> {
    match value {
        Value::Null => Ok(Owner::default()),
        Value::String(text) => Owner::new(&text).map_err(detail),
        _ => Err("an owner is a text".into()),
    }
}

/// Checks all but the prefix, so that the error is reported with the others. The engine knows the prefix
/// and checks it.
fn key(value: Value) -> Result<Option<SecretString>, Cow<'static, str>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => match KeyFormat::default().import(&text) {
            Ok(_) | Err(InvalidImport::OurPrefix(_)) => Ok(Some(text.into())),
            Err(error) => Err(detail(error)),
        },
        _ => Err("a key is a text".into()),
    }
}
