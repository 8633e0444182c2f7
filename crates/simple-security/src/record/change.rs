//! What is to be changed of a key: the fields that are named, and no other.

use super::expiry::Expiry;
use super::key_record::KeyRecord;
use super::name::KeyName;
use super::owner::Owner;
use super::timestamp::Timestamp;

/// New values for fields of a key. What is `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct KeyEdit {
    /// What people call it.
    pub name: Option<KeyName>,
    /// Whose it is. The empty owner removes the one that it has.
    pub owner: Option<Owner>,
    /// From when on it is rejected, unless it never expires.
    pub expires_at: Option<Timestamp>,
    /// Whether it never expires.
    pub never_expires: Option<bool>,
}

impl KeyEdit {
    /// The same with another name, if there is one.
    #[must_use]
    pub fn with_name(self, name: impl Into<Option<KeyName>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// The same with another owner, if there is one.
    #[must_use]
    pub fn with_owner(self, owner: impl Into<Option<Owner>>) -> Self {
        Self { owner: owner.into(), ..self }
    }

    /// The same with another expiry, if there is one. A key that shall never expire keeps its date,
    /// which the routes of 1.x show.
    #[must_use]
    pub fn with_expiry(self, expiry: impl Into<Option<Expiry>>) -> Self {
        let (expires_at, never_expires) = match expiry.into() {
            None => (None, None),
            Some(Expiry::Never) => (None, Some(true)),
            Some(Expiry::At(date)) => (Some(date), Some(false)),
        };
        Self { expires_at, never_expires, ..self }
    }
}

/// What becomes of the revocation of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Revocation {
    /// It stays as it is.
    #[default]
    Keep,
    /// The key is revoked at this instant. The date of an earlier revocation stays.
    Set(Timestamp),
    /// It is taken back.
    Clear,
}

/// One change of a key, which a store makes in one step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct KeyChange {
    /// New values for its fields.
    pub edit: KeyEdit,
    /// What becomes of its revocation.
    pub revocation: Revocation,
}

impl KeyChange {
    /// Revokes the key.
    pub fn revoke(at: Timestamp) -> Self {
        Self { revocation: Revocation::Set(at), ..Self::default() }
    }

    /// Gives the key a new date of expiry, and takes its revocation back. `never_expires`: whether it
    /// never expires from now on; `None`: as before.
    pub fn renew(expires_at: Timestamp, never_expires: Option<bool>) -> Self {
        let edit = KeyEdit { expires_at: Some(expires_at), never_expires, ..KeyEdit::default() };
        Self { edit, revocation: Revocation::Clear }
    }

    /// What makes `before` the same as `after`, the revocation apart.
    pub fn between(before: &KeyRecord, after: &KeyRecord) -> Self {
        let edit = KeyEdit {
            name: (before.name != after.name).then(|| after.name.clone()),
            owner: (before.owner != after.owner).then(|| after.owner.clone()),
            expires_at: (before.expires_at != after.expires_at).then_some(after.expires_at),
            never_expires: (before.never_expires != after.never_expires)
                .then_some(after.never_expires),
        };
        edit.into()
    }

    /// Makes the change to a record.
    pub fn apply(self, record: &mut KeyRecord) {
        let KeyEdit { name, owner, expires_at, never_expires } = self.edit;
        if let Some(name) = name {
            record.name = name;
        }
        if let Some(owner) = owner {
            record.owner = owner;
        }
        record.expires_at = expires_at.unwrap_or(record.expires_at);
        record.never_expires = never_expires.unwrap_or(record.never_expires);
        record.revoked_at = match self.revocation {
            Revocation::Keep => record.revoked_at,
            Revocation::Set(at) => record.revoked_at.or(Some(at)),
            Revocation::Clear => None,
        };
    }
}

impl From<KeyEdit> for KeyChange {
    fn from(edit: KeyEdit) -> Self {
        Self { edit, revocation: Revocation::Keep }
    }
}

/// Until when a renewed key is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Renewal {
    /// For the default lifetime, from now. A key that never expires stays so.
    #[default]
    DefaultLifetime,
    /// Until then.
    Until(Expiry),
    /// Until this date, as 1.x has it: a key that never expires stays so, and shows the date.
    Date(Timestamp),
}

impl From<Option<Expiry>> for Renewal {
    fn from(expiry: Option<Expiry>) -> Self {
        expiry.map_or(Self::DefaultLifetime, Self::Until)
    }
}
