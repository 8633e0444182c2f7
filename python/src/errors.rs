//! The engine's errors as Python's: the classes of `fastapi_simple_security._errors`, one per cause.

use pyo3::call::PyCallArgs;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use simple_security::{AdminError, KeyError, OpenError};
use simple_security_server::hint;
use simple_security_server::settings::{ConfigurationError, Settings};

static CONFIGURATION_ERROR: Class = Class::named("ConfigurationError");
static INVALID_INPUT: Class = Class::named("InvalidInput");
static KEY_EXISTS: Class = Class::named("KeyExists");
static KEY_NOT_FOUND: Class = Class::named("KeyNotFound");
static KEY_REJECTED: Class = Class::named("KeyRejected");
static STORE_UNAVAILABLE: Class = Class::named("StoreUnavailable");
static SYSTEM_FAILURE: Class = Class::named("SystemFailure");

/// Why the store is not open.
pub(crate) enum Failure {
    /// A setting is wrong.
    Configuration(ConfigurationError),
    /// The store could not be opened. The setting says where it is.
    Store { setting: String, source: OpenError },
    /// The operating system did not give what the engine needs.
    System(OpenError),
}

impl Failure {
    /// Names the setting to change.
    pub(crate) fn not_opened(error: OpenError, settings: &Settings) -> Self {
        match error {
            OpenError::Random(_) | OpenError::Thread(_) => Self::System(error),
            OpenError::EmptyAdminSecret => Self::Configuration(ConfigurationError {
                setting: settings.secret_setting.clone(),
                problem: error.to_string(),
            }),
            source => Self::Store { setting: settings.location_setting.clone(), source },
        }
    }

    /// The exception of it.
    pub(crate) fn raise(&self, py: Python<'_>) -> PyErr {
        match self {
            Self::Configuration(error) => configuration(py, &error.setting, &error.problem),
            Self::Store { source: OpenError::Store(error), .. } => store_unavailable(py, error),
            Self::Store { setting, source } => {
                let hint = hint("fastapi-simple-security", source)
                    .map_or_else(String::new, |hint| format!("; hint: {hint}"));
                configuration(py, setting, &format!("{source}{hint}"))
            }
            Self::System(error) => SYSTEM_FAILURE.raise(py, (error.to_string(),)),
        }
    }
}

fn configuration(py: Python<'_>, setting: &str, problem: &str) -> PyErr {
    CONFIGURATION_ERROR.raise(py, (setting, problem))
}

/// The exception for a key that cannot be issued, changed or shown.
pub(crate) fn of_key(py: Python<'_>, error: &KeyError) -> PyErr {
    let text = || (error.to_string(),);
    match error {
        KeyError::NotFound => KEY_NOT_FOUND.raise(py, text()),
        KeyError::Exists => KEY_EXISTS.raise(py, text()),
        KeyError::InvalidImport(error) => invalid_input(py, "key", error),
        KeyError::Store(error) => store_unavailable(py, error),
        _ => SYSTEM_FAILURE.raise(py, text()),
    }
}

/// The exception for a store that cannot be asked.
pub(crate) fn store_unavailable(py: Python<'_>, error: &dyn std::error::Error) -> PyErr {
    STORE_UNAVAILABLE.raise(py, (error.to_string(),))
}

/// The exception for an engine without an admin secret, which this setting gives.
pub(crate) fn no_admin_secret(py: Python<'_>, setting: &str, error: AdminError) -> PyErr {
    configuration(py, setting, &format!("{error}; set {setting}"))
}

/// The exception for an argument that is wrong.
pub(crate) fn invalid_input(
    py: Python<'_>,
    parameter: &str,
    problem: &dyn std::error::Error,
) -> PyErr {
    invalid_argument(py, parameter, &problem.to_string())
}

/// The exception for an argument that is wrong in this way.
pub(crate) fn invalid_argument(py: Python<'_>, parameter: &str, problem: &str) -> PyErr {
    INVALID_INPUT.raise(py, (parameter, problem))
}

/// The exception for a key that is not accepted, for a reason that is for logs; with the id of the key where
/// its whole secret was presented.
pub(crate) fn key_rejected(py: Python<'_>, reason: &str, id: Option<String>) -> PyErr {
    KEY_REJECTED.raise(py, (reason, id))
}

/// A class of the Python module, imported at its first use: the module is not built into this library.
struct Class {
    name: &'static str,
    class: PyOnceLock<Py<PyType>>,
}

impl Class {
    const fn named(name: &'static str) -> Self {
        Self { name, class: PyOnceLock::new() }
    }

    /// The exception that the class makes of its arguments.
    fn raise<'py>(&self, py: Python<'py>, arguments: impl PyCallArgs<'py>) -> PyErr {
        let class = self.class.import(py, "fastapi_simple_security._errors", self.name);
        match class.and_then(|class| class.call1(arguments)) {
            Ok(error) => PyErr::from_value(error),
            Err(error) => error,
        }
    }
}
