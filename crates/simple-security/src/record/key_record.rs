//! What a store keeps of a key, and what a caller decides of a new one.

use std::str::FromStr;

use super::expiry::Expiry;
use super::name::KeyName;
use super::owner::Owner;
use super::timestamp::Timestamp;
use super::usage::Usage;
use crate::key::{KeyDigest, KeyId};

/// What is known of a key, apart from its usage.
///
/// In the order of this declaration in memory: a request with a cached key reads only the first three
/// fields, and finds them in the cache line of the counter that it raises.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[repr(C)]
pub struct KeyRecord {
    /// When it was revoked, if it is.
    pub revoked_at: Option<Timestamp>,
    /// From this instant on it is rejected, unless it never expires.
    pub expires_at: Timestamp,
    /// `expires_at` is only kept: the routes of 1.x show a date for a key that never expires, too.
    pub never_expires: bool,
    /// The public id.
    pub id: KeyId,
    /// When it was issued, or imported.
    pub created_at: Timestamp,
    /// What people call it.
    pub name: KeyName,
    /// Whose it is.
    pub owner: Owner,
}

impl KeyRecord {
    /// The record of a key without a name, which is not revoked and expires at `expires_at`.
    pub fn new(id: KeyId, created_at: Timestamp, expires_at: Timestamp) -> Self {
        Self {
            revoked_at: None,
            expires_at,
            never_expires: false,
            id,
            created_at,
            name: KeyName::default(),
            owner: Owner::default(),
        }
    }

    /// The same with a name.
    #[must_use]
    pub fn with_name(self, name: KeyName) -> Self {
        Self { name, ..self }
    }

    /// The same with an owner.
    #[must_use]
    pub fn with_owner(self, owner: Owner) -> Self {
        Self { owner, ..self }
    }

    /// The same with another expiry. A key that never expires keeps its date.
    #[must_use]
    pub fn with_expiry(self, expiry: Expiry) -> Self {
        let expires_at = expiry.date().unwrap_or(self.expires_at);
        Self { expires_at, never_expires: expiry == Expiry::Never, ..self }
    }

    /// When it expires.
    #[inline]
    pub fn expiry(&self) -> Expiry {
        if self.never_expires { Expiry::Never } else { Expiry::At(self.expires_at) }
    }

    /// What it is at the instant `now`.
    pub fn state(&self, now: Timestamp) -> KeyState {
        if self.revoked_at.is_some() {
            KeyState::Revoked
        } else if self.expiry().is_past(now) {
            KeyState::Expired
        } else {
            KeyState::Active
        }
    }
}

/// What a key is at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is accepted.
    Active,
    /// It is rejected for its age, and was not revoked.
    Expired,
    /// It was revoked, whatever its age is.
    Revoked,
}

impl KeyState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Active, Self::Expired, Self::Revoked];

    /// Its name: `active`, `expired` or `revoked`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// Unknown key state.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a state is active, expired or revoked")]
pub struct InvalidKeyState;

impl FromStr for KeyState {
    type Err = InvalidKeyState;

    fn from_str(text: &str) -> Result<Self, InvalidKeyState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(InvalidKeyState)
    }
}

/// What the caller decides of a key that is to be issued or imported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct NewKey {
    /// What people call it.
    pub name: KeyName,
    /// Whose it is.
    pub owner: Owner,
    /// When it expires; `None`: after the default lifetime.
    pub expiry: Option<Expiry>,
}

impl NewKey {
    /// A key with this name that expires after the default lifetime.
    pub fn named(name: KeyName) -> Self {
        Self { name, ..Self::default() }
    }

    /// The same with an owner.
    #[must_use]
    pub fn with_owner(self, owner: Owner) -> Self {
        Self { owner, ..self }
    }

    /// The same with an expiry of its own; `None` is the default lifetime.
    #[must_use]
    pub fn with_expiry(self, expiry: impl Into<Option<Expiry>>) -> Self {
        Self { expiry: expiry.into(), ..self }
    }
}

/// How a caller names a key that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyReference {
    /// By its public id.
    Id(KeyId),
    /// By the digest of the whole key.
    Digest(KeyDigest),
}

/// All that a store keeps of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredKey {
    /// What it is looked up by.
    pub digest: KeyDigest,
    /// What is known of it.
    pub record: KeyRecord,
    /// How often it was accepted.
    pub usage: Usage,
}

impl StoredKey {
    /// A key that was never used.
    pub fn new(digest: KeyDigest, record: KeyRecord) -> Self {
        Self { digest, record, usage: Usage::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_expired_from_the_very_second_on() {
        let id = "0123456789a".parse().expect("an id");
        let at = Timestamp::from_seconds;
        let record = KeyRecord::new(id, at(0), at(10));
        assert!(!record.expiry().is_past(at(9)));
        assert!(record.expiry().is_past(at(10)));
        let lasting = KeyRecord { never_expires: true, ..record.clone() };
        assert!(!lasting.expiry().is_past(Timestamp::MAX));
        let states = [9, 10].map(|now| record.state(at(now)));
        assert_eq!(states, [KeyState::Active, KeyState::Expired]);
        let revoked = KeyRecord { revoked_at: Some(Timestamp::MIN), ..record };
        assert_eq!(revoked.state(at(10)), KeyState::Revoked);
    }

    #[test]
    fn a_state_is_read_by_its_word_alone() {
        for state in KeyState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        for wrong in ["", "Active", "active ", "deleted"] {
            assert_eq!(wrong.parse::<KeyState>(), Err(InvalidKeyState));
        }
    }
}
