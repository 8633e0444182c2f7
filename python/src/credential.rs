//! Takes credentials out of an ASGI scope (<https://asgi.readthedocs.io/en/latest/specs/www.html>):
//! `headers`, pairs of bytes with lower-case names, and `query_string`, bytes as they were sent.
//!
//! A key is read in two steps:
//!
//! 1. The rule of 1.x: the query parameter `api-key`, then the header `api-key`. If both are sent,
//!    one good key is enough.
//! 2. Only if both are absent or empty: `X-API-Key: <key>`, then `Authorization: Bearer <key>` (RFC
//!    6750, section 2.1). The first that is not empty decides alone; the rest is not read.
//!
//! An empty value counts as absent. A header or parameter that is read and was sent twice is rejected,
//! whatever it contains. An `Authorization` of another scheme counts as absent, and so does a JWT after
//! `Bearer`: an app may use its own tokens beside keys, and they are not attempts to use a key.

use std::borrow::Cow;

use pyo3::Borrowed;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

/// The name of the header and of the parameter that carry a key.
const API_KEY: &str = "api-key";
/// The names of the other headers that carry a key.
const X_API_KEY: &str = "x-api-key";
const AUTHORIZATION: &str = "authorization";
/// The name of the header that carries the admin secret.
const SECRET_KEY: &str = "secret-key";

const SCHEME: &[u8] = b"bearer";

/// How often something that may be there once is there.
pub(crate) enum Sent<T> {
    Nothing,
    Once(T),
    /// Which of them is meant cannot be told, and two programs on the way may not agree.
    Repeated,
}

/// A header or parameter that is read was sent more than once.
pub(crate) struct Repeated;

/// Which headers a key is read from. The others are left to the app.
#[derive(Clone, Copy)]
pub(crate) struct KeyHeaders {
    api_key: bool,
    x_api_key: bool,
    authorization: bool,
}

/// The headers of a request that carry a credential, unparsed.
pub(crate) struct Headers<'py> {
    api_key: Sent<Bound<'py, PyBytes>>,
    x_api_key: Sent<Bound<'py, PyBytes>>,
    authorization: Sent<Bound<'py, PyBytes>>,
    /// The admin secret.
    pub(crate) secret_key: Sent<Bound<'py, PyBytes>>,
}

impl<T> Sent<T> {
    fn add(&mut self, value: T) {
        *self = match self {
            Self::Nothing => Self::Once(value),
            _ => Self::Repeated,
        };
    }

    /// The value, empty if it is absent.
    fn value<'a>(&'a self, bytes: impl FnOnce(&'a T) -> &'a [u8]) -> Result<&'a [u8], Repeated> {
        match self {
            Self::Nothing => Ok(b""),
            Self::Once(value) => Ok(bytes(value)),
            Self::Repeated => Err(Repeated),
        }
    }
}

impl KeyHeaders {
    pub(crate) const ALL: Self = Self { api_key: true, x_api_key: true, authorization: true };
    pub(crate) const NONE: Self = Self { api_key: false, x_api_key: false, authorization: false };

    /// The names, in the order in which the headers are read.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let headers = [
            (API_KEY, self.api_key),
            (X_API_KEY, self.x_api_key),
            (AUTHORIZATION, self.authorization),
        ];
        headers.into_iter().filter_map(|(name, is_read)| is_read.then_some(name)).collect()
    }

    /// Adds the header of this name. False if no key is ever read from a header of this name.
    pub(crate) fn add(&mut self, name: &str) -> bool {
        let is_read = match name.to_ascii_lowercase().as_str() {
            API_KEY => &mut self.api_key,
            X_API_KEY => &mut self.x_api_key,
            AUTHORIZATION => &mut self.authorization,
            _ => return false,
        };
        *is_read = true;
        true
    }
}

impl<'py> Headers<'py> {
    /// Finds the headers that carry a credential, in one pass.
    #[inline]
    pub(crate) fn read(headers: &Bound<'py, PyList>, chosen: KeyHeaders) -> PyResult<Self> {
        let mut found = Self {
            api_key: Sent::Nothing,
            x_api_key: Sent::Nothing,
            authorization: Sent::Nothing,
            secret_key: Sent::Nothing,
        };
        for pair in headers.iter() {
            // The specification allows any pair; all known servers send tuples.
            if let Ok(pair) = pair.cast::<PyTuple>() {
                if let Some(sent) = found.place(pair.get_borrowed_item(0)?, chosen)? {
                    sent.add(pair.get_item(1)?.cast_into().map_err(|_| not_bytes())?);
                }
            } else if let Some(sent) = found.place(pair.get_item(0)?.as_borrowed(), chosen)? {
                sent.add(pair.get_item(1)?.cast_into().map_err(|_| not_bytes())?);
            }
        }
        Ok(found)
    }

    #[inline]
    fn place(
        &mut self,
        name: Borrowed<'_, '_, PyAny>,
        chosen: KeyHeaders,
    ) -> PyResult<Option<&mut Sent<Bound<'py, PyBytes>>>> {
        let name = name.cast::<PyBytes>().map_err(|_| not_bytes())?;
        let name = name.as_bytes();
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        // By the length first: most headers of a request carry no credential.
        Ok(match name.len() {
            7 if chosen.api_key && is(API_KEY) => Some(&mut self.api_key),
            9 if chosen.x_api_key && is(X_API_KEY) => Some(&mut self.x_api_key),
            10 if is(SECRET_KEY) => Some(&mut self.secret_key),
            13 if chosen.authorization && is(AUTHORIZATION) => Some(&mut self.authorization),
            _ => None,
        })
    }

    /// The keys of a request with this query parameter, in the order in which they are verified. An
    /// empty one stands for no key.
    #[inline]
    pub(crate) fn keys<'a>(
        &'a self,
        parameter: &'a Sent<Cow<'_, str>>,
    ) -> Result<[&'a [u8]; 2], Repeated> {
        // Both are read before the first is judged: one of them sent twice rejects the request.
        let keys =
            [parameter.value(|key| key.as_bytes()), self.api_key.value(|key| key.as_bytes())];
        match keys {
            [Ok(b""), Ok(b"")] => Ok([self.fallback()?, b""]),
            [parameter, header] => Ok([parameter?, header?]),
        }
    }

    /// The key of a request without one in the places that 1.x reads.
    fn fallback(&self) -> Result<&[u8], Repeated> {
        let key = self.x_api_key.value(|key| key.as_bytes())?;
        if !key.is_empty() {
            return Ok(key);
        }
        let token = bearer_token(self.authorization.value(|value| value.as_bytes())?);
        Ok(token.filter(|token| !is_jwt(token)).unwrap_or_default())
    }
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

/// What follows the scheme `Bearer`, whose name is compared without case, and the spaces after it (RFC
/// 9110, sections 11.1 and 11.4). A tab ends the scheme for some readers but is not a space: it stays
/// in the token, which then is not a key. `simple-security-axum` reads the header in the same way.
fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) || !matches!(rest.first(), None | Some(b' ' | b'\t')) {
        return None;
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    Some(&rest[spaces..])
}

/// Whether a token is a JWT (RFC 7519, section 3) in the compact form of a JWS (RFC 7515, section 7.1):
/// header, payload and signature, each in base64url without padding (section 2), and a dot between
/// them. The header is a JSON object, so it begins with `{"`, which is `eyJ` in base64url before an
/// ASCII letter. Only the signature may be empty: that of an unsecured JWT (RFC 7519, section 6).
///
/// Issued keys have no dot. An imported key may have this form; it is read from the other places.
fn is_jwt(token: &[u8]) -> bool {
    if !token.starts_with(b"eyJ") {
        return false;
    }
    let is_base64url = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let mut parts = token.split(|byte| *byte == b'.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    !payload.is_empty() && [header, payload, signature].into_iter().flatten().all(is_base64url)
}

fn not_bytes() -> PyErr {
    PyTypeError::new_err("the headers of an ASGI scope are pairs of bytes")
}
