//! From what the engine says to what a client gets: the one table of refusals.

use std::error::Error;
use std::fmt;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use simple_security::{LogThrottle, VerifyError};
use simple_security_admin::Problem;

/// Why a request was not let in.
///
/// It is in the extensions of the response, for logs and metrics of layers outside. A client learns
/// the reason of a refused key only where it knew the whole secret.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Refusal {
    /// The engine says no, or cannot tell.
    Denied(VerifyError),
    /// No credential was sent.
    NotPresented,
    /// More than one was sent. Which one is meant cannot be told, and two programs on the way may
    /// not agree.
    Repeated,
}

/// An answer to a client.
struct Row {
    status: StatusCode,
    /// The same in gRPC (its "Status codes and their use").
    grpc_status: &'static str,
    code: &'static str,
    detail: &'static str,
    challenge: Challenge,
}

const INVALID_ARGUMENT: &str = "3";
const UNAVAILABLE: &str = "14";
const UNAUTHENTICATED: &str = "16";

/// What `WWW-Authenticate` says.
enum Challenge {
    /// No such header: another key would not help.
    Absent,
    /// RFC 6750, section 3.1: without an error where nothing was sent.
    Plain,
    InvalidToken,
    InvalidRequest,
}

impl Refusal {
    /// The outcome in one word, which is `code` in an answer of JSON: `denied`, `not_presented`,
    /// `repeated` or `unavailable`.
    pub fn code(&self) -> &'static str {
        self.row().code
    }

    /// The status of the answer. (A client of gRPC sees 200, and one of its own.)
    pub fn status(&self) -> StatusCode {
        self.row().status
    }

    /// The response, with this in its extensions.
    pub(crate) fn respond(self, challenges: &Challenges) -> Response<Bytes> {
        self.log();
        let row = self.row();
        let mut response = Problem::new(row.status, row.code, row.detail).respond();
        let headers = response.headers_mut();
        if row.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        let challenge = match row.challenge {
            Challenge::Absent => None,
            Challenge::Plain => Some(&challenges.plain),
            Challenge::InvalidToken => Some(&challenges.invalid_token),
            Challenge::InvalidRequest => Some(&challenges.invalid_request),
        };
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, challenge.clone());
        }
        response.extensions_mut().insert(self);
        response
    }

    /// The response to a client of gRPC, of trailers alone ("gRPC over HTTP2", Responses): it has no
    /// use for a body that is no message. With this in its extensions.
    pub(crate) fn respond_in_grpc<B: Default>(self) -> Response<B> {
        self.log();
        let row = self.row();
        let mut response = Response::new(B::default());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert("grpc-status", HeaderValue::from_static(row.grpc_status));
        // Percent-encoded, which changes nothing in these texts.
        headers.insert("grpc-message", HeaderValue::from_static(row.detail));
        response.extensions_mut().insert(self);
        response
    }

    fn row(&self) -> Row {
        let denied = |detail| Row {
            status: StatusCode::UNAUTHORIZED,
            grpc_status: UNAUTHENTICATED,
            code: "denied",
            detail,
            challenge: Challenge::InvalidToken,
        };
        match self {
            Self::NotPresented => Row {
                status: StatusCode::UNAUTHORIZED,
                grpc_status: UNAUTHENTICATED,
                code: "not_presented",
                detail: "An API key must be sent, in the header Authorization (Bearer) or X-API-Key",
                challenge: Challenge::Plain,
            },
            Self::Repeated => Row {
                status: StatusCode::BAD_REQUEST,
                grpc_status: INVALID_ARGUMENT,
                code: "repeated",
                detail: "More than one API key was sent",
                challenge: Challenge::InvalidRequest,
            },
            Self::Denied(error) if error.is_transient() => Row {
                status: StatusCode::SERVICE_UNAVAILABLE,
                grpc_status: UNAVAILABLE,
                code: "unavailable",
                detail: "The API key cannot be checked now",
                challenge: Challenge::Absent,
            },
            Self::Denied(VerifyError::Revoked(_)) => denied("The API key is revoked"),
            Self::Denied(VerifyError::Expired(_)) => denied("The API key has expired"),
            Self::Denied(_) => denied("The API key is wrong"),
        }
    }

    /// What is wrong and where is no business of a client. Keys that were never ours are not
    /// logged: anyone may send as many as they like. When they cannot be checked, one line a second
    /// is enough.
    fn log(&self) {
        static UNCHECKED: LogThrottle = LogThrottle::new();
        match self {
            Self::Denied(error) if error.is_transient() => {
                let Some(requests) = UNCHECKED.record() else { return };
                let error: &(dyn Error + 'static) = match error {
                    VerifyError::Unavailable(error) => &**error,
                    overloaded => overloaded,
                };
                tracing::error!(error, requests, "API keys could not be checked");
            }
            Self::Denied(reason @ (VerifyError::Revoked(_) | VerifyError::Expired(_))) => {
                tracing::info!("refused: {reason}");
            }
            _ => {}
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denied) => denied.fmt(formatter),
            other => formatter.write_str(other.row().detail),
        }
    }
}

/// The challenges of one realm (RFC 6750, section 3).
#[derive(Debug, Clone)]
pub struct Challenges {
    plain: HeaderValue,
    invalid_token: HeaderValue,
    invalid_request: HeaderValue,
}

impl Challenges {
    pub(crate) fn new(realm: &str) -> Result<Self, InvalidRealm> {
        if !realm.bytes().all(|byte| matches!(byte, 0x20..=0x7E)) {
            return Err(InvalidRealm);
        }
        // A quoted string (RFC 9110, section 5.6.4).
        let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
        let value = |error: &str| {
            HeaderValue::try_from(format!("Bearer realm=\"{quoted}\"{error}"))
                .map_err(|_| InvalidRealm)
        };
        Ok(Self {
            plain: value("")?,
            invalid_token: value(", error=\"invalid_token\"")?,
            invalid_request: value(", error=\"invalid_request\"")?,
        })
    }
}

impl Default for Challenges {
    fn default() -> Self {
        Self {
            plain: HeaderValue::from_static(r#"Bearer realm="api""#),
            invalid_token: HeaderValue::from_static(r#"Bearer realm="api", error="invalid_token""#),
            invalid_request: HeaderValue::from_static(
                r#"Bearer realm="api", error="invalid_request""#,
            ),
        }
    }
}

/// The realm has characters that a header cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a realm is made of visible ASCII characters and spaces")]
pub struct InvalidRealm;

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use simple_security::store::StoreError;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("the lines").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn a_flood_that_cannot_be_checked_is_a_line_a_second() {
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt().with_writer(lines.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            for _ in 0..1_000 {
                let refusal = Refusal::Denied(VerifyError::Overloaded { per_second: 10 });
                let response = refusal.respond(&Challenges::default());
                assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
                assert_eq!(response.headers()[RETRY_AFTER], "1");
            }
        });
        let written = String::from_utf8(lines.0.lock().expect("the lines").clone()).expect("text");
        let lines = written.lines().filter(|line| line.contains("could not be checked")).count();
        assert!((1..100).contains(&lines), "{written}");
        assert!(written.contains("requests=1"), "{written}");
    }

    #[test]
    fn a_message_of_grpc_is_what_it_is_encoded_to() {
        let id = "00000000000".parse().expect("an id");
        let error = Arc::new(StoreError::Busy { source: None });
        let refusals = [
            Refusal::NotPresented,
            Refusal::Repeated,
            Refusal::Denied(VerifyError::Unknown),
            Refusal::Denied(VerifyError::Revoked(id)),
            Refusal::Denied(VerifyError::Expired(id)),
            Refusal::Denied(VerifyError::Overloaded { per_second: 10 }),
            Refusal::Denied(VerifyError::Unavailable(error)),
        ];
        // "gRPC over HTTP2", Responses: Percent-Encoded.
        let stays = |byte| matches!(byte, 0x20..=0x7E) && byte != b'%';
        for refusal in refusals {
            assert!(refusal.row().detail.bytes().all(stays), "{refusal}");
        }
    }

    #[test]
    fn a_realm_is_quoted() {
        let challenges = Challenges::new(r#"say "a\b""#).expect("a realm");
        assert_eq!(challenges.plain, r#"Bearer realm="say \"a\\b\"""#);
        assert_eq!(
            format!("{:?}", Challenges::new("api").expect("a realm")),
            format!("{:?}", Challenges::default())
        );
        for wrong in ["a\nb", "\u{7f}", "é", "\0"] {
            assert_eq!(Challenges::new(wrong).expect_err(wrong), InvalidRealm);
        }
    }
}
