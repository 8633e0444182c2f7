//! Bodies of other kinds than axum's, such as plain hyper hands over.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use simple_security_axum::ApiKey;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{Engine, Layered as _};

fn request<B>(key: Option<&str>, body: B) -> Request<B> {
    let mut request = Request::new(body);
    if let Some(key) = key {
        request.headers_mut().insert("x-api-key", key.parse().expect("a value"));
    }
    request
}

#[tokio::test]
async fn a_plain_service_of_hyper_fits() {
    let engine = Engine::new();
    let issued = engine.issue("key").await;
    let hello = service_fn(async |request: Request<Empty<Bytes>>| {
        let id = request.extensions().get::<ApiKey>().expect("a key").id();
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(id.to_string()))))
    });
    let mut service = engine.layer().layer(hello);
    for _ in ["from the store", "cached"] {
        let sent = request(Some(issued.key.expose()), Empty::new());
        let response = service.ready().await.expect("ready").call(sent).await.expect("a response");
        assert_eq!(response.body().size_hint().exact(), Some(11));
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(body, issued.record.id.as_str());
    }
    let refused = service.ready().await.expect("ready").call(request(None, Empty::new())).await;
    let body = refused.expect("a response").into_body();
    let length = body.size_hint().exact().expect("a known length");
    assert!(!body.is_end_stream());
    let bytes = body.collect().await.expect("a body").to_bytes();
    assert_eq!(bytes.len() as u64, length);
    assert!(bytes.starts_with(b"{\"type\":\"about:blank\","));
}

/// A body as gRPC has it: frames, then trailers; of a length that nobody knows.
struct Streamed(Vec<Frame<Bytes>>);

impl Body for Streamed {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        Poll::Ready(self.0.pop().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

impl From<Bytes> for Streamed {
    fn from(bytes: Bytes) -> Self {
        Self(vec![Frame::data(bytes)])
    }
}

#[tokio::test]
async fn frames_and_trailers_pass_through() {
    let engine = Engine::new();
    let key = engine.issue("key").await.key;
    let stream = service_fn(async |_: Request<Full<Bytes>>| {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().expect("a value"));
        let frames = vec![Frame::trailers(trailers), Frame::data(Bytes::from_static(b"one"))];
        Ok::<_, Infallible>(Response::new(Streamed(frames)))
    });
    let sent = request(Some(key.expose()), Full::default());
    let response = engine.layer().layer(stream).oneshot(sent).await.expect("a response");
    let body = response.into_body();
    assert_eq!((body.is_end_stream(), body.size_hint().exact()), (false, None));
    let collected = body.collect().await.expect("a body");
    assert_eq!(collected.trailers().expect("trailers")["grpc-status"], "0");
    assert_eq!(collected.to_bytes(), "one");
}

/// A body that stays on its thread.
#[derive(Debug, PartialEq)]
struct Local(Rc<[u8]>);

impl From<Bytes> for Local {
    fn from(bytes: Bytes) -> Self {
        Self(Rc::from(&*bytes))
    }
}

#[tokio::test]
async fn neither_bodies_nor_services_have_to_change_threads() {
    let engine = Engine::new();
    let key = engine.issue("key").await.key;
    let here = Rc::new("only on this thread");
    let inner = service_fn(move |request: Request<Rc<[u8]>>| {
        let here = Rc::clone(&here);
        async move {
            Ok::<_, Rc<str>>(Response::new(Local(
                [here.as_bytes(), &request.into_body()].concat().into(),
            )))
        }
    });
    for (key, status, begin) in [
        (Some(key.expose()), 200, "only on this thread, with a body"),
        (None, 401, r#"{"type":"about:blank","#),
    ] {
        let sent = request(key, Rc::from(&b", with a body"[..]));
        let response = engine.layer().layer(inner.clone()).oneshot(sent).await.expect("a response");
        assert_eq!(response.status(), status);
        assert!(response.body().0.starts_with(begin.as_bytes()), "{response:?}");
    }
}
