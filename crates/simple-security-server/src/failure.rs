//! Why a command ends without having done what it was asked, and how it says so.

use std::io::{self, Write as _};

use simple_security::store::StoreError;
use simple_security::{KeyError, OpenError};

use crate::settings::{ConfigurationError, SHARED, Settings, serving};

/// See the module. No text shows a key.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments or the settings are wrong: exit code 2.
    Usage(String),
    /// It was refused, or it failed: exit code 1.
    Refused(String),
    /// The same, with a command that helps.
    Hinted { text: String, hint: String },
    /// The help, or the usage: to be shown as it is, with this exit code.
    Shown { text: String, code: u8 },
    /// Who read the output has closed it before the end.
    Closed,
}

impl Failure {
    /// Says it, and gives back the exit code.
    pub(crate) fn report(self) -> u8 {
        match self {
            Self::Usage(text) => say(&format!("error: {text}\n"), 2),
            Self::Refused(text) => say(&format!("error: {text}\n"), 1),
            Self::Hinted { text, hint } => say(&format!("error: {text}\nhint: {hint}\n"), 1),
            Self::Shown { text, code: 0 } => {
                let mut output = io::stdout().lock();
                // Nobody to read the help is no fault of the help.
                let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
                0
            }
            Self::Shown { text, code } => say(&text, code),
            // As `| head` does it: it has had enough.
            Self::Closed => 0,
        }
    }
}

fn say(text: &str, code: u8) -> u8 {
    // There is nobody else to tell that it cannot be said.
    let _ = io::stderr().lock().write_all(text.as_bytes());
    code
}

/// What writing to the standard output has failed with.
pub(crate) fn output(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::Refused(format!("the output cannot be written: {error}")),
    }
}

/// How the command line calls a setting that an error names by its argument.
pub(crate) fn flag_of(setting: &str) -> String {
    match SHARED.iter().chain(&serving::ALL).any(|known| known.argument == setting) {
        true => format!("--{}", setting.replace('_', "-")),
        false => setting.to_owned(),
    }
}

/// Why the engine could not start. An error of the store names the setting that says where it is.
pub(crate) fn not_opened(error: &OpenError, settings: &Settings) -> Failure {
    Failure::Refused(match error {
        OpenError::Random(_) | OpenError::Thread(_) => error.to_string(),
        of_the_store => format!("{}: {of_the_store}", flag_of(&settings.location_setting)),
    })
}

impl From<ConfigurationError> for Failure {
    fn from(error: ConfigurationError) -> Self {
        Self::Usage(format!("{}: {}", flag_of(&error.setting), error.problem))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::Refused(error.to_string())
    }
}
