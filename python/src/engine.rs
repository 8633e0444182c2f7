//! The engine as a Python object: opened at first use, and again after a fork.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use pyo3::exceptions::{PyFileExistsError, PyLookupError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyType};
use pyo3::{IntoPyObjectExt, intern};
use secrecy::{ExposeSecret, SecretString};
use simple_security::config::{Arguments, Location, Settings};
use simple_security::{ApiKeys, Denied, KeyError, KeyId, Timestamp};

use crate::credential::{self, Sent};
use crate::errors::{Failure, invalid, store_unavailable, unavailable};
use crate::fork::{self, Owned};

/// What was opened, and by which settings.
struct Opened {
    keys: Arc<ApiKeys>,
    settings: Settings,
}

/// The keys of one `SimpleSecurity`. Making it opens nothing.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
pub struct Engine {
    arguments: Arguments,
    /// Called with the admin secret, once, when one was generated.
    announce: Py<PyAny>,
    opened: ArcSwapOption<Owned<Opened>>,
    /// What a relative path meant when it was first used: the working directory may change.
    location: Mutex<Option<(PathBuf, PathBuf)>>,
}

/// A key that was verified for one request.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
pub struct VerifiedKey {
    key: Py<PyString>,
    verified: simple_security::VerifiedKey,
}

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

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (announce, *, secret=None, db_location=None, automatic_expiration=None, key_prefix=None, refusal_status=None))]
    fn new(
        announce: Py<PyAny>,
        secret: Option<String>,
        db_location: Option<String>,
        automatic_expiration: Option<String>,
        key_prefix: Option<String>,
        refusal_status: Option<String>,
    ) -> Self {
        Self {
            arguments: Arguments {
                secret: secret.map(SecretString::from),
                db_location,
                automatic_expiration,
                key_prefix,
                refusal_status,
            },
            announce,
            opened: ArcSwapOption::empty(),
            location: Mutex::new(None),
        }
    }

    /// Opens the store, unless it is open.
    fn open(&self, py: Python<'_>) -> PyResult<()> {
        self.opened(py).map(drop)
    }

    /// Writes all counts and closes the store, if it is open. The next use opens it again.
    fn close(&self, py: Python<'_>) {
        // Without the GIL: the thread that writes the counts may have to log.
        py.detach(|| {
            fork::exclusively(|_| {
                let Some(opened) = self.opened.swap(None) else { return };
                if let Some(opened) = opened.get() {
                    opened.keys.close();
                }
                // Where a request is still at it, the last one closes the store.
                drop(Arc::try_unwrap(opened).map(Owned::take));
            });
        });
    }

    /// Whether the store is open, in this process.
    #[getter]
    fn is_open(&self) -> bool {
        self.opened.load().as_deref().is_some_and(|opened| opened.get().is_some())
    }

    /// The status of a refused request: 403 or 401.
    #[getter]
    fn refusal_status(&self, py: Python<'_>) -> PyResult<u16> {
        let opened = self.opened(py)?;
        opened.get().map(|opened| opened.settings.refusal_status).ok_or_else(forked_meanwhile)
    }

    /// Verifies the key of a request: of its query parameter first, then of its header. One good
    /// one is enough. Gives back a `VerifiedKey` or a `Refusal`.
    fn check<'py>(
        &self,
        py: Python<'py>,
        headers: &Bound<'py, PyList>,
        query_string: &[u8],
    ) -> PyResult<Bound<'py, PyAny>> {
        let header = credential::key_header(headers)?;
        match self.first_good(py, &header, query_string)? {
            Ok(verified) => verified.into_bound_py_any(py),
            Err(refusal) => refusal.into_bound_py_any(py),
        }
    }

    /// Lets a request in that has a good key, as `check` finds it: leaves the key in its scope
    /// under `mark`, and as `api_key` in a state that is this request's own. `kind` is what the
    /// key is made: a `str` with the attribute `_verified`. Gives back true, or a `Refusal`, or
    /// `None` where more than the key decides: before the store is open, and for a request with a
    /// header `secret-key`.
    fn admit<'py>(
        &self,
        py: Python<'py>,
        scope: &Bound<'py, PyDict>,
        mark: &Bound<'py, PyString>,
        kind: &Bound<'py, PyType>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if scope.contains(mark)? {
            return true.into_bound_py_any(py).map(Some);
        }
        let Some(headers) = scope.get_item(intern!(py, "headers"))? else { return Ok(None) };
        let Some(header) = credential::key_header_alone(headers.cast()?)? else { return Ok(None) };
        if !self.is_open() {
            return Ok(None);
        }
        let query_string = scope.get_item(intern!(py, "query_string"))?;
        let query_string = query_string.as_ref().map_or(Ok(&b""[..]), |query| query.extract())?;
        let verified = match self.first_good(py, &header, query_string)? {
            Ok(verified) => verified,
            Err(refusal) => return refusal.into_bound_py_any(py).map(Some),
        };
        let key = new_text(py)?.call1((kind, &verified.key))?;
        key.setattr(intern!(py, "_verified"), verified)?;
        let state = intern!(py, "state");
        let own = match scope.get_item(state)? {
            Some(given) => given.cast_into::<PyDict>()?.copy()?,
            None => PyDict::new(py),
        };
        own.set_item(intern!(py, "api_key"), &key)?;
        scope.set_item(state, own)?;
        scope.set_item(mark, key)?;
        true.into_bound_py_any(py).map(Some)
    }

    /// Why a request may not change keys; `None` when it may.
    fn check_admin<'py>(
        &self,
        py: Python<'py>,
        headers: &Bound<'py, PyList>,
    ) -> PyResult<Option<Refusal>> {
        let opened = self.opened(py)?;
        let opened = opened.get().ok_or_else(forked_meanwhile)?;
        Ok(match credential::secret_header(headers)? {
            Sent::Nothing => Some(Refusal::NotPresented),
            Sent::Repeated => Some(Refusal::Repeated),
            Sent::Once(secret) => match opened.keys.admin_secret() {
                Ok(_) if secret.as_bytes().is_empty() => Some(Refusal::NotPresented),
                Ok(ours) if ours.matches(secret.as_bytes()) => None,
                Ok(_) => Some(Refusal::Denied),
                Err(error) => return Err(store_unavailable(py, &error)),
            },
        })
    }
}

impl Engine {
    /// The key of a request: of its query parameter first, then of its header.
    #[inline]
    fn first_good(
        &self,
        py: Python<'_>,
        header: &Sent<Bound<'_, PyBytes>>,
        query_string: &[u8],
    ) -> PyResult<Result<VerifiedKey, Refusal>> {
        let parameter = credential::key_parameter(query_string);
        if matches!(header, Sent::Repeated) || matches!(parameter, Sent::Repeated) {
            return Ok(Err(Refusal::Repeated));
        }
        let candidates = [
            match &parameter {
                Sent::Once(key) => key.as_bytes(),
                _ => b"",
            },
            match header {
                Sent::Once(key) => key.as_bytes(),
                _ => b"",
            },
        ];
        let mut refusal = Refusal::NotPresented;
        for presented in candidates.into_iter().filter(|presented| !presented.is_empty()) {
            if let Some(verified) = self.verify(py, presented)? {
                return Ok(Ok(verified));
            }
            refusal = Refusal::Denied;
        }
        Ok(Err(refusal))
    }

    /// The hot path: a cached key is verified here, with the GIL and without a wait.
    #[inline]
    fn verify(&self, py: Python<'_>, presented: &[u8]) -> PyResult<Option<VerifiedKey>> {
        let opened = self.opened.load();
        let verdict = match opened.as_deref().and_then(Owned::get) {
            Some(opened) => opened.keys.verify_cached(presented),
            None => None,
        };
        let verdict = match verdict {
            Some(verdict) => verdict,
            None => {
                drop(opened);
                let opened = self.opened(py)?;
                let opened = opened.get().ok_or_else(forked_meanwhile)?;
                py.detach(|| pollster::block_on(opened.keys.verify(presented)))
            }
        };
        match verdict {
            Ok(verified) => {
                let key = match std::str::from_utf8(presented) {
                    Ok(key) => PyString::new(py, key),
                    Err(_) => PyString::new(py, &String::from_utf8_lossy(presented)),
                };
                let key = key.unbind();
                Ok(Some(VerifiedKey { key, verified }))
            }
            Err(Denied::Unavailable(error)) => Err(store_unavailable(py, &error)),
            Err(reason) => {
                if let Denied::Revoked(_) | Denied::Expired(_) = reason {
                    tracing::info!("refused: {reason}");
                }
                Ok(None)
            }
        }
    }

    /// What is open in this process. The GIL is let go while it is opened.
    fn opened(&self, py: Python<'_>) -> PyResult<Arc<Owned<Opened>>> {
        loop {
            if let Some(opened) = self.opened_here() {
                return Ok(opened);
            }
            let made = py.detach(|| {
                fork::exclusively(|open| {
                    if self.opened_here().is_some() {
                        return Ok(None);
                    }
                    let mut settings =
                        Settings::load(&self.arguments).map_err(Failure::Configuration)?;
                    if let Location::Sqlite(path) = &mut settings.location {
                        *path = self.absolute(std::mem::take(path));
                    }
                    let (keys, secret) = ApiKeys::open(&settings).map_err(Failure::Open)?;
                    let keys = Arc::new(keys);
                    open.push(Arc::downgrade(&keys));
                    self.opened.store(Some(Arc::new(Owned::new(Opened { keys, settings }))));
                    Ok(secret)
                })
            });
            if let Some(secret) = made.map_err(|failure: Failure| failure.raise(py))? {
                self.announce.call1(py, (secret.expose_secret(),))?;
            }
        }
    }

    /// The path that a location means: what it meant before, while it is set to the same.
    fn absolute(&self, set: PathBuf) -> PathBuf {
        let mut location = self.location.lock().unwrap_or_else(PoisonError::into_inner);
        match &*location {
            Some((before, absolute)) if *before == set => absolute.clone(),
            _ => {
                let absolute = std::path::absolute(&set).unwrap_or_else(|_| set.clone());
                *location = Some((set, absolute.clone()));
                absolute
            }
        }
    }

    fn opened_here(&self) -> Option<Arc<Owned<Opened>>> {
        self.opened.load_full().filter(|opened| opened.get().is_some())
    }

    /// Asks the open engine something that may take long.
    pub(crate) fn with<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&ApiKeys) -> Result<T, KeyError> + Send,
    ) -> PyResult<T> {
        let opened = self.opened(py)?;
        let opened = opened.get().ok_or_else(forked_meanwhile)?;
        py.detach(|| ask(&opened.keys)).map_err(|error| match error {
            KeyError::NotFound => PyLookupError::new_err(error.to_string()),
            KeyError::Exists => PyFileExistsError::new_err(error.to_string()),
            KeyError::InvalidImport(error) => invalid("key", &error),
            KeyError::Store(error) => store_unavailable(py, &error),
            other => unavailable(py, other.to_string()),
        })
    }
}

#[pymethods]
impl VerifiedKey {
    /// The key as it was sent.
    #[getter]
    fn key(&self, py: Python<'_>) -> Py<PyString> {
        self.key.clone_ref(py)
    }

    /// The public handle of the key.
    #[getter]
    fn id(&self) -> String {
        KeyId::to_string(&self.verified.id())
    }

    /// The name of the key, empty where it has none.
    #[getter]
    fn name(&self) -> &str {
        self.verified.record().name.as_str()
    }

    /// From when on it is refused, in Unix seconds; `None` when it never expires.
    #[getter]
    fn expires_at(&self) -> Option<i64> {
        self.verified.record().expiry().map(Timestamp::seconds)
    }

    fn __repr__(&self) -> String {
        format!("VerifiedKey(id={:?})", self.id())
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

/// A thread that was forked in the middle of a call does not go on: it is not in the child.
fn forked_meanwhile() -> PyErr {
    PyRuntimeError::new_err("the process was forked in the middle of a call")
}
