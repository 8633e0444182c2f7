//! The settings that only the Python package has. All others are those of `simple_security_server`.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use simple_security_server::settings::{
    Adapter, ConfigurationError, SHARED, Setting, find, is_set, serving,
};

use crate::credential::KeyHeaders;

const PACKAGE: &[Adapter] = &[Adapter::FastApi];

const HIDE_DOCS: Setting = Setting {
    name: "HIDE_DOCS",
    other_spelling: None,
    adapters: PACKAGE,
    argument: "hide_docs",
    default: "not set",
    meaning: "If present, whatever its value, the admin routes are not shown in `/docs`",
};
const REFUSAL_STATUS: Setting = Setting {
    name: "REFUSAL_STATUS",
    other_spelling: None,
    adapters: PACKAGE,
    argument: "refusal_status",
    default: "403",
    meaning: "The status of a request without a good key: 403, or 401 with `WWW-Authenticate`",
};

/// All settings of all adapters, in the order in which the documentation shows them.
pub(crate) fn all() -> impl Iterator<Item = Setting> {
    let [secret, location, expiration, prefix] = SHARED;
    [secret, location, expiration, HIDE_DOCS, prefix, REFUSAL_STATUS]
        .into_iter()
        .chain(serving::ALL)
}

/// Whether the admin routes are left out of the documentation.
pub(crate) fn hide_docs() -> bool {
    is_set(&HIDE_DOCS, Adapter::FastApi)
}

/// The status of a rejected request: of the argument, else of the environment.
pub(crate) fn refusal_status(argument: Option<&str>) -> Result<u16, ConfigurationError> {
    let found = find(&REFUSAL_STATUS, Adapter::FastApi, argument)?;
    let text = found.text.as_deref().unwrap_or(REFUSAL_STATUS.default);
    match text.trim().parse() {
        Ok(status @ (401 | 403)) => Ok(status),
        _ => Err(found.wrong(format!("{text:?} is neither 403 nor 401"))),
    }
}

/// The headers that a key is read from: those of the argument `key_headers`, else all.
pub(crate) fn key_headers(
    argument: Option<&Bound<'_, PyAny>>,
) -> Result<KeyHeaders, ConfigurationError> {
    let wrong = |problem: String| ConfigurationError { setting: "key_headers".to_owned(), problem };
    let not_names = |what: &str| wrong(format!("{what}; write a tuple of names: (\"api-key\",)"));
    let Some(argument) = argument else { return Ok(KeyHeaders::ALL) };
    // The letters of a text are texts too.
    if argument.is_instance_of::<PyString>() || argument.is_instance_of::<PyBytes>() {
        return Err(not_names("it is one name, not several"));
    }
    let names = argument.try_iter().map_err(|_| not_names("it is not a collection of names"))?;
    let mut chosen = KeyHeaders::NONE;
    for name in names {
        let name = name.and_then(|name| name.extract::<String>());
        let name = name.map_err(|_| not_names("it holds something other than a str"))?;
        if !chosen.add(&name) {
            let known = KeyHeaders::ALL.names().join(", ");
            return Err(wrong(format!("{name:?} is not one of the headers {known}")));
        }
    }
    Ok(chosen)
}
