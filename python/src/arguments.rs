//! Reads the arguments of the Python API. A wrong type or value raises an `InvalidInput` that names the
//! argument. It never shows the value, which may be a key.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDateTime, PyDelta, PyDeltaAccess, PyString};
use simple_security::{Expiry, KeyName, KeyState, Owner, Timestamp};

use crate::details::date;
use crate::errors::{invalid_argument, invalid_input};

/// A text.
pub(crate) fn text<'a>(parameter: &str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    let py = value.py();
    let Ok(text) = value.cast::<PyString>() else {
        let problem = format!("it must be a str, not {}", value.get_type().name()?);
        return Err(invalid_argument(py, parameter, &problem));
    };
    text.to_str().map_err(|_| {
        invalid_argument(py, parameter, "it has half of a surrogate pair, which is not a character")
    })
}

/// A text, or nothing: `None`.
pub(crate) fn optional_text<'a>(
    parameter: &str,
    value: &'a Bound<'_, PyAny>,
) -> PyResult<Option<&'a str>> {
    if value.is_none() { Ok(None) } else { text(parameter, value).map(Some) }
}

/// The value, or nothing: `...`.
pub(crate) fn given<'a, 'py>(value: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, PyAny>> {
    (!value.is(value.py().Ellipsis())).then_some(value)
}

pub(crate) fn name(value: &Bound<'_, PyAny>) -> PyResult<KeyName> {
    KeyName::new(text("name", value)?).map_err(|error| invalid_input(value.py(), "name", &error))
}

pub(crate) fn owner(value: &Bound<'_, PyAny>) -> PyResult<Owner> {
    Owner::new(text("owner", value)?).map_err(|error| invalid_input(value.py(), "owner", &error))
}

/// A state, or any: `None`.
pub(crate) fn state(value: &Bound<'_, PyAny>) -> PyResult<Option<KeyState>> {
    let state = optional_text("state", value)?.map(str::parse).transpose();
    state.map_err(|error| invalid_input(value.py(), "state", &error))
}

/// A `datetime` with a time zone, or `None`: never. Fractions of a second are dropped.
pub(crate) fn expiry(value: &Bound<'_, PyAny>) -> PyResult<Expiry> {
    let invalid = |problem: &str| Err(invalid_argument(value.py(), "expires_at", problem));
    if value.is_none() {
        return Ok(Expiry::Never);
    }
    let wrong_type = || {
        let class = value.get_type();
        invalid(&format!("it must be a datetime or None (never), not {}", class.name()?))
    };
    let Ok(moment) = value.cast::<PyDateTime>() else { return wrong_type() };
    if moment.call_method0("utcoffset")?.is_none() {
        return invalid(
            "it has no time zone; pass one, such as datetime.now(timezone.utc) + timedelta(days=30)",
        );
    }
    // A `datetime` without an instant, such as the NaT of pandas, has no distance either.
    let since_epoch = moment.sub(epoch(value.py())?)?;
    let Ok(since_epoch) = since_epoch.cast::<PyDelta>() else { return wrong_type() };
    let seconds = i64::from(since_epoch.get_days()) * 86_400 + i64::from(since_epoch.get_seconds());
    let timestamp = Timestamp::from_seconds(seconds);
    if timestamp.seconds() != seconds {
        return invalid("it must be from the year 1 to 9999 in UTC");
    }
    Ok(Expiry::At(timestamp))
}

fn epoch<'py>(py: Python<'py>) -> PyResult<&'py Bound<'py, PyDateTime>> {
    static EPOCH: PyOnceLock<Py<PyDateTime>> = PyOnceLock::new();
    let epoch =
        EPOCH.get_or_try_init(py, || date(py, Timestamp::from_seconds(0)).map(Bound::unbind));
    epoch.map(|epoch| epoch.bind(py))
}
