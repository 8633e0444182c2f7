//! Keys as Python code sees them: frozen classes with the names of the resource API.

use std::hash::{Hash, Hasher};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyTzInfo};
use simple_security::{KeyRecord, PlainKey, Timestamp, Usage};

/// A key and its usage, as the store had them.
#[pyclass(frozen, subclass, eq, hash, module = "fastapi_simple_security")]
#[derive(PartialEq, Eq)]
pub struct KeyDetails(simple_security::KeyDetails);

/// A key that was just issued. It is the only object that has the plain key.
///
/// Equality ignores the plain key: the id identifies it. In annotations, `IssuedKey` has a plain key, and
/// `IssuedKey[None]` was imported.
#[pyclass(frozen, generic, extends = KeyDetails, module = "fastapi_simple_security")]
pub struct IssuedKey {
    /// `None` if the key was imported.
    key: Option<PlainKey>,
}

/// How often a key was accepted, and when last.
#[pyclass(frozen, eq, hash, module = "fastapi_simple_security")]
#[derive(PartialEq, Eq)]
pub struct KeyUsage(Usage);

#[pymethods]
impl KeyDetails {
    /// The public handle of the key: 11 letters and digits, safe to log.
    #[getter]
    fn id(&self) -> String {
        self.record().id.to_string()
    }

    /// What people call the key; empty if it has no name.
    #[getter]
    fn name(&self) -> &str {
        self.record().name.as_str()
    }

    /// Whose key it is; empty if it has no owner.
    #[getter]
    fn owner(&self) -> &str {
        self.record().owner.as_str()
    }

    /// `active`, `expired` or `revoked`.
    #[getter]
    fn state(&self) -> &'static str {
        self.0.state.as_str()
    }

    /// When the key was issued, in UTC.
    #[getter]
    fn created_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDateTime>> {
        date(py, self.record().created_at)
    }

    /// When the key expires, in UTC; `None` if it never expires.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        optional_date(py, self.record().expiry().date())
    }

    /// When the key was revoked, in UTC; `None` if it is not revoked.
    #[getter]
    fn revoked_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        optional_date(py, self.record().revoked_at)
    }

    /// How often the key was accepted, and when last.
    #[getter]
    fn usage(&self) -> KeyUsage {
        KeyUsage(self.0.usage)
    }

    /// The id and the state, for logs. Not the name: a person may paste anything into it, even a key.
    fn __repr__(this: &Bound<'_, Self>) -> PyResult<String> {
        let (class, details) = (this.get_type().name()?, this.get());
        Ok(format!("{class}(id='{}', state='{}')", details.id(), details.state()))
    }

    /// Returns itself: it cannot be changed.
    fn __copy__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    /// Returns itself: it cannot be changed.
    fn __deepcopy__<'py>(this: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        this
    }
}

impl KeyDetails {
    fn record(&self) -> &KeyRecord {
        &self.0.record
    }
}

impl From<simple_security::KeyDetails> for KeyDetails {
    fn from(details: simple_security::KeyDetails) -> Self {
        Self(details)
    }
}

impl Hash for KeyDetails {
    /// By the id: equal details have the same.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.record().id.hash(state);
    }
}

#[pymethods]
impl IssuedKey {
    /// The plain key, which is stored nowhere else; `None` if it was imported.
    #[getter]
    fn key(&self) -> Option<&str> {
        self.key.as_ref().map(PlainKey::expose)
    }

    /// Rejects pickling, which would store the key in plain text, as in a queue or a cache.
    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "an IssuedKey cannot be pickled, because that would store the key in plain text: pass on \
             `issued.id`, or `issued.key` if the other process needs the key itself",
        ))
    }
}

impl IssuedKey {
    pub(crate) fn new(
        py: Python<'_>,
        record: KeyRecord,
        key: Option<PlainKey>,
    ) -> PyResult<Bound<'_, Self>> {
        let details = KeyDetails(simple_security::KeyDetails::of_new(record));
        Bound::new(py, PyClassInitializer::from(details).add_subclass(Self { key }))
    }
}

#[pymethods]
impl KeyUsage {
    /// Accepted requests.
    #[getter]
    fn total(&self) -> u64 {
        self.0.total
    }

    /// The last of them, in UTC; `None` if there were none.
    #[getter]
    fn last_used_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDateTime>>> {
        optional_date(py, self.0.last_used_at)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let last = match self.last_used_at(py)? {
            Some(date) => date.repr()?.to_string(),
            None => "None".to_owned(),
        };
        Ok(format!("KeyUsage(total={}, last_used_at={last})", self.total()))
    }

    /// Returns itself: it cannot be changed.
    fn __copy__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    /// Returns itself: it cannot be changed.
    fn __deepcopy__<'py>(this: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        this
    }
}

impl Hash for KeyUsage {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.total.hash(state);
    }
}

fn optional_date(
    py: Python<'_>,
    timestamp: Option<Timestamp>,
) -> PyResult<Option<Bound<'_, PyDateTime>>> {
    timestamp.map(|timestamp| date(py, timestamp)).transpose()
}

/// As a `datetime` in UTC. A float has every whole second of the years 1 to 9999.
pub(crate) fn date(py: Python<'_>, timestamp: Timestamp) -> PyResult<Bound<'_, PyDateTime>> {
    PyDateTime::from_timestamp(py, timestamp.seconds() as f64, Some(&*PyTzInfo::utc(py)?))
}
