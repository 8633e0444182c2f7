//! Takes credentials out of an ASGI scope (<https://asgi.readthedocs.io/en/latest/specs/www.html>):
//! `headers`, pairs of bytes with lower-case names, and `query_string`, bytes as they were sent.

use std::borrow::Cow;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

/// The name of the header and of the parameter that carry a key.
const API_KEY: &str = "api-key";
/// The name of the header that carries the admin secret.
const SECRET_KEY: &str = "secret-key";

/// How often something that may be there once is there.
pub(crate) enum Sent<T> {
    Nothing,
    Once(T),
    /// Which of them is meant cannot be told, and two programs on the way may not agree.
    Repeated,
}

impl<T> Sent<T> {
    fn add(&mut self, value: T) {
        *self = match self {
            Self::Nothing => Self::Once(value),
            _ => Self::Repeated,
        };
    }
}

/// The key of the header `api-key`.
pub(crate) fn key_header<'py>(headers: &Bound<'py, PyList>) -> PyResult<Sent<Bound<'py, PyBytes>>> {
    header(headers, API_KEY)
}

/// The secret of the header `secret-key`.
pub(crate) fn secret_header<'py>(
    headers: &Bound<'py, PyList>,
) -> PyResult<Sent<Bound<'py, PyBytes>>> {
    header(headers, SECRET_KEY)
}

/// The key of the query parameter `api-key`. Bytes that are not UTF-8 become U+FFFD, which no
/// key has.
pub(crate) fn key_parameter(query_string: &[u8]) -> Sent<Cow<'_, str>> {
    let mut sent = Sent::Nothing;
    if !query_string.is_empty() {
        for (name, value) in form_urlencoded::parse(query_string) {
            if name == API_KEY {
                sent.add(value);
            }
        }
    }
    sent
}

fn header<'py>(headers: &Bound<'py, PyList>, wanted: &str) -> PyResult<Sent<Bound<'py, PyBytes>>> {
    let mut sent = Sent::Nothing;
    for pair in headers.iter() {
        // The specification allows any pair; all known servers send tuples.
        let (name, value) = match pair.cast::<PyTuple>() {
            Ok(pair) => (pair.get_item(0)?, pair.get_item(1)?),
            Err(_) => (pair.get_item(0)?, pair.get_item(1)?),
        };
        let name = name.cast::<PyBytes>().map_err(|_| not_bytes())?;
        if name.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()) {
            sent.add(value.cast_into::<PyBytes>().map_err(|_| not_bytes())?);
        }
    }
    Ok(sent)
}

fn not_bytes() -> PyErr {
    PyTypeError::new_err("the headers of an ASGI scope are pairs of bytes")
}
