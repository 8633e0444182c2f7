//! Whose key it was: the headers of an answer that lets a request pass.
//!
//! Each of them is on each such answer, and none is ever empty. A proxy that copies them over those
//! of the client then leaves none of the client's in place; some copy only what has a value.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Empty;
use simple_security_axum::ApiKey;
use tower::Service;

use crate::dates;

pub(super) static ID: HeaderName = HeaderName::from_static("x-api-key-id");
static NAME: HeaderName = HeaderName::from_static("x-api-key-name");
static EXPIRES_AT: HeaderName = HeaderName::from_static("x-api-key-expires-at");

/// What is said where there is nothing to say.
const NOTHING: HeaderValue = HeaderValue::from_static("-");

/// What stands behind the layer: it tells who has passed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity;

impl<B> Service<Request<B>> for Identity {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut response = Response::new(Empty::new());
        // The layer lets nobody in without one.
        match request.extensions().get::<ApiKey>() {
            Some(key) => describe(key, &mut response),
            None => *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR,
        }
        ready(Ok(response))
    }
}

fn describe<B>(key: &ApiKey, response: &mut Response<B>) {
    let headers = response.headers_mut();
    // What is said here is ASCII without control characters. If ever it were not, it is not said.
    let value = |text: &str| HeaderValue::from_str(text).unwrap_or(NOTHING);
    headers.insert(ID.clone(), value(key.id().as_str()));
    headers.insert(NAME.clone(), value(&encoded(key.name())));
    let expires_at = key.expires_at().map_or(NOTHING, |moment| value(&dates::show(moment)));
    headers.insert(EXPIRES_AT.clone(), expires_at);
    // An answer that is kept would let a revoked key pass.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// A name as a header can carry it: its bytes in UTF-8, each that is no visible ASCII, and `%`, as `%`
/// and two hexadecimal digits (RFC 3986, section 2.1). `-` stands for no name, so that a name of this
/// one character is `%2D`.
fn encoded(name: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    match name {
        "" => return "-".to_owned(),
        "-" => return "%2D".to_owned(),
        _ => {}
    }
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            let digit = |number: u8| char::from(DIGITS[usize::from(number)]);
            encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_encoded() {
        for (name, expected) in [
            ("", "-"),
            ("-", "%2D"),
            ("--", "--"),
            ("shop", "shop"),
            ("my shop", "my%20shop"),
            ("100%", "100%25"),
            ("é\u{1f511}", "%C3%A9%F0%9F%94%91"),
            ("a,b;\"c\"=d\\~!", "a,b;\"c\"=d\\~!"),
            ("\r\n\0\u{7f}", "%0D%0A%00%7F"),
        ] {
            assert_eq!(encoded(name), expected, "{name:?}");
        }
    }
}
