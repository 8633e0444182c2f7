//! The engine as a Python object: opened at first use, and again after a fork.

use std::iter;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyType};
use pyo3::{IntoPyObjectExt, intern};
use secrecy::{ExposeSecret, SecretString};
use simple_security::store::{self, Location};
use simple_security::{AdminError, ApiKeys, KeyError, VerifyError};
use simple_security_server::settings::{Adapter, Arguments, ConfigurationError, Settings};

use crate::credential::{self, Headers, KeyHeaders, Repeated, Sent};
use crate::errors::{self, Failure, no_admin_secret};
use crate::fork::{self, Owned};
use crate::opened::{Opened, forked_meanwhile};
use crate::presented::Presented;
use crate::settings;
use crate::verdict::{Admin, Question, Refusal, Verdict, accepted};

/// The keys of one `SimpleSecurity`. Making it opens nothing.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
pub struct Engine {
    arguments: Arguments,
    refusal_status: Option<String>,
    key_headers: Result<KeyHeaders, ConfigurationError>,
    /// Called with the admin secret, once, when one was generated.
    announce: Py<PyAny>,
    /// What a verified key is given as: a `str` with the attribute `_verified`.
    kind: Py<PyType>,
    /// Where the key of a request is in its scope.
    mark: Py<PyString>,
    /// Locked for a moment with the GIL, or by `fork::exclusively`: a fork finds it free.
    opened: Mutex<Option<Arc<Owned<Opened>>>>,
    /// How often it was tried in vain to open it.
    failures: AtomicU64,
    /// Why the last try was in vain.
    failed: Mutex<Option<Arc<Failure>>>,
    /// What a relative path meant when it was first used: the working directory may change.
    location: Mutex<Option<(PathBuf, PathBuf)>>,
}

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (announce, kind, *, secret=None, db_location=None, automatic_expiration=None, key_prefix=None, refusal_status=None, key_headers=None))]
    #[allow(clippy::too_many_arguments, reason = "each is an argument of SimpleSecurity")]
    fn new(
        announce: &Bound<'_, PyAny>,
        kind: Py<PyType>,
        secret: Option<String>,
        db_location: Option<String>,
        automatic_expiration: Option<String>,
        key_prefix: Option<String>,
        refusal_status: Option<String>,
        key_headers: Option<&Bound<'_, PyAny>>,
    ) -> Self {
        let mark = format!("fastapi_simple_security.{}", next_number());
        Self {
            arguments: Arguments {
                secret: secret.map(SecretString::from),
                db_location,
                automatic_expiration,
                key_prefix,
            },
            refusal_status,
            key_headers: settings::key_headers(key_headers),
            announce: announce.clone().unbind(),
            kind,
            mark: PyString::new(announce.py(), &mark).unbind(),
            opened: Mutex::new(None),
            failures: AtomicU64::new(0),
            failed: Mutex::new(None),
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
                let Some(opened) = self.lock_opened().take() else { return };
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
        self.opened_here().is_some()
    }

    /// The status of a refused request: 403 or 401.
    #[getter]
    fn refusal_status(&self, py: Python<'_>) -> PyResult<u16> {
        let opened = self.opened(py)?;
        opened.get().map(|opened| opened.refusal_status).ok_or_else(forked_meanwhile)
    }

    /// The names of the headers that a key is read from; all of them, if those that were set are wrong.
    #[getter]
    fn key_headers(&self) -> Vec<&'static str> {
        self.key_headers.as_ref().map_or(KeyHeaders::ALL, |chosen| *chosen).names()
    }

    /// Where `verify` and `admit` leave a key in a scope.
    #[getter]
    fn mark(&self, py: Python<'_>) -> Py<PyString> {
        self.mark.clone_ref(py)
    }

    /// Verifies the key of a request, wherever it is sent (see `credential`). Returns the key, and
    /// leaves it in the scope; or a `Refusal`; or the `Question` that must be asked; or `None` before the
    /// store is open.
    fn verify<'py>(&self, scope: &Bound<'py, PyDict>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mark = self.mark.bind(scope.py());
        if let Some(key) = scope.get_item(mark)? {
            return Ok(Some(key));
        }
        let headers = headers(scope)?;
        let Some(opened) = self.opened_here() else { return Ok(None) };
        let chosen = opened.get().ok_or_else(forked_meanwhile)?.key_headers;
        let headers = Headers::read(&headers, chosen)?;
        let verdict = self.first_good(scope, &headers, &opened)?;
        if let Verdict::Good(key) = &verdict {
            scope.set_item(mark, key)?;
        }
        verdict.shown(scope.py()).map(Some)
    }

    /// Lets a request in that has a good key, as `verify` finds it. Gives back what `verify` does,
    /// and `None` too where more than the key decides: for a request with a header `secret-key`.
    fn admit<'py>(&self, scope: &Bound<'py, PyDict>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(key) = scope.get_item(self.mark.bind(scope.py()))? {
            return Ok(Some(key));
        }
        // A scope without headers is none of a request.
        let Some(headers) = scope.get_item(intern!(scope.py(), "headers"))? else {
            return Ok(None);
        };
        let Some(opened) = self.opened_here() else { return Ok(None) };
        let chosen = opened.get().ok_or_else(forked_meanwhile)?.key_headers;
        let headers = Headers::read(headers.cast()?, chosen)?;
        if !matches!(headers.secret_key, Sent::Nothing) {
            return Ok(None);
        }
        let verdict = self.first_good(scope, &headers, &opened)?;
        if let Verdict::Good(key) = &verdict {
            self.let_in(scope, key)?;
        }
        verdict.shown(scope.py()).map(Some)
    }

    /// Lets a request in with this key: leaves it in the scope, and as `api_key` in a state that is
    /// this request's own, for a server may hand one state to many requests.
    fn let_in(&self, scope: &Bound<'_, PyDict>, key: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = scope.py();
        let state = intern!(py, "state");
        let own = match scope.get_item(state)? {
            Some(given) => given.cast_into::<PyDict>()?.copy()?,
            None => PyDict::new(py),
        };
        own.set_item(intern!(py, "api_key"), key)?;
        scope.set_item(state, own)?;
        scope.set_item(&self.mark, key)
    }

    /// Whether a call waits for no network: the store is a file on this machine, or will be when it is opened.
    #[getter]
    fn is_embedded(&self, py: Python<'_>) -> PyResult<bool> {
        if let Some(opened) = self.opened_here().as_deref().and_then(Owned::get) {
            return Ok(opened.keys.is_embedded());
        }
        let settings = Settings::load(Adapter::FastApi, &self.arguments)
            .map_err(|error| Failure::Configuration(error).raise(py))?;
        Ok(matches!(settings.location, Location::Sqlite(_)))
    }

    /// Verifies this key and counts it, as `verify` does with the key of a request. Opens the store if it is
    /// not open, and blocks until it responds.
    fn verify_key<'py>(&self, text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = text.py();
        let presented = Presented::read(text)?;
        let opened = self.opened(py)?;
        let keys = &opened.get().ok_or_else(forked_meanwhile)?.keys;
        let verdict = keys
            .try_verify(presented.bytes())
            .unwrap_or_else(|| verify_in_place(py, keys, presented.bytes()));
        presented.accepted(self.kind.bind(py), verdict)
    }

    /// The same without waiting for a network; `None` if that is not possible.
    fn try_verify_key<'py>(&self, text: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = text.py();
        let presented = Presented::read(text)?;
        let Some(opened) = self.opened_here() else { return Ok(None) };
        let keys = &opened.get().ok_or_else(forked_meanwhile)?.keys;
        let verdict = verify_at_once(py, keys, presented.bytes());
        verdict.map(|verdict| presented.accepted(self.kind.bind(py), verdict)).transpose()
    }

    /// Writes all counts. Does nothing while the store is not open.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let Some(opened) = self.opened_here() else { return Ok(()) };
        let keys = &opened.get().ok_or_else(forked_meanwhile)?.keys;
        let flushed = py.detach(|| pollster::block_on(keys.flush()));
        flushed.map_err(|error| errors::of_key(py, &KeyError::Store(error)))
    }

    /// The proof that a request has the admin secret, an `Admin`; or a `Refusal`.
    fn authenticate_admin<'py>(
        &self,
        py: Python<'py>,
        headers: &Bound<'py, PyList>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let opened = self.opened(py)?;
        let opened = opened.get().ok_or_else(forked_meanwhile)?;
        let refusal = match Headers::read(headers, KeyHeaders::NONE)?.secret_key {
            Sent::Nothing => Refusal::NotPresented,
            Sent::Repeated => Refusal::Repeated,
            Sent::Once(secret) => match opened.keys.authenticate_admin(secret.as_bytes()) {
                Err(error @ AdminError::NoSecret) => {
                    return Err(no_admin_secret(py, &opened.settings.secret_setting, error));
                }
                _ if secret.as_bytes().is_empty() => Refusal::NotPresented,
                Ok(admin) => return Admin(admin).into_bound_py_any(py),
                Err(_) => Refusal::Denied,
            },
        };
        refusal.into_bound_py_any(py)
    }
}

impl Engine {
    /// The first good key of a request with these headers.
    #[inline]
    fn first_good<'py>(
        &self,
        scope: &Bound<'py, PyDict>,
        headers: &Headers<'py>,
        opened: &Arc<Owned<Opened>>,
    ) -> PyResult<Verdict<'py>> {
        let kind = self.kind.bind(scope.py());
        let keys = &opened.get().ok_or_else(forked_meanwhile)?.keys;
        let query_string = scope.get_item(intern!(scope.py(), "query_string"))?;
        let query_string = query_string.as_ref().map_or(Ok(&b""[..]), |query| query.extract())?;
        let parameter = credential::key_parameter(query_string);
        let candidates = match headers.keys(&parameter) {
            Ok(candidates) => candidates,
            Err(Repeated) => return Ok(Verdict::Refused(Refusal::Repeated)),
        };
        let mut refusal = Refusal::NotPresented;
        let mut candidates = candidates.into_iter().filter(|presented| !presented.is_empty());
        while let Some(presented) = candidates.next() {
            // The hot path: a cached key is verified here, with the GIL and without a wait.
            let Some(verdict) = verify_at_once(scope.py(), keys, presented) else {
                let left = iter::once(presented).chain(candidates);
                let question = Question::new(Arc::clone(opened), left, kind);
                return Ok(Verdict::Open(question));
            };
            if let Some(key) = accepted(kind, presented, verdict)? {
                return Ok(Verdict::Good(key));
            }
            refusal = Refusal::Denied;
        }
        Ok(Verdict::Refused(refusal))
    }

    /// What is open in this process. The GIL is let go while it is opened.
    pub(crate) fn opened(&self, py: Python<'_>) -> PyResult<Arc<Owned<Opened>>> {
        loop {
            if let Some(opened) = self.opened_here() {
                return Ok(opened);
            }
            let before = self.failures.load(Ordering::SeqCst);
            let made = py.detach(|| fork::exclusively(|open| self.try_to_open(open, before)));
            if let Some(secret) = made.map_err(|failure| failure.raise(py))? {
                self.announce.call1(py, (secret.expose_secret(),))?;
            }
        }
    }

    /// Opens the store for a call that began after so many failures. Many calls may have waited for
    /// the try of one: where that has failed, it has failed for them too. A store that is down would
    /// hold each of them in turn.
    fn try_to_open(
        &self,
        open: &mut Vec<Weak<ApiKeys>>,
        before: u64,
    ) -> Result<Option<SecretString>, Arc<Failure>> {
        if self.opened_here().is_some() {
            return Ok(None);
        }
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = &*failed
            && self.failures.load(Ordering::SeqCst) > before
        {
            return Err(Arc::clone(failure));
        }
        match self.make() {
            Ok((opened, secret)) => {
                open.push(Arc::downgrade(&opened.keys));
                *self.lock_opened() = Some(Arc::new(Owned::new(opened)));
                *failed = None;
                Ok(secret)
            }
            Err(failure) => {
                let failure = Arc::new(failure);
                *failed = Some(Arc::clone(&failure));
                self.failures.fetch_add(1, Ordering::SeqCst);
                Err(failure)
            }
        }
    }

    fn make(&self) -> Result<(Opened, Option<SecretString>), Failure> {
        let mut settings =
            Settings::load(Adapter::FastApi, &self.arguments).map_err(Failure::Configuration)?;
        let refusal_status = settings::refusal_status(self.refusal_status.as_deref())
            .map_err(Failure::Configuration)?;
        let key_headers = self.key_headers.clone().map_err(Failure::Configuration)?;
        if let Location::Sqlite(path) = &mut settings.location {
            *path = self.absolute(std::mem::take(path));
        }
        let mut generated = None;
        let keys = store::open(&settings.location)
            .and_then(|store| settings.open_with_admin(store, |secret| generated = Some(secret)))
            .map_err(|error| Failure::not_opened(error, &settings))?;
        Ok((Opened::new(keys, settings, refusal_status, key_headers), generated))
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

    /// What is open in this process, if anything is.
    #[inline]
    fn opened_here(&self) -> Option<Arc<Owned<Opened>>> {
        self.lock_opened().as_ref().filter(|opened| opened.get().is_some()).cloned()
    }

    fn lock_opened(&self) -> MutexGuard<'_, Option<Arc<Owned<Opened>>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the open engine something that may take long.
    pub(crate) fn with<T: Send>(
        &self,
        py: Python<'_>,
        ask: impl FnOnce(&ApiKeys) -> Result<T, KeyError> + Send,
    ) -> PyResult<T> {
        let opened = self.opened(py)?;
        let opened = opened.get().ok_or_else(forked_meanwhile)?;
        py.detach(|| ask(&opened.keys)).map_err(|error| errors::of_key(py, &error))
    }
}

/// Verifies a key without a wait for a network; `None` if that is not possible.
#[inline]
fn verify_at_once(
    py: Python<'_>,
    keys: &ApiKeys,
    presented: &[u8],
) -> Option<Result<simple_security::VerifiedKey, VerifyError>> {
    match keys.try_verify(presented) {
        None if keys.is_embedded() => Some(verify_in_place(py, keys, presented)),
        decided => decided,
    }
}

/// Verifies what is not cached in an embedded store, which takes some microseconds: no wait that an
/// event loop would notice.
fn verify_in_place(
    py: Python<'_>,
    keys: &ApiKeys,
    presented: &[u8],
) -> Result<simple_security::VerifiedKey, VerifyError> {
    py.detach(|| pollster::block_on(keys.verify(presented)))
}

/// Another number each time, so that each engine has a mark of its own.
fn next_number() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// The headers of a request.
fn headers<'py>(scope: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyList>> {
    let missing = || PyKeyError::new_err("the ASGI scope of a request has headers");
    let headers = scope.get_item(intern!(scope.py(), "headers"))?.ok_or_else(missing)?;
    Ok(headers.cast_into()?)
}
