//! The admin secret, which guards the changing of keys.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::key::KeyDigest;
use crate::random::{self, BASE62};

mod actor;
mod error;

pub use actor::Actor;
pub use error::AdminError;

/// The digest of the admin secret. The secret itself is not kept.
pub struct AdminSecret(KeyDigest);

impl AdminSecret {
    /// The engine accepts a secret of fewer characters, and warns.
    pub const RECOMMENDED_LENGTH: usize = 16;

    /// The secret that somebody has set.
    pub(crate) fn set(secret: &SecretString) -> Self {
        Self(KeyDigest::of(secret.expose_secret().as_bytes()))
    }

    /// The secret that processes have agreed on.
    pub(crate) fn agreed(digest: KeyDigest) -> Self {
        Self(digest)
    }

    pub(crate) fn digest(&self) -> KeyDigest {
        self.0
    }

    /// Whether these bytes are the secret. It takes the same time whichever of them are wrong.
    pub fn matches(&self, presented: &[u8]) -> bool {
        KeyDigest::of(presented).as_bytes().ct_eq(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for AdminSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AdminSecret(hidden)")
    }
}

/// A new secret: 43 base62 characters, 256 bits.
///
/// # Errors
/// When the operating system cannot give random bytes.
pub(crate) fn generate() -> Result<SecretString, getrandom::Error> {
    let drawn = random::characters::<43>(BASE62)?;
    let mut text = String::with_capacity(drawn.len());
    text.extend(drawn.map(char::from));
    Ok(text.into())
}
