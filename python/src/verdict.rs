//! What is said of the key of a request: it is good, it is refused, or the store must be asked.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyString, PyType};
use pyo3::{IntoPyObjectExt, intern};
use simple_security::{KeyId, Timestamp, VerifyError};

use crate::errors::store_unavailable;
use crate::fork::Owned;
use crate::opened::{Opened, forked_meanwhile};

/// What can be said at once.
pub(crate) enum Verdict<'py> {
    /// The key, of the class that was asked for.
    Good(Bound<'py, PyAny>),
    Refused(Refusal),
    Open(Question),
}

impl<'py> Verdict<'py> {
    /// As Python has it.
    pub(crate) fn shown(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Good(key) => Ok(key),
            Self::Refused(refusal) => refusal.into_bound_py_any(py),
            Self::Open(question) => question.into_bound_py_any(py),
        }
    }
}

/// What is known of a key, as it was when it was verified.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
pub struct VerifiedKey(simple_security::VerifiedKey);

/// Why a request may not pass.
#[pyclass(frozen, eq, eq_int, hash, module = "fastapi_simple_security._core")]
#[derive(PartialEq, Eq, Hash, Clone, Copy)]
pub enum Refusal {
    /// No credential was sent.
    NotPresented,
    /// It was sent more than once.
    Repeated,
    /// It is not good.
    Denied,
}

/// The proof that a request has the admin secret. Only the check of a request makes one.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
pub struct Admin(pub(crate) simple_security::Admin);

/// What only a store on the network can answer: that takes a wait, which is not for the event loop.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
pub struct Question {
    opened: Arc<Owned<Opened>>,
    /// The keys of the request that are not refused yet, in their order.
    presented: Vec<Vec<u8>>,
    kind: Py<PyType>,
}

#[pymethods]
impl VerifiedKey {
    /// The public handle of the key.
    #[getter]
    fn id(&self) -> String {
        KeyId::to_string(&self.0.id())
    }

    /// The name of the key, empty where it has none.
    #[getter]
    fn name(&self) -> &str {
        self.0.record().name.as_str()
    }

    /// The owner of the key, empty where it has no owner.
    #[getter]
    fn owner(&self) -> &str {
        self.0.owner()
    }

    /// From when on it is refused, in Unix seconds; `None` when it never expires.
    #[getter]
    fn expires_at(&self) -> Option<i64> {
        self.0.record().expiry().date().map(Timestamp::seconds)
    }

    fn __repr__(&self) -> String {
        format!("VerifiedKey(id={:?})", self.id())
    }
}

#[pymethods]
impl Question {
    /// Asks the store, and holds this thread until it has answered, or was given up. Gives back the
    /// key or a `Refusal`.
    fn ask<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let opened = self.opened.get().ok_or_else(forked_meanwhile)?;
        for presented in &self.presented {
            let verdict = py.detach(|| pollster::block_on(opened.keys.verify(presented)));
            if let Some(key) = accepted(self.kind.bind(py), presented, verdict)? {
                return Ok(key);
            }
        }
        Refusal::Denied.into_bound_py_any(py)
    }
}

impl Question {
    pub(crate) fn new<'a>(
        opened: Arc<Owned<Opened>>,
        presented: impl Iterator<Item = &'a [u8]>,
        kind: &Bound<'_, PyType>,
    ) -> Self {
        let presented = presented.map(<[u8]>::to_vec).collect();
        Self { opened, presented, kind: kind.clone().unbind() }
    }
}

/// The key that was verified, if it was: a `kind`, which is a `str` with the attribute `_verified`.
#[inline]
pub(crate) fn accepted<'py>(
    kind: &Bound<'py, PyType>,
    presented: &[u8],
    verdict: Result<simple_security::VerifiedKey, VerifyError>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = kind.py();
    match verdict {
        Ok(verified) => {
            let text = PyString::from_bytes(py, presented)
                .unwrap_or_else(|_| PyString::new(py, &String::from_utf8_lossy(presented)));
            let key = new_text(py)?.call1((kind, text))?;
            key.setattr(intern!(py, "_verified"), VerifiedKey(verified))?;
            Ok(Some(key))
        }
        Err(VerifyError::Unavailable(error)) => Err(store_unavailable(py, &*error)),
        Err(error) if error.is_transient() => Err(store_unavailable(py, &error)),
        Err(reason) => {
            if let VerifyError::Revoked(_) | VerifyError::Expired(_) = reason {
                tracing::info!("refused: {reason}");
            }
            Ok(None)
        }
    }
}

/// `str.__new__`, which makes a `str` of a class of its own.
fn new_text<'py>(py: Python<'py>) -> PyResult<&'py Bound<'py, PyAny>> {
    static NEW: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let new = NEW.get_or_try_init(py, || {
        py.get_type::<PyString>().getattr(intern!(py, "__new__")).map(Bound::unbind)
    });
    new.map(|new| new.bind(py))
}
