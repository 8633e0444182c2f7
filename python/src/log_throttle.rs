//! Lines of a log that a flood of requests must not multiply, as a Python object.

use pyo3::prelude::*;

/// Says at most once a second that something has happened, with how often.
#[pyclass(frozen, module = "fastapi_simple_security._core")]
#[derive(Default)]
pub struct LogThrottle(simple_security::LogThrottle);

#[pymethods]
impl LogThrottle {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// It has happened once more. Where that is to be said now: how often since it was said last.
    fn record(&self) -> Option<u64> {
        self.0.record()
    }
}
