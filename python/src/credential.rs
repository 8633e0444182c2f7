//! Takes credentials out of an ASGI scope (<https://asgi.readthedocs.io/en/latest/specs/www.html>):
//! `headers`, pairs of bytes with lower-case names, and `query_string`, bytes as they were sent.

use std::borrow::Cow;

use pyo3::Borrowed;
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
    let [key] = find(headers, [API_KEY])?;
    Ok(key)
}

/// The secret of the header `secret-key`.
pub(crate) fn secret_header<'py>(
    headers: &Bound<'py, PyList>,
) -> PyResult<Sent<Bound<'py, PyBytes>>> {
    let [secret] = find(headers, [SECRET_KEY])?;
    Ok(secret)
}

/// The key of the header `api-key`; `None` where a header `secret-key` is sent too.
pub(crate) fn key_header_alone<'py>(
    headers: &Bound<'py, PyList>,
) -> PyResult<Option<Sent<Bound<'py, PyBytes>>>> {
    let [key, secret] = find(headers, [API_KEY, SECRET_KEY])?;
    Ok(matches!(secret, Sent::Nothing).then_some(key))
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

/// The headers of these names, in one go.
#[inline]
fn find<'py, const N: usize>(
    headers: &Bound<'py, PyList>,
    wanted: [&str; N],
) -> PyResult<[Sent<Bound<'py, PyBytes>>; N]> {
    let mut sent = [const { Sent::Nothing }; N];
    for pair in headers.iter() {
        // The specification allows any pair; all known servers send tuples.
        if let Ok(pair) = pair.cast::<PyTuple>() {
            if let Some(place) = place(pair.get_borrowed_item(0)?, &wanted)? {
                sent[place].add(pair.get_item(1)?.cast_into().map_err(|_| not_bytes())?);
            }
        } else if let Some(place) = place(pair.get_item(0)?.as_borrowed(), &wanted)? {
            sent[place].add(pair.get_item(1)?.cast_into().map_err(|_| not_bytes())?);
        }
    }
    Ok(sent)
}

#[inline]
fn place(name: Borrowed<'_, '_, PyAny>, wanted: &[&str]) -> PyResult<Option<usize>> {
    let name = name.cast::<PyBytes>().map_err(|_| not_bytes())?;
    let name = name.as_bytes();
    Ok(wanted.iter().position(|each| name.eq_ignore_ascii_case(each.as_bytes())))
}

fn not_bytes() -> PyErr {
    PyTypeError::new_err("the headers of an ASGI scope are pairs of bytes")
}
