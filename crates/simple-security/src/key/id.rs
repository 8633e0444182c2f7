//! The public id of a key.

use std::fmt;
use std::str::FromStr;

/// The public id of a key: 11 base62 characters, safe to log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; Self::LENGTH]);

impl KeyId {
    /// The number of characters of an id.
    pub const LENGTH: usize = 11;

    /// An id of characters that the generator drew.
    pub(crate) fn from_drawn(drawn: [u8; Self::LENGTH]) -> Self {
        debug_assert!(drawn.iter().all(u8::is_ascii_alphanumeric));
        Self(drawn)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyId({self})")
    }
}

/// The text is not 11 base62 characters.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a key id is 11 letters and digits")]
pub struct InvalidKeyId;

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        let characters: [u8; Self::LENGTH] =
            text.as_bytes().try_into().map_err(|_| InvalidKeyId)?;
        if characters.iter().all(u8::is_ascii_alphanumeric) {
            Ok(Self(characters))
        } else {
            Err(InvalidKeyId)
        }
    }
}
