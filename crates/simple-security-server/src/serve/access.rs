//! One line in the log for each request. It has no value of any header, and no query.
//!
//! It is no event of tracing: there are as many of them as requests, and that would take as long as
//! all else here.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Mutex;

use http::{Method, Request, Response, StatusCode};
use ipnet::IpNet;
use percent_encoding::{percent_decode_str, utf8_percent_encode};
use simple_security::clock::{Clock as _, SystemClock, Uptime};
use simple_security::{KeyId, Timestamp, VerifyError, holds_a_key};
use simple_security_axum::Refusal;
use tracing::Level;

use super::lines::Writer;
use super::paths::{VERIFY, VERIFY_NGINX};
use super::settings::{LogFormat, Serving};
use super::{forwarded, identity, percent};

/// Writes the lines.
pub(super) struct Access {
    writer: Writer,
    format: LogFormat,
    /// Somebody reads the lines.
    is_on: bool,
    trusted_proxies: Vec<IpNet>,
    /// The second that was written last, and how.
    time: Mutex<(Timestamp, String)>,
}

/// A request under way, and what its line needs of it.
pub(super) struct Line {
    began: Uptime,
    method: Method,
    path: Cow<'static, str>,
    client: IpAddr,
}

impl Access {
    pub(super) fn new(serving: &Serving, writer: Writer) -> Self {
        Self {
            writer,
            format: serving.log_format,
            is_on: serving.log_level >= Level::INFO,
            trusted_proxies: serving.trusted_proxies.clone(),
            time: Mutex::new((Timestamp::MIN, String::new())),
        }
    }

    /// Notes what will be gone at the end. `None`: nobody reads the line.
    pub(super) fn begin<B>(&self, request: &Request<B>, peer: IpAddr) -> Option<Line> {
        self.is_on.then(|| Line {
            began: SystemClock.uptime(),
            method: request.method().clone(),
            path: shown(request.uri().path()),
            client: forwarded::client(peer, request.headers(), &self.trusted_proxies),
        })
    }

    /// Writes it.
    pub(super) fn end<B>(&self, line: &Line, response: &Response<B>) {
        let took = SystemClock.uptime().nanoseconds().saturating_sub(line.began.nanoseconds());
        let refusal = response.extensions().get::<Refusal>();
        let id = response.headers().get(&identity::ID).and_then(|value| value.to_str().ok());
        let outcome = match (refusal, id) {
            (Some(refusal), _) => refusal.code(),
            (None, Some(_)) => "verified",
            (None, None) => outcome_of(response.status()),
        };
        let refused = refusal.and_then(key_of);
        let key = id.or(refused.as_ref().map(KeyId::as_str));
        let Line { method, path, client, .. } = line;
        let (status, microseconds) = (response.status().as_u16(), took / 1000);
        let mut text = String::with_capacity(256);
        // Writing to a string cannot fail. `{:?}` of a path is JSON: of visible ASCII, both escape
        // quotes and backslashes alone, and alike.
        let _ = match self.format {
            LogFormat::Json => {
                text.push_str("{\"timestamp\":\"");
                self.add_time(&mut text);
                let _ = write!(
                    text,
                    "\",\"level\":\"INFO\",\"message\":\"request\",\"method\":\"{method}\",\
                     \"path\":{path:?},\"status\":{status},\"outcome\":\"{outcome}\""
                );
                let _ = key.map(|key| write!(text, ",\"key\":\"{key}\""));
                writeln!(text, ",\"client\":\"{client}\",\"microseconds\":{microseconds}}}")
            }
            LogFormat::Text => {
                self.add_time(&mut text);
                let _ = write!(
                    text,
                    "  INFO request method={method} path={path:?} status={status} outcome={outcome}"
                );
                let _ = key.map(|key| write!(text, " key={key}"));
                writeln!(text, " client={client} microseconds={microseconds}")
            }
        };
        self.writer.add(text.as_bytes());
    }

    /// The time, which is made into a text once in a second.
    fn add_time(&self, text: &mut String) {
        let now = SystemClock.now();
        let mut time = self.time.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if time.0 != now {
            *time = (now, now.to_string());
        }
        text.push_str(&time.1);
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
        Refusal::Denied(VerifyError::Revoked(id) | VerifyError::Expired(id)) => Some(*id),
        _ => None,
    }
}

/// The path in visible ASCII, if there is no key in it: some clients look for one there.
fn shown(path: &str) -> Cow<'static, str> {
    // The paths of nearly all requests.
    for known in [VERIFY, VERIFY_NGINX] {
        if path == known {
            return Cow::Borrowed(known);
        }
    }
    // As it stands too: a `%` before a key takes its first letters for a code.
    if holds_a_key(path.as_bytes()) || holds_a_key(&Cow::from(percent_decode_str(path))) {
        return Cow::Borrowed("(hidden, it holds a key)");
    }
    Cow::Owned(utf8_percent_encode(path, percent::INVISIBLE).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_key_is_not_shown() {
        let key = "ab_RNBYYeVjz4h_w2UNiRnAzzhc7M2sbKBlPl3S8Cwqo9blp4G3pIn";
        let encoded: String = key.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for path in [format!("/{key}"), format!("/%{key}"), format!("/a%2f{encoded};b/c")] {
            assert_eq!(shown(&path), "(hidden, it holds a key)");
        }
        assert_eq!(shown("/verify"), "/verify");
        assert_eq!(shown("/é\u{85}%2F\""), "/%C3%A9%C2%85%2F\"");
    }
}
