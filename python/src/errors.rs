//! The engine's errors as Python's: the classes of `fastapi_simple_security._errors`.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use simple_security::OpenError;
use simple_security::store::StoreError;
use simple_security_server::settings::{ConfigurationError, Settings};

/// Why the store is not open.
pub(crate) enum Failure {
    /// A setting is wrong.
    Configuration(ConfigurationError),
    /// The store could not be opened. The setting says where it is.
    Store { setting: String, source: StoreError },
    /// The engine could not start for another reason.
    Engine(OpenError),
}

impl Failure {
    /// Names the setting that says where the store is.
    pub(crate) fn not_opened(error: OpenError, settings: &Settings) -> Self {
        match error {
            OpenError::Store(source) => {
                Self::Store { setting: settings.location_setting.clone(), source }
            }
            other => Self::Engine(other),
        }
    }

    /// The exception of it.
    pub(crate) fn raise(&self, py: Python<'_>) -> PyErr {
        match self {
            Self::Configuration(error) => configuration(py, &error.setting, &error.problem),
            Self::Store { setting, source } => match source {
                StoreError::Busy { .. }
                | StoreError::DiskFull { .. }
                | StoreError::Replaced { .. }
                | StoreError::Unreachable { .. }
                | StoreError::Failed { .. } => store_unavailable(py, source),
                source => configuration(py, setting, &source.to_string()),
            },
            Self::Engine(error) => unavailable(py, error.to_string()),
        }
    }
}

fn configuration(py: Python<'_>, setting: &str, problem: &str) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(py, &CLASS, "ConfigurationError", (setting, problem))
}

/// The exception for a store that cannot be asked.
pub(crate) fn store_unavailable(py: Python<'_>, error: &StoreError) -> PyErr {
    unavailable(py, error.to_string())
}

/// The exception for an engine without an admin secret, which this setting gives.
pub(crate) fn no_admin_secret(py: Python<'_>, setting: &str, error: &StoreError) -> PyErr {
    configuration(py, setting, &format!("{error}; set {setting}"))
}

/// The exception for what cannot be done now.
pub(crate) fn unavailable(py: Python<'_>, problem: String) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    raise(py, &CLASS, "StoreUnavailable", (problem,))
}

/// The exception for input that is wrong: a `ValueError` of the parameter's name and of what is wrong
/// with it.
pub(crate) fn invalid(parameter: &'static str, problem: &dyn std::error::Error) -> PyErr {
    PyValueError::new_err((parameter, problem.to_string()))
}

fn raise<'py>(
    py: Python<'py>,
    class: &PyOnceLock<Py<PyType>>,
    name: &str,
    arguments: impl pyo3::call::PyCallArgs<'py>,
) -> PyErr {
    let raised = class
        .import(py, "fastapi_simple_security._errors", name)
        .and_then(|class| class.call1(arguments));
    match raised {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}
