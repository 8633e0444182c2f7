//! A key that Python code presents, outside of any request.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use simple_security::{KeyId, VerifiedKey, VerifyError};

use crate::errors::key_rejected;
use crate::verdict::accepted;

/// A text that may be a key.
pub(crate) struct Presented<'a>(&'a str);

impl<'a> Presented<'a> {
    /// Reads a `str`. Text that is not valid Unicode is rejected as malformed.
    pub(crate) fn read(text: &'a Bound<'_, PyAny>) -> PyResult<Self> {
        let py = text.py();
        let Ok(text) = text.cast::<PyString>() else {
            let class = text.get_type();
            let problem = format!("a key to verify is a str, not {}", class.name()?);
            return Err(PyTypeError::new_err(problem));
        };
        text.to_str().map(Self).map_err(|_| key_rejected(py, MALFORMED, None))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The key that was verified. Raises `KeyRejected`, or `StoreUnavailable`.
    pub(crate) fn accepted<'py>(
        &self,
        kind: &Bound<'py, PyType>,
        verdict: Result<VerifiedKey, VerifyError>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (reason, id) = verdict.as_ref().err().map_or(("", None), reason);
        let id = id.map(|id| id.to_string());
        accepted(kind, self.bytes(), verdict)?.ok_or_else(|| key_rejected(kind.py(), reason, id))
    }
}

const MALFORMED: &str = "malformed";

/// Why a key is rejected, and its id where the whole secret was presented.
fn reason(error: &VerifyError) -> (&'static str, Option<KeyId>) {
    match error {
        VerifyError::Malformed(_) => (MALFORMED, None),
        VerifyError::Unknown => ("unknown", None),
        VerifyError::Revoked(id) => ("revoked", Some(*id)),
        VerifyError::Expired(id) => ("expired", Some(*id)),
        // Without an answer of the store, `accepted` raises another exception.
        _ => ("rejected", None),
    }
}
