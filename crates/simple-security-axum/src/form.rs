//! In which form a client is told that its request was refused.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};

use crate::refusal::{Challenges, Refusal};

/// How [`RequireApiKeyLayer`](crate::RequireApiKeyLayer) tells a refusal in a body of the kind `B`:
/// [`ProblemJson`] or [`Grpc`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot tell a refusal in a body `{B}`",
    label = "the service has a body `{B}`",
    note = "around services of tonic, the layer is `RequireApiKeyLayer::for_grpc()`",
    note = "where another layer or an interceptor has made this body, one that maps it goes between: \
            `MapResponseBodyLayer` of tower-http"
)]
pub trait Form<B>: Sealed {
    #[doc(hidden)]
    fn respond(refusal: Refusal, challenges: &Challenges, asked: &HeaderMap) -> Response<B>;
}

/// By a status and `application/problem+json` (RFC 9457), in any body that can be made of [`Bytes`]:
/// that of axum, or `Full<Bytes>` of http-body-util.
#[derive(Debug, Clone, Copy)]
pub struct ProblemJson;

/// By a status of gRPC, in any body that can be empty. See
/// [`for_grpc`](crate::RequireApiKeyLayer::for_grpc).
#[derive(Debug, Clone, Copy)]
pub struct Grpc;

#[diagnostic::do_not_recommend]
impl<B: From<Bytes>> Form<B> for ProblemJson {
    fn respond(refusal: Refusal, challenges: &Challenges, _: &HeaderMap) -> Response<B> {
        refusal.respond(challenges).map(B::from)
    }
}

#[diagnostic::do_not_recommend]
impl<B: Default> Form<B> for Grpc {
    fn respond(refusal: Refusal, challenges: &Challenges, asked: &HeaderMap) -> Response<B> {
        if speaks_grpc(asked) {
            return refusal.respond_in_grpc();
        }
        let mut response = refusal.respond(challenges).map(|_| B::default());
        response.headers_mut().remove(CONTENT_TYPE);
        response
    }
}

/// Others must not be answered as clients of gRPC are, by a status of 200: they would take that for
/// a success ("gRPC over HTTP2", Requests). gRPC-Web, which a layer outside may translate, is another
/// type, and its clients go by the status of HTTP.
fn speaks_grpc(asked: &HeaderMap) -> bool {
    let kind = asked.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = kind.and_then(|kind| kind.strip_prefix(b"application/grpc"));
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// There are no other forms.
pub trait Sealed: Copy + Send + Sync + 'static {}

impl Sealed for ProblemJson {}

impl Sealed for Grpc {}
