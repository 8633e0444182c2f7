//! One line in the log for each request. It has no value of any header, and no query.

use std::borrow::Cow;
use std::net::IpAddr;

use http::{Method, Request, Response, StatusCode};
use ipnet::IpNet;
use simple_security::clock::{Clock as _, SystemClock, Uptime};
use simple_security::{Denied, KeyId, holds_a_key};
use simple_security_axum::Refusal;

use super::forwarded;
use super::identity;
use crate::output::visible;

/// Writes the lines.
pub(super) struct Access {
    trusted_proxies: Vec<IpNet>,
}

/// A request under way, and what its line needs of it.
pub(super) struct Line {
    began: Uptime,
    method: Method,
    path: String,
    client: IpAddr,
}

impl Access {
    pub(super) fn new(trusted_proxies: Vec<IpNet>) -> Self {
        Self { trusted_proxies }
    }

    /// Notes what will be gone at the end. `None`: nobody reads the line.
    pub(super) fn begin<B>(&self, request: &Request<B>, peer: IpAddr) -> Option<Line> {
        tracing::enabled!(tracing::Level::INFO).then(|| Line {
            began: SystemClock.uptime(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            client: forwarded::client(peer, request.headers(), &self.trusted_proxies),
        })
    }
}

impl Line {
    /// Writes it.
    pub(super) fn end<B>(self, response: &Response<B>) {
        let took = SystemClock.uptime().nanoseconds().saturating_sub(self.began.nanoseconds());
        let refusal = response.extensions().get::<Refusal>();
        let id = response.headers().get(&identity::ID).and_then(|value| value.to_str().ok());
        let outcome = match (refusal, id) {
            (Some(refusal), _) => refusal.code(),
            (None, Some(_)) => "verified",
            (None, None) => outcome_of(response.status()),
        };
        let refused = refusal.and_then(key_of);
        tracing::info!(
            method = self.method.as_str(),
            path = &*shown(&self.path),
            status = response.status().as_u16(),
            outcome,
            key = id.or(refused.as_ref().map(KeyId::as_str)),
            client = %self.client,
            microseconds = took / 1000,
            "request"
        );
    }
}

/// Of the routes that verify nothing.
fn outcome_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..400 => "answered",
        400..500 => "refused",
        _ => "failed",
    }
}

/// The key that was refused, where it is one of ours.
fn key_of(refusal: &Refusal) -> Option<KeyId> {
    match refusal {
        Refusal::Denied(Denied::Revoked(id) | Denied::Expired(id)) => Some(*id),
        _ => None,
    }
}

/// The path, if there is no key in it: some clients look for one there.
fn shown(path: &str) -> Cow<'_, str> {
    if path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%') && path.len() < 32 {
        return Cow::Borrowed(path);
    }
    let decoded: Vec<u8> = percent_decoded(path.as_bytes());
    if holds_a_key(path.as_bytes()) || holds_a_key(&decoded) {
        return Cow::Borrowed("(hidden, it holds a key)");
    }
    Cow::Owned(visible(path))
}

fn percent_decoded(path: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'%', [high, low, after @ ..]) if digit(high).is_some() && digit(low).is_some() => {
                let byte = digit(high).unwrap_or(0) * 16 + digit(low).unwrap_or(0);
                decoded.push(byte as u8);
                rest = after;
            }
            _ => decoded.push(*first),
        }
    }
    decoded
}
