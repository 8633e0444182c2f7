//! The admin secret, and the proof that it was presented.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::key::KeyDigest;
use crate::random::{self, BASE62};

mod actor;
mod error;

pub use actor::Actor;
pub use error::AdminError;

/// A request that presented the admin secret. Only [`ApiKeys::authenticate_admin`] makes one.
///
/// It is the actor of the changes that the request asks for:
///
/// ```
/// # use simple_security::{AdminError, ApiKeys, KeyId};
/// # async fn revoke(keys: &ApiKeys, id: KeyId) -> Result<(), Box<dyn std::error::Error>> {
/// let admin = keys.authenticate_admin(b"what the request presented")?;
/// keys.revoke(id).by(&admin).await?;
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail
/// let forged = simple_security::Admin(());
/// ```
///
/// [`ApiKeys::authenticate_admin`]: crate::ApiKeys::authenticate_admin
#[derive(Debug, Clone)]
pub struct Admin(());

impl Admin {
    /// The engine accepts a secret of fewer characters, and warns.
    pub const RECOMMENDED_SECRET_LENGTH: usize = 16;
}

impl From<&Admin> for Actor {
    fn from(_: &Admin) -> Self {
        Self::Secret
    }
}

/// The digest of the admin secret. The secret itself is not kept.
pub(crate) struct AdminSecret(KeyDigest);

impl AdminSecret {
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

    /// Accepts the secret alone. It takes the same time whichever bytes are wrong.
    pub(crate) fn authenticate(&self, presented: &[u8]) -> Result<Admin, AdminError> {
        let matches = KeyDigest::of(presented).as_bytes().ct_eq(self.0.as_bytes());
        if matches.into() { Ok(Admin(())) } else { Err(AdminError::Wrong) }
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
