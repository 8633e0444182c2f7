//! `fastapi_simple_security._core`: the engine for Python.
//!
//! Importing it opens nothing and starts no thread.

use std::ffi::OsString;

use pyo3::prelude::*;
use simple_security::store::{PARAMETERS, Parameter};
use simple_security_server::settings::{Adapter, Setting};
use simple_security_server::{Program, run};

mod admin;
mod arguments;
mod credential;
mod details;
mod engine;
mod errors;
mod fork;
mod keys;
mod legacy;
mod log_throttle;
mod logging;
mod opened;
mod presented;
mod settings;
mod verdict;

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::admin::{AdminRequest, AdminResponse, openapi};
    #[pymodule_export]
    use super::details::{IssuedKey, KeyDetails, KeyUsage};
    #[pymodule_export]
    use super::engine::Engine;
    #[pymodule_export]
    use super::fork::{after_fork_in_child, after_fork_in_parent, before_fork};
    #[pymodule_export]
    use super::keys::{Change, KeyPage, KeyQuery, Keys};
    #[pymodule_export]
    use super::legacy::{LegacyChange, LegacyKey, LegacyKeys};
    #[pymodule_export]
    use super::log_throttle::LogThrottle;
    #[pymodule_export]
    use super::verdict::{Admin, Question, Refusal, VerifiedKey};
    #[pymodule_export]
    use super::{hide_docs, main, parameters, setting_rows};

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::logging::install();
        module.add("MAX_IN_FLIGHT", simple_security_admin::MAX_IN_FLIGHT)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

/// Whether the admin routes are to be left out of the documentation.
#[pyfunction]
fn hide_docs() -> bool {
    settings::hide_docs()
}

/// The program `fastapi-simple-security`: does what the arguments say, without the name of the program,
/// and gives back the exit code.
///
/// It is for a process of its own, which does not fork meanwhile.
#[pyfunction]
fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    let program = Program::Python { check: || settings::refusal_status(None).map(drop) };
    py.detach(|| run(arguments, program))
}

/// A setting: the variables of the package and of the program `simple-security`, the other spelling
/// of the first, argument, default, meaning.
type SettingRow = (
    Option<String>,
    Option<String>,
    Option<&'static str>,
    &'static str,
    &'static str,
    &'static str,
);

/// All settings.
#[pyfunction]
#[pyo3(name = "settings")]
fn setting_rows() -> Vec<SettingRow> {
    let row = |setting: Setting| {
        let [package, program] =
            [Adapter::FastApi, Adapter::Program].map(|adapter| setting.variable(adapter));
        let Setting { other_spelling, argument, default, meaning, .. } = setting;
        (package, program, other_spelling, argument, default, meaning)
    };
    settings::all().map(row).collect()
}

/// All parameters of the URL of a store on the network: name, default, meaning.
#[pyfunction]
fn parameters() -> Vec<(&'static str, &'static str, &'static str)> {
    PARAMETERS
        .iter()
        .map(|Parameter { name, default, meaning }| (*name, *default, *meaning))
        .collect()
}
