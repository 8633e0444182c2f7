//! The identity headers, which an accepted request's response carries.
//!
//! Every one of them is on every such response, and none is ever empty: some proxies copy only headers
//! that have a value, and would keep the client's own in place of an empty one.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::Full;
use percent_encoding::utf8_percent_encode;
use simple_security_axum::ApiKey;
use tower::Service;

use super::percent;

pub(super) static ID: HeaderName = HeaderName::from_static("x-api-key-id");
static NAME: HeaderName = HeaderName::from_static("x-api-key-name");
static OWNER: HeaderName = HeaderName::from_static("x-api-key-owner");
static EXPIRES_AT: HeaderName = HeaderName::from_static("x-api-key-expires-at");

/// Every identity header, with the function that takes its value from the key. The configurations in
/// `deploy/` must strip and copy each of them; `tests/serve/configurations.rs` checks that they do.
static IDENTITY: &[(&HeaderName, Value)] = &[
    (&ID, |key| value(key.id().as_str())),
    (&NAME, |key| value(&encoded(key.name()))),
    (&OWNER, |key| value(&encoded(key.owner()))),
    (&EXPIRES_AT, |key| key.expires_at().map_or(NOTHING, |date| value(&date.to_string()))),
];

type Value = fn(&ApiKey) -> HeaderValue;

/// Placeholder for an empty value.
const NOTHING: HeaderValue = HeaderValue::from_static("-");

/// The names of the identity headers, in lower case. A proxy must set each of them from the server's
/// response, and remove what the client sends under its name.
pub fn identity_headers() -> impl Iterator<Item = &'static str> {
    IDENTITY.iter().map(|(name, _)| name.as_str())
}

/// What stands behind the layer: it tells who has passed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity;

impl<B> Service<Request<B>> for Identity {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut response = Response::new(Full::default());
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
    for (name, value) in IDENTITY {
        headers.insert((*name).clone(), value(key));
    }
    // An answer that is kept would let a revoked key pass.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Values are ASCII without control characters; anything else becomes the placeholder.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(NOTHING)
}

/// A name or an owner as a header can carry it: in visible ASCII, `%` encoded too. `-` stands for none,
/// so that a name of this one character is `%2D`.
fn encoded(text: &str) -> String {
    match text {
        "" => "-".to_owned(),
        "-" => "%2D".to_owned(),
        _ => utf8_percent_encode(text, percent::INVISIBLE_AND_PERCENT).to_string(),
    }
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
            ("a,b;\"c\"=d\\~!", "a,b;\"c\"=d\\~!"),
        ] {
            assert_eq!(encoded(name), expected, "{name:?}");
        }
    }
}
