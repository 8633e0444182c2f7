//! The admin secret, which guards the changing of keys.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::config::Settings;
use crate::key::KeyDigest;
use crate::keys::OpenError;
use crate::random::{self, BASE62};
use crate::store::KeyStore;

mod actor;

pub use actor::Actor;

/// A secret of fewer characters is accepted with a warning.
const SHORT: usize = 16;

/// The digest of the admin secret. The secret itself is not kept.
pub struct AdminSecret(KeyDigest);

impl AdminSecret {
    /// The secret that somebody has set.
    fn set(secret: &SecretString) -> Self {
        Self(KeyDigest::of(secret.expose_secret().as_bytes()))
    }

    /// The secret that processes have agreed on.
    fn agreed(digest: KeyDigest) -> Self {
        Self(digest)
    }

    fn digest(&self) -> KeyDigest {
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

/// The secret that is set, else the one that all processes agree on; `None` where they cannot. The
/// second value is the secret where it was generated here.
///
/// # Errors
/// [`OpenError`] names the setting to change.
pub(crate) fn agree(
    store: &dyn KeyStore,
    settings: &Settings,
) -> Result<(Option<AdminSecret>, Option<SecretString>), OpenError> {
    if let Some(secret) = &settings.admin_secret {
        let length = secret.expose_secret().len();
        if length < SHORT {
            tracing::warn!(
                "the admin secret in {} is short ({length} characters); {SHORT} random ones or more are hard to guess",
                settings.secret_setting
            );
        }
        return Ok((Some(AdminSecret::set(secret)), None));
    }
    let generated = generate()?;
    let offered = AdminSecret::set(&generated);
    match pollster::block_on(store.agree_on_admin_secret(offered.digest())) {
        Ok(Some(agreed)) => {
            let ours = agreed == offered.digest();
            Ok((Some(AdminSecret::agreed(agreed)), ours.then_some(generated)))
        }
        Ok(None) => {
            tracing::warn!(
                "no admin secret is set, so no request of an administrator is answered; set {}",
                settings.secret_setting
            );
            Ok((None, None))
        }
        Err(source) => Err(OpenError::Store { setting: settings.location_setting.clone(), source }),
    }
}

/// A new secret: 43 base62 characters, 256 bits.
///
/// # Errors
/// When the operating system cannot give random bytes.
fn generate() -> Result<SecretString, getrandom::Error> {
    let drawn = random::characters::<43>(BASE62)?;
    let mut text = String::with_capacity(drawn.len());
    text.extend(drawn.map(char::from));
    Ok(text.into())
}
