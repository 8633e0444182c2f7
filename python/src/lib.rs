//! `fastapi_simple_security._core`: the engine for Python.
//!
//! Importing it opens nothing and starts no thread.

use pyo3::prelude::*;

mod credential;
mod engine;
mod errors;
mod fork;
mod keys;
mod logging;

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::engine::{Engine, Refusal, VerifiedKey};
    #[pymodule_export]
    use super::fork::{after_fork_in_child, after_fork_in_parent, before_fork};
    #[pymodule_export]
    use super::keys::Keys;
    #[pymodule_export]
    use super::{hide_docs, settings};

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::logging::install();
        module.add("CURSOR_PATTERN", simple_security::Cursor::PATTERN)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

/// Whether the admin routes are to be left out of the documentation.
#[pyfunction]
fn hide_docs() -> bool {
    simple_security::config::hide_docs()
}

/// All settings: variable, other spelling, argument, default and meaning of each.
#[pyfunction]
#[allow(clippy::type_complexity, reason = "one row of a table")]
fn settings() -> Vec<(&'static str, Option<&'static str>, &'static str, &'static str, &'static str)>
{
    simple_security::config::SETTINGS
        .iter()
        .map(|s| (s.variable, s.other_spelling, s.argument, s.default, s.meaning))
        .collect()
}
