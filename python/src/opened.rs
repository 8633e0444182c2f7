//! An open engine, which belongs to the process that opened it.

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use simple_security::ApiKeys;
use simple_security_server::settings::Settings;

/// The engine, and the settings that it was opened with.
pub(crate) struct Opened {
    pub(crate) keys: Arc<ApiKeys>,
    pub(crate) settings: Settings,
    /// 403 or 401.
    pub(crate) refusal_status: u16,
}

/// Raised where a call finds an engine that another process opened, for example by a `Question` that was
/// kept across a fork.
pub(crate) fn forked_meanwhile() -> PyErr {
    PyRuntimeError::new_err("the process was forked in the middle of a call")
}
