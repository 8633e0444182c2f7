//! Which engines have let a request in, so that the same one does not count it twice.

use std::fmt;

use http::Extensions;
use simple_security::{ApiKeys, VerifiedKey};

use crate::extract::ApiKey;

/// The engine that has let a request in, on the key that it carries.
///
/// Copying it gives an empty one: a copy of the extensions may end on a request that begins long
/// after the key was revoked, and that one has to be checked.
#[derive(Default)]
pub(crate) struct Passed {
    /// Its number; 0 is none. No other engine ever has it, as one may have the same address, and no
    /// request keeps anything of an engine that is gone.
    engine: u64,
    /// What another engine has left before.
    before: Option<Box<ApiKey>>,
}

/// Whether this engine has let the request in before.
#[inline]
pub(crate) fn by(keys: &ApiKeys, extensions: &Extensions) -> bool {
    let mut key = extensions.get::<ApiKey>();
    while let Some(ApiKey { passed, .. }) = key {
        if passed.engine == keys.number() {
            return true;
        }
        key = passed.before.as_deref();
    }
    false
}

/// Notes that this engine has let the request in, by this key.
#[inline]
pub(crate) fn mark(keys: &ApiKeys, verified: VerifiedKey, extensions: &mut Extensions) {
    let passed = Passed { engine: keys.number(), before: None };
    if let Some(before) = extensions.insert(ApiKey { verified, passed }) {
        keep(before, extensions);
    }
}

#[cold]
#[inline(never)]
fn keep(before: ApiKey, extensions: &mut Extensions) {
    if let Some(key) = extensions.get_mut::<ApiKey>() {
        key.passed.before = Some(Box::new(before));
    }
}

impl Clone for Passed {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Passed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Passed").finish_non_exhaustive()
    }
}
