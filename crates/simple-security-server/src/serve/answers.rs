//! From a request to its answer. Nothing but the headers of this very request decides.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Version};
use http_body::Body as _;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use simple_security::ApiKeys;
use simple_security_axum::{Refusal, RequireApiKey, RequireApiKeyLayer};
use tower::{Layer as _, Service as _, ServiceExt as _};

use super::access::Access;
use super::body::TimelyBody;
use super::identity::Identity;
use super::lines::Writer;
use super::paths::{VERIFY, VERIFY_NGINX};
use super::routes;
use super::settings::Serving;

/// Why a request was refused, where the status alone cannot tell.
static ERROR: HeaderName = HeaderName::from_static("x-api-key-error");

/// The body of an answer: nothing or a problem of the guard, or what a route has to say.
pub(super) type AnswerBody = Either<Full<Bytes>, Body>;

/// All that it takes to answer.
pub(super) struct Answers {
    guard: RequireApiKey<Identity>,
    routes: Router,
    access: Access,
}

impl Answers {
    pub(super) fn new(keys: Arc<ApiKeys>, serving: &Serving, log: Writer) -> Self {
        Self {
            guard: RequireApiKeyLayer::new(Arc::clone(&keys)).layer(Identity),
            routes: routes::all(keys, serving),
            access: Access::new(serving, log),
        }
    }

    /// The answer to a request, and its line in the log.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
    ) -> Response<AnswerBody> {
        let line = self.access.begin(&request, peer);
        let response = match request.uri().path() {
            VERIFY => self.verify(request).await.map(Either::Left),
            VERIFY_NGINX => without_a_body(self.verify(request).await),
            _ => self.route(request).await.map(Either::Right),
        };
        if let Some(line) = line {
            self.access.end(&line, &response);
        }
        response
    }

    /// The body of the request is not read. Where there is one, the connection is closed after the
    /// answer, because the next request on it would begin after that body.
    async fn verify(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let closes = parts.version < Version::HTTP_2 && !body.is_end_stream();
        let mut guard = self.guard.clone();
        let Ok(mut response) = guard.call(Request::from_parts(parts, ())).await;
        drop(body);
        if closes {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn route(&self, request: Request<Incoming>) -> Response<Body> {
        let request = request.map(|body| Body::new(TimelyBody::new(body)));
        let Ok(response) = self.routes.clone().oneshot(request).await;
        response
    }
}

/// The answer in the way of nginx's `auth_request`. To it 2xx lets pass, 401 and 403 refuse, and
/// all else is a fault, which the client sees as 500 (ngx_http_auth_request_module). It also drops its
/// connection to an auth server that answers with a body.
///
/// - More than one key: 401, whose challenge says `invalid_request`. No good credentials were
///   presented (RFC 9110, section 15.5.2), and asking again with one of them helps.
/// - No answer from the store: 403. It is no word about the key, so 401 would be wrong: clients throw
///   away what is refused so. `X-Api-Key-Error: unavailable` tells it apart, and nginx can make a 503
///   of it. Where it is not told to, the client is refused, and never let in.
fn without_a_body(response: Response<Full<Bytes>>) -> Response<AnswerBody> {
    let (mut parts, _) = response.into_parts();
    if let Some(refusal) = parts.extensions.get::<Refusal>() {
        parts.status = match refusal.status() {
            StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST => StatusCode::UNAUTHORIZED,
            _ => StatusCode::FORBIDDEN,
        };
        parts.headers.remove(CONTENT_TYPE);
        parts.headers.insert(ERROR.clone(), HeaderValue::from_static(refusal.code()));
    }
    Response::from_parts(parts, Either::Right(Body::empty()))
}
