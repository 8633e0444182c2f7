//! Reads settings: from an argument, else from the environment.

use std::ffi::OsString;
use std::fmt;

use super::setting::{Adapter, Setting};

/// A setting is wrong. The text names it and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct ConfigurationError {
    /// The variable or the argument that was wrong.
    pub setting: String,
    /// What is wrong, and what to do.
    pub problem: String,
}

/// What was set, and the name of the variable or argument that set it.
#[derive(Clone)]
pub struct Found<T> {
    /// The variable or the argument.
    pub name: String,
    /// `None` where it is not set.
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

/// Reads a setting: the argument, else the variable of the adapter.
///
/// # Errors
/// When the variable is not UTF-8, or its two spellings differ.
pub fn find(
    setting: &Setting,
    adapter: Adapter,
    argument: Option<&str>,
) -> Result<Found<String>, ConfigurationError> {
    match argument {
        Some(text) => Ok(Found { name: setting.argument.to_owned(), text: Some(text.to_owned()) }),
        None => environment(setting, adapter),
    }
}

/// Reads a setting from its variable.
pub(super) fn environment(
    setting: &Setting,
    adapter: Adapter,
) -> Result<Found<String>, ConfigurationError> {
    let Some(name) = setting.variable(adapter) else {
        return Ok(Found { name: setting.argument.to_owned(), text: None });
    };
    let read = |name: &str| -> Result<Found<String>, ConfigurationError> {
        let found = Found { name: name.to_owned(), text: None };
        match variable(name).map(OsString::into_string) {
            None => Ok(found),
            Some(Ok(text)) => Ok(Found { text: Some(text), ..found }),
            Some(Err(_)) => Err(found.wrong("it is not valid UTF-8; set it again".to_owned())),
        }
    };
    let first = read(&name)?;
    let other = setting.other_spelling.filter(|_| adapter == Adapter::FastApi);
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

/// Whether the variable of a setting is present, whatever its value.
pub fn is_set(setting: &Setting, adapter: Adapter) -> bool {
    setting.variable(adapter).is_some_and(|name| variable(&name).is_some())
}

#[allow(clippy::disallowed_methods, reason = "the only place that reads variables")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
