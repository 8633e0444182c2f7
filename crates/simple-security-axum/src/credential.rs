//! What a request carries as its API key: three headers, and one query parameter where it is read.
//!
//! - `Authorization: Bearer <key>` (RFC 6750, section 2.1). The name of the scheme is compared
//!   without case, and spaces follow it (RFC 9110, sections 11.1 and 11.4). Other schemes are not
//!   ours, and are as good as absent.
//! - `X-API-Key: <key>` and `api-key: <key>`, the whole value as it stands.
//! - `api-key=<key>` in the query, as a form is encoded.
//!
//! An empty value is nothing. Exactly one credential may be there (RFC 6750, section 2), and none
//! of the headers twice, whatever is in it.

use std::borrow::Cow;
use std::mem;

use http::uri::PathAndQuery;
use http::{HeaderMap, Uri};

const AUTHORIZATION: &str = "authorization";
const X_API_KEY: &str = "x-api-key";
/// The name of a header and of the parameter.
const API_KEY: &str = "api-key";
const SCHEME: &[u8] = b"bearer";

/// How often something that may be there once is there.
pub(crate) enum Sent<'a> {
    Nothing,
    Once(Cow<'a, [u8]>),
    /// Which of them is meant cannot be told, and two programs on the way may not agree.
    Repeated,
}

/// The credential of a request. Without `query`, that is not read.
///
/// One pass over the headers: three lookups take longer, unless there are very many.
#[inline]
pub(crate) fn read<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Sent<'a> {
    let mut sent = None;
    let mut seen = [false; 3];
    for (name, value) in headers {
        let (source, value) = match name.as_str() {
            AUTHORIZATION => (0, token(value.as_bytes()).unwrap_or_default()),
            X_API_KEY => (1, value.as_bytes()),
            API_KEY => (2, value.as_bytes()),
            _ => continue,
        };
        if mem::replace(&mut seen[source], true) {
            return Sent::Repeated;
        }
        if !value.is_empty() && sent.replace(value).is_some() {
            return Sent::Repeated;
        }
    }
    match (query, sent) {
        (Some(query), sent) => beside_parameter(sent, query),
        (None, Some(value)) => Sent::Once(Cow::Borrowed(value)),
        (None, None) => Sent::Nothing,
    }
}

/// Removes the headers that can carry a credential.
pub(crate) fn strip_headers(headers: &mut HeaderMap) {
    headers.remove(X_API_KEY);
    headers.remove(API_KEY);
    if headers.get(AUTHORIZATION).is_some_and(|value| token(value.as_bytes()).is_some()) {
        headers.remove(AUTHORIZATION);
    }
}

/// Removes the query parameter, and leaves all else as it was written.
pub(crate) fn strip_query(uri: &mut Uri) {
    let Some(query) = uri.query() else { return };
    let is_ours =
        |piece: &&str| form_urlencoded::parse(piece.as_bytes()).any(|(name, _)| name == API_KEY);
    if !query.split('&').any(|piece| is_ours(&piece)) {
        return;
    }
    let rest: Vec<&str> = query.split('&').filter(|piece| !is_ours(piece)).collect();
    let stripped = if rest.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{}", uri.path(), rest.join("&"))
    };
    // Pieces of a URI make a URI. If ever they did not, the key must be gone all the same.
    let mut parts = mem::take(uri).into_parts();
    parts.path_and_query = PathAndQuery::try_from(stripped).ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

/// What follows the scheme, where it is ours. A tab ends the scheme for some readers and is no
/// space: it is left in the token, which is no good then.
fn token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME) || !matches!(rest.first(), None | Some(b' ' | b'\t')) {
        return None;
    }
    let spaces = rest.iter().take_while(|byte| **byte == b' ').count();
    Some(&rest[spaces..])
}

/// The credential of a request whose headers have this one, or none.
///
/// Bytes of the query that are not UTF-8 become U+FFFD, which no key has.
fn beside_parameter<'a>(sent: Option<&'a [u8]>, query: &'a str) -> Sent<'a> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == API_KEY);
    let value = match (values.next(), values.next()) {
        (None, _) => Cow::Borrowed(&[][..]),
        (Some((_, Cow::Borrowed(value))), None) => Cow::Borrowed(value.as_bytes()),
        (Some((_, Cow::Owned(value))), None) => Cow::Owned(value.into_bytes()),
        _ => return Sent::Repeated,
    };
    match (sent, value.is_empty()) {
        (Some(_), false) => Sent::Repeated,
        (Some(value), true) => Sent::Once(Cow::Borrowed(value)),
        (None, false) => Sent::Once(value),
        (None, true) => Sent::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_follows_the_scheme() {
        let cases: [(&[u8], Option<&[u8]>); 10] = [
            (b"Bearer key", Some(b"key")),
            (b"bEARER   key", Some(b"key")),
            (b"Bearer key ", Some(b"key ")),
            (b"Bearer\tkey", Some(b"\tkey")),
            (b"Bearer", Some(b"")),
            (b"Bearer  ", Some(b"")),
            (b"Bearerkey", None),
            (b"Beare", None),
            (b"Basic key", None),
            (b"", None),
        ];
        for (value, expected) in cases {
            assert_eq!(token(value), expected, "{:?}", String::from_utf8_lossy(value));
        }
    }

    #[test]
    fn the_parameter_is_cut_out_and_the_rest_stays_as_it_was() {
        let cases = [
            ("/a?api-key=x", "/a"),
            ("/a?api-key", "/a"),
            ("/a?b=%20+&api-key=x&&c;d=%zz", "/a?b=%20+&&c;d=%zz"),
            ("/a?api%2Dkey=x&api_key=y&b", "/a?api_key=y&b"),
            ("/a?b=api-key=x", "/a?b=api-key=x"),
            ("/api-key=x?", "/api-key=x?"),
            ("http://host:1?api-key=x&b", "http://host:1/?b"),
            ("http://host/a?api-key=x", "http://host/a"),
            ("*", "*"),
        ];
        for (before, after) in cases {
            let mut uri: Uri = before.parse().expect(before);
            strip_query(&mut uri);
            assert_eq!(uri.to_string(), after, "{before}");
        }
    }
}
