//! An open engine, which belongs to the process that opened it.

use std::sync::{Arc, OnceLock};

use axum::Router;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use simple_security::ApiKeys;
use simple_security_admin::admin_router;
use simple_security_server::settings::Settings;

use crate::credential::KeyHeaders;

/// The engine, and the settings that it was opened with.
pub(crate) struct Opened {
    pub(crate) keys: Arc<ApiKeys>,
    pub(crate) settings: Settings,
    /// 403 or 401.
    pub(crate) refusal_status: u16,
    /// Which headers a key is read from.
    pub(crate) key_headers: KeyHeaders,
    admin: OnceLock<Router>,
}

impl Opened {
    pub(crate) fn new(
        keys: ApiKeys,
        settings: Settings,
        refusal_status: u16,
        key_headers: KeyHeaders,
    ) -> Self {
        let keys = Arc::new(keys);
        Self { keys, settings, refusal_status, key_headers, admin: OnceLock::new() }
    }

    /// The resource API, made for the first request to it.
    pub(crate) fn admin(&self) -> Router {
        let make = || admin_router(Arc::clone(&self.keys), &*self.settings.secret_setting);
        self.admin.get_or_init(make).clone()
    }
}

/// Raised where a call finds an engine that another process opened, for example by a `Question` that was
/// kept across a fork.
pub(crate) fn forked_meanwhile() -> PyErr {
    PyRuntimeError::new_err("the process was forked in the middle of a call")
}
