//! Every setting, declared once: name, default, meaning. The only reader of the environment.

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::key::KeyFormat;

mod location;
pub mod serving;

pub use location::{Location, PARAMETERS, Parameter, Server};

/// Who reads the settings. Each has a prefix of its own for the variables, so that two of them can
/// share an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// The Python package, with the prefix of the package that it takes the place of.
    FastApi,
    /// The program `simple-security`.
    Program,
}

impl Face {
    /// What the variables begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::FastApi => "FASTAPI_SIMPLE_SECURITY_",
            Self::Program => "SIMPLE_SECURITY_",
        }
    }
}

/// One setting as its reader knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The environment variable, after the prefix of a face.
    name: &'static str,
    /// Another spelling of the whole variable that works too, where the prefix is that of
    /// [`Face::FastApi`].
    pub other_spelling: Option<&'static str>,
    /// Who has it.
    faces: &'static [Face],
    /// The argument that sets it from code.
    pub argument: &'static str,
    /// What holds when nobody sets it.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

impl Setting {
    /// The environment variable of a face; `None` where the face has no such setting.
    pub fn variable(&self, face: Face) -> Option<String> {
        self.faces.contains(&face).then(|| format!("{}{}", face.prefix(), self.name))
    }
}

const EVERY_FACE: &[Face] = &[Face::FastApi, Face::Program];

const SECRET: Setting = Setting {
    name: "SECRET",
    other_spelling: None,
    faces: EVERY_FACE,
    argument: "secret",
    default: "generated at start and printed once; needed for PostgreSQL and Redis",
    meaning: "The admin secret, which the admin routes expect in the header `secret-key`",
};
const DB_LOCATION: Setting = Setting {
    name: "DB_LOCATION",
    other_spelling: None,
    faces: EVERY_FACE,
    argument: "db_location",
    default: "sqlite.db",
    meaning: "Where the keys are: a file, by a path or a URL such as `sqlite:///keys.db` (four slashes for an absolute path), or a store for many machines, `postgres://user:password@host/database` or `redis://host/0`",
};
const AUTOMATIC_EXPIRATION: Setting = Setting {
    name: "AUTOMATIC_EXPIRATION",
    other_spelling: Some("FAST_API_SIMPLE_SECURITY_AUTOMATIC_EXPIRATION"),
    faces: EVERY_FACE,
    argument: "automatic_expiration",
    default: "15",
    meaning: "Days until a new or renewed key expires, 1 to 36500",
};
const HIDE_DOCS: Setting = Setting {
    name: "HIDE_DOCS",
    other_spelling: None,
    faces: &[Face::FastApi],
    argument: "hide_docs",
    default: "not set",
    meaning: "If present, whatever its value, the admin routes are not shown in `/docs`",
};
const KEY_PREFIX: Setting = Setting {
    name: "KEY_PREFIX",
    other_spelling: None,
    faces: EVERY_FACE,
    argument: "key_prefix",
    default: "fss",
    meaning: "What new keys start with, such as `acme` or `acme_live`",
};
const REFUSAL_STATUS: Setting = Setting {
    name: "REFUSAL_STATUS",
    other_spelling: None,
    faces: &[Face::FastApi],
    argument: "refusal_status",
    default: "403",
    meaning: "The status of a request without a good key: 403, or 401 with `WWW-Authenticate`",
};

/// All settings, in the order in which the documentation shows them.
pub const SETTINGS: [Setting; 15] = {
    let [listen, file, proxies, connections, grace, level, format, admin, docs] = serving::ALL;
    [
        SECRET,
        DB_LOCATION,
        AUTOMATIC_EXPIRATION,
        HIDE_DOCS,
        KEY_PREFIX,
        REFUSAL_STATUS,
        listen,
        file,
        proxies,
        connections,
        grace,
        level,
        format,
        admin,
        docs,
    ]
};

/// A setting is wrong. The text names it and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct ConfigurationError {
    /// The variable or the argument that was wrong.
    pub setting: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

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
    /// See [`Settings::refusal_status`].
    pub refusal_status: Option<String>,
}

impl fmt::Debug for Arguments {
    /// Without the location, which may have a password in it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret, db_location: _, automatic_expiration, key_prefix, refusal_status } =
            self;
        formatter
            .debug_struct("Arguments")
            .field("secret", secret)
            .field("automatic_expiration", automatic_expiration)
            .field("key_prefix", key_prefix)
            .field("refusal_status", refusal_status)
            .finish_non_exhaustive()
    }
}

/// All that an engine and its face are set to.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the keys are kept.
    pub location: Location,
    /// How errors call the setting that gave the location.
    pub location_setting: String,
    /// The admin secret; `None`: one is generated.
    pub admin_secret: Option<SecretString>,
    /// How errors call the setting that gives the secret.
    pub secret_setting: String,
    /// How keys look.
    pub key_format: KeyFormat,
    /// Days until a new or renewed key expires.
    pub automatic_expiration: u32,
    /// 403 or 401.
    pub refusal_status: u16,
    /// The size of the engine's parts.
    pub engine: EngineSettings,
}

/// What is set from Rust alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineSettings {
    /// How long counts may wait before they are written.
    pub flush_interval: Duration,
    /// How many known keys are cached.
    pub known_keys: usize,
    /// How many unknown keys are cached.
    pub unknown_keys: usize,
    /// How many keys that are not cached a store on the network is asked for in a second, on
    /// average. Those over it are refused as [`Denied::Unavailable`](crate::Denied::Unavailable).
    pub look_ups_per_second: u32,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            flush_interval: Duration::from_secs(1),
            known_keys: 100_000,
            unknown_keys: 10_000,
            look_ups_per_second: 2_000,
        }
    }
}

impl Settings {
    /// Reads all settings: from the arguments, else from the environment, else the defaults. The
    /// variables are those of [`Face::FastApi`].
    ///
    /// # Errors
    /// [`ConfigurationError`] names the first one that is wrong.
    pub fn load(arguments: &Arguments) -> Result<Self, ConfigurationError> {
        Self::load_for(Face::FastApi, arguments)
    }

    /// The same, by the variables of a face.
    ///
    /// # Errors
    /// Those of [`Settings::load`].
    pub fn load_for(face: Face, arguments: &Arguments) -> Result<Self, ConfigurationError> {
        let secret = match &arguments.secret {
            Some(secret) => Found { name: SECRET.argument.to_owned(), text: Some(secret.clone()) },
            None => {
                let found = environment(&SECRET, face)?;
                Found { name: found.name, text: found.text.map(SecretString::from) }
            }
        };
        let location = find(&DB_LOCATION, face, arguments.db_location.as_deref())?;
        let days = find(&AUTOMATIC_EXPIRATION, face, arguments.automatic_expiration.as_deref())?;
        let prefix = find(&KEY_PREFIX, face, arguments.key_prefix.as_deref())?;
        let status = find(&REFUSAL_STATUS, face, arguments.refusal_status.as_deref())?;
        Ok(Self {
            admin_secret: check_secret(&secret)?,
            secret_setting: secret.name,
            location: parse_location(&location)?,
            key_format: KeyFormat::new(prefix.text.as_deref().unwrap_or(KEY_PREFIX.default))
                .map_err(|error| prefix.wrong(error.to_string()))?,
            automatic_expiration: parse_days(&days)?,
            refusal_status: parse_status(&status)?,
            location_setting: location.name,
            engine: EngineSettings::default(),
        })
    }
}

/// Whether the admin routes are to be left out of the documentation.
pub fn hide_docs() -> bool {
    HIDE_DOCS.variable(Face::FastApi).is_some_and(|name| variable(&name).is_some())
}

/// What was set, and how the one who set it calls it.
#[derive(Clone)]
pub struct Found<T> {
    /// The variable or the argument.
    pub name: String,
    /// `None`: nobody has set it.
    pub text: Option<T>,
}

impl<T> fmt::Debug for Found<T> {
    /// Without the text, which may have a password in it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Found").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T> Found<T> {
    /// The error that says what is wrong with it, and what to do.
    pub fn wrong(&self, problem: String) -> ConfigurationError {
        ConfigurationError { setting: self.name.clone(), problem }
    }
}

/// What the argument says, else the variable of the face.
///
/// # Errors
/// When the variable is no UTF-8, or its two spellings say different things.
pub fn find(
    setting: &Setting,
    face: Face,
    argument: Option<&str>,
) -> Result<Found<String>, ConfigurationError> {
    match argument {
        Some(text) => Ok(Found { name: setting.argument.to_owned(), text: Some(text.to_owned()) }),
        None => environment(setting, face),
    }
}

fn environment(setting: &Setting, face: Face) -> Result<Found<String>, ConfigurationError> {
    let Some(name) = setting.variable(face) else {
        return Ok(Found { name: setting.argument.to_owned(), text: None });
    };
    let read = |name: &str| -> Result<Found<String>, ConfigurationError> {
        let found = Found { name: name.to_owned(), text: None };
        match variable(name).map(std::ffi::OsString::into_string) {
            None => Ok(found),
            Some(Ok(text)) => Ok(Found { text: Some(text), ..found }),
            Some(Err(_)) => Err(found.wrong("it is not valid UTF-8; set it anew".to_owned())),
        }
    };
    let first = read(&name)?;
    let other = setting.other_spelling.filter(|_| face == Face::FastApi);
    let Some(other) = other else { return Ok(first) };
    let other = read(other)?;
    match (&first.text, &other.text) {
        (Some(a), Some(b)) if a != b => Err(first.wrong(format!(
            "it says {a:?} and its other spelling {} says {b:?}; set only one of them",
            other.name
        ))),
        (None, Some(_)) => Ok(other),
        _ => Ok(first),
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the one place")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}

fn check_secret(found: &Found<SecretString>) -> Result<Option<SecretString>, ConfigurationError> {
    let Some(secret) = &found.text else { return Ok(None) };
    let text = secret.expose_secret();
    if text.is_empty() {
        return Err(found.wrong(
            "the admin secret is empty; set a long random one, or leave it away to have one generated"
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

fn parse_location(found: &Found<String>) -> Result<Location, ConfigurationError> {
    Location::parse(found.text.as_deref().unwrap_or(DB_LOCATION.default))
        .map_err(|problem| found.wrong(problem))
}

fn parse_days(found: &Found<String>) -> Result<u32, ConfigurationError> {
    let text = found.text.as_deref().unwrap_or(AUTOMATIC_EXPIRATION.default);
    match text.trim().parse() {
        Ok(days @ 1..=36_500) => Ok(days),
        _ => Err(found.wrong(format!("{text:?} is not a number of days from 1 to 36500"))),
    }
}

fn parse_status(found: &Found<String>) -> Result<u16, ConfigurationError> {
    let text = found.text.as_deref().unwrap_or(REFUSAL_STATUS.default);
    match text.trim().parse() {
        Ok(status @ (401 | 403)) => Ok(status),
        _ => Err(found.wrong(format!("{text:?} is neither 403 nor 401"))),
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
    fn a_face_has_variables_of_its_own() {
        let variables = |face| SETTINGS.map(|setting| setting.variable(face));
        let secret = |prefix: &str| Some(format!("{prefix}SIMPLE_SECURITY_SECRET"));
        assert_eq!(variables(Face::FastApi)[0], secret("FASTAPI_"));
        assert_eq!(variables(Face::Program)[0], secret(""));
        assert_eq!(HIDE_DOCS.variable(Face::Program), None);
        for face in EVERY_FACE {
            let names: Vec<_> = variables(*face).into_iter().flatten().collect();
            assert!(names.iter().all(|name| name.starts_with(face.prefix())), "{names:?}");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let arguments = Arguments {
            secret: Some("hunter2".into()),
            db_location: Some("postgres://user:hunter2@host/keys".to_owned()),
            ..Arguments::default()
        };
        let settings = Settings::load(&arguments).expect("settings");
        let found = find(&DB_LOCATION, Face::Program, arguments.db_location.as_deref());
        let shown = format!("{arguments:?} {arguments:#?} {settings:?} {found:?} {found:#?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
