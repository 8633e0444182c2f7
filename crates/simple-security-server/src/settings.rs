//! Settings that the server, the command line and the Python package have in common, and the engine
//! that they make.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use simple_security::store::{KeyStore, Location};
use simple_security::{Admin, ApiKeys, ApiKeysBuilder, KeyFormat, OpenError};

mod environment;
pub mod serving;
mod setting;

pub use environment::{ConfigurationError, Found, find, is_set};
pub use setting::{Adapter, Setting};

use environment::environment;

const EVERY_ADAPTER: &[Adapter] = &[Adapter::FastApi, Adapter::Program];

/// The admin secret.
pub const SECRET: Setting = Setting {
    name: "SECRET",
    other_spelling: None,
    adapters: EVERY_ADAPTER,
    argument: "secret",
    default: "generated at start and printed once; needed for PostgreSQL and Redis",
    meaning: "The admin secret, which the admin routes expect in the header `secret-key`",
};
const DB_LOCATION: Setting = Setting {
    name: "DB_LOCATION",
    other_spelling: None,
    adapters: EVERY_ADAPTER,
    argument: "db_location",
    default: "sqlite.db",
    meaning: "Where the keys are: a file, by a path or a URL such as `sqlite:///keys.db` (four slashes for an absolute path), or a store for many machines, `postgres://user:password@host/database` or `redis://host/0`",
};
const AUTOMATIC_EXPIRATION: Setting = Setting {
    name: "AUTOMATIC_EXPIRATION",
    other_spelling: Some("FAST_API_SIMPLE_SECURITY_AUTOMATIC_EXPIRATION"),
    adapters: EVERY_ADAPTER,
    argument: "automatic_expiration",
    default: "15",
    meaning: "Days until a new or renewed key expires, 1 to 36500",
};
const KEY_PREFIX: Setting = Setting {
    name: "KEY_PREFIX",
    other_spelling: None,
    adapters: EVERY_ADAPTER,
    argument: "key_prefix",
    default: "fss",
    meaning: "What new keys start with, such as `acme` or `acme_live`",
};

/// The settings that every adapter has, in the order in which the documentation shows them.
pub const SHARED: [Setting; 4] = [SECRET, DB_LOCATION, AUTOMATIC_EXPIRATION, KEY_PREFIX];

/// What code sets by arguments, as text. What is `None` is read from the environment.
#[derive(Clone, Default)]
pub struct Arguments {
    /// See [`Settings::admin_secret`].
    pub secret: Option<SecretString>,
    /// See [`Settings::location`].
    pub db_location: Option<String>,
    /// See [`Settings::automatic_expiration`].
    pub automatic_expiration: Option<String>,
    /// See [`Settings::key_format`].
    pub key_prefix: Option<String>,
}

impl fmt::Debug for Arguments {
    /// Without the location, which may have a password in it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret, db_location: _, automatic_expiration, key_prefix } = self;
        formatter
            .debug_struct("Arguments")
            .field("secret", secret)
            .field("automatic_expiration", automatic_expiration)
            .field("key_prefix", key_prefix)
            .finish_non_exhaustive()
    }
}

/// What an adapter makes an engine of.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the keys are kept.
    pub location: Location,
    /// The name of the setting that gave the location, for errors.
    pub location_setting: String,
    /// The admin secret; `None`: one is generated.
    pub admin_secret: Option<SecretString>,
    /// The name of the setting that gives the secret, for errors.
    pub secret_setting: String,
    /// The form of new keys.
    pub key_format: KeyFormat,
    /// Days until a new or renewed key expires.
    pub automatic_expiration: u32,
}

impl Settings {
    /// Reads them for an adapter: from the arguments, else from its variables, else the defaults.
    ///
    /// # Errors
    /// [`ConfigurationError`] names the first one that is wrong.
    pub fn load(adapter: Adapter, arguments: &Arguments) -> Result<Self, ConfigurationError> {
        let secret = match &arguments.secret {
            Some(secret) => Found { name: SECRET.argument.to_owned(), text: Some(secret.clone()) },
            None => {
                let found = environment(&SECRET, adapter)?;
                Found { name: found.name, text: found.text.map(SecretString::from) }
            }
        };
        let location = find(&DB_LOCATION, adapter, arguments.db_location.as_deref())?;
        let days = find(&AUTOMATIC_EXPIRATION, adapter, arguments.automatic_expiration.as_deref())?;
        let prefix = find(&KEY_PREFIX, adapter, arguments.key_prefix.as_deref())?;
        Ok(Self {
            admin_secret: check_secret(&secret)?,
            secret_setting: secret.name,
            location: parse_location(&location)?,
            key_format: KeyFormat::new(prefix.text.as_deref().unwrap_or(KEY_PREFIX.default))
                .map_err(|error| prefix.wrong(error.to_string()))?,
            automatic_expiration: parse_days(&days)?,
            location_setting: location.name,
        })
    }

    /// Begins an engine that accepts no admin requests, as a command line needs it.
    pub fn engine<'a>(&self, store: Arc<dyn KeyStore>) -> ApiKeysBuilder<'a> {
        let days = u64::from(self.automatic_expiration);
        ApiKeys::builder(store)
            .key_format(self.key_format.clone())
            .default_lifetime(Duration::from_secs(days * 24 * 60 * 60))
    }

    /// Opens an engine that accepts admin requests. `announce` is called with the admin secret where it
    /// was generated here: show it once, to the administrator.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_with_admin(
        &self,
        store: Arc<dyn KeyStore>,
        announce: impl FnOnce(SecretString),
    ) -> Result<ApiKeys, OpenError> {
        let (engine, setting) = (self.engine(store), &self.secret_setting);
        let keys = match &self.admin_secret {
            Some(secret) => engine.admin_secret(secret.clone()).build()?,
            None => engine.generated_admin_secret(announce).build()?,
        };
        // The engine warns too, and does not know the setting.
        if self.admin_secret.as_ref().is_some_and(is_short) {
            tracing::warn!("set a longer admin secret in {setting}");
        }
        if !keys.has_admin_secret() {
            tracing::warn!(
                "no admin secret is set, so no request of an administrator is answered; set {setting}"
            );
        }
        Ok(keys)
    }
}

fn check_secret(found: &Found<SecretString>) -> Result<Option<SecretString>, ConfigurationError> {
    let Some(secret) = &found.text else { return Ok(None) };
    let text = secret.expose_secret();
    if text.is_empty() {
        return Err(found.wrong(
            "the admin secret is empty; set a random value of 16 or more characters, or unset it to have one generated"
                .to_owned(),
        ));
    }
    if !text.bytes().all(|byte| matches!(byte, 0x20..=0x7E)) || text.trim() != text {
        return Err(found.wrong(
            "the admin secret must be ASCII without spaces around it, because it travels in an HTTP header"
                .to_owned(),
        ));
    }
    Ok(Some(secret.clone()))
}

fn is_short(secret: &SecretString) -> bool {
    secret.expose_secret().len() < Admin::RECOMMENDED_SECRET_LENGTH
}

fn parse_location(found: &Found<String>) -> Result<Location, ConfigurationError> {
    Location::parse(found.text.as_deref().unwrap_or(DB_LOCATION.default))
        .map_err(|error| found.wrong(error.to_string()))
}

fn parse_days(found: &Found<String>) -> Result<u32, ConfigurationError> {
    let text = found.text.as_deref().unwrap_or(AUTOMATIC_EXPIRATION.default);
    match text.trim().parse() {
        Ok(days @ 1..=36_500) => Ok(days),
        _ => Err(found.wrong(format!("{text:?} is not a number of days from 1 to 36500"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_a_number_from_1_to_36500() {
        let days = |text: &str| {
            parse_days(&Found { name: String::new(), text: Some(text.to_owned()) }).ok()
        };
        assert_eq!((days("1"), days("36500"), days(" 15 ")), (Some(1), Some(36_500), Some(15)));
        for wrong in ["0", "-1", "36501", "1.5", "", "soon", "99999999999999999999"] {
            assert_eq!(days(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_adapter_has_its_own_variables() {
        let variables = |adapter| -> Vec<Option<String>> {
            SHARED.iter().chain(&serving::ALL).map(|setting| setting.variable(adapter)).collect()
        };
        let secret = |prefix: &str| Some(format!("{prefix}SIMPLE_SECURITY_SECRET"));
        assert_eq!(variables(Adapter::FastApi)[0], secret("FASTAPI_"));
        assert_eq!(variables(Adapter::Program)[0], secret(""));
        assert_eq!(serving::LISTEN.variable(Adapter::FastApi), None);
        for adapter in EVERY_ADAPTER {
            let names: Vec<_> = variables(*adapter).into_iter().flatten().collect();
            assert!(names.iter().all(|name| name.starts_with(adapter.prefix())), "{names:?}");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let arguments = Arguments {
            secret: Some("hunter2".into()),
            db_location: Some("postgres://user:hunter2@host/keys".to_owned()),
            ..Arguments::default()
        };
        let settings = Settings::load(Adapter::FastApi, &arguments).expect("settings");
        let found = find(&DB_LOCATION, Adapter::Program, arguments.db_location.as_deref());
        let shown = format!("{arguments:?} {arguments:#?} {settings:?} {found:?} {found:#?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
