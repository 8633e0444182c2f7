//! tonic: a client of gRPC asks a server, over a connection.

use std::convert::Infallible;
use std::sync::atomic::Ordering;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http_body::Body as _;
use simple_security_axum::{ApiKey, Refusal};
use tonic::metadata::AsciiMetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::service::{Interceptor, LayerExt};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::map_response_body::MapResponseBodyLayer;

use crate::{Engine, Layered as _, request};

/// What a client sends with each call: names and values.
type Metadata<'a> = &'a [(&'static str, &'a str)];

/// What of a server asks for keys.
#[derive(Clone, Copy)]
enum Guarded {
    All,
    OneService,
}

/// A client that sends these metadata with each call, of a server which asks for keys and knows then
/// who has asked.
async fn client(
    engine: &Engine,
    guarded: Guarded,
    sent: Metadata<'_>,
) -> HealthClient<InterceptedService<Channel, impl Interceptor + use<>>> {
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let address = incoming.local_addr().expect("an address");
    let (_, health) = tonic_health::server::health_reporter();
    let health = InterceptedService::new(health, |request: Request<()>| {
        match request.extensions().get::<ApiKey>() {
            Some(_) => Ok(request),
            None => Err(Status::internal("nobody knows who has asked")),
        }
    });
    let layer = engine.layer().for_grpc();
    match guarded {
        Guarded::All => {
            let server = Server::builder().layer(layer).add_service(health);
            tokio::spawn(server.serve_with_incoming(incoming));
        }
        Guarded::OneService => {
            // An interceptor makes bodies of its own.
            let layer = (layer, MapResponseBodyLayer::new(tonic::body::Body::new));
            let server = Server::builder().add_service(layer.named_layer(health));
            tokio::spawn(server.serve_with_incoming(incoming));
        }
    }

    let sent: Vec<_> = sent
        .iter()
        .map(|&(name, value)| (name, AsciiMetadataValue::try_from(value).expect("ASCII")))
        .collect();
    let with_metadata = move |mut request: Request<()>| {
        for (name, value) in &sent {
            request.metadata_mut().insert(*name, value.clone());
        }
        Ok(request)
    };
    let endpoint = Endpoint::try_from(format!("http://{address}")).expect("a URL");
    HealthClient::with_interceptor(endpoint.connect().await.expect("a connection"), with_metadata)
}

fn question() -> HealthCheckRequest {
    HealthCheckRequest::default()
}

fn refused<T>(answer: Result<Response<T>, Status>) -> (Code, String) {
    let status = answer.err().expect("a refusal");
    (status.code(), status.message().to_owned())
}

#[tokio::test]
async fn each_call_is_checked_and_counted() {
    for guarded in [Guarded::All, Guarded::OneService] {
        let engine = Engine::new();
        let issued = engine.issue("key").await;
        let mut client = client(&engine, guarded, &[("x-api-key", issued.key.expose())]).await;
        for _ in ["from the store", "cached"] {
            client.check(question()).await.expect("an answer");
        }
        // A stream is checked when it begins.
        let mut stream = client.watch(question()).await.expect("a stream").into_inner();
        engine.keys.revoke(issued.record.id).await.expect("revoked");
        assert!(stream.message().await.expect("a message").is_some());
        let revoked = (Code::Unauthenticated, "The API key is revoked".to_owned());
        assert_eq!(refused(client.check(question()).await), revoked);
        assert_eq!(refused(client.watch(question()).await), revoked);
        assert_eq!(engine.counted(issued.record.id).await, 3);
    }
}

#[tokio::test]
async fn a_refusal_is_a_status_of_grpc() {
    let engine = Engine::new();
    let issued = engine.issue("key").await;
    let bearer = format!("Bearer {}", issued.key.expose());
    let cases: [(Metadata<'_>, Code, &str); 4] = [
        (
            &[],
            Code::Unauthenticated,
            "An API key must be sent, in the header Authorization (Bearer) or X-API-Key",
        ),
        (&[("x-api-key", "never issued")], Code::Unauthenticated, "The API key is wrong"),
        (
            &[("authorization", &bearer), ("api-key", "another")],
            Code::InvalidArgument,
            "More than one API key was sent",
        ),
        (&[("authorization", &bearer)], Code::Unavailable, "The API key cannot be checked now"),
    ];
    for (sent, code, message) in cases {
        engine.store.down.store(code == Code::Unavailable, Ordering::SeqCst);
        engine.let_the_lease_end();
        for guarded in [Guarded::All, Guarded::OneService] {
            let mut client = client(&engine, guarded, sent).await;
            assert_eq!(refused(client.check(question()).await), (code, message.to_owned()));
        }
    }
}

/// The response of a service that is behind the layer for gRPC, to a client that sends this type.
async fn response(engine: &Engine, kind: Option<&str>, key: Option<&str>) -> http::Response<Body> {
    let hello = service_fn(async |_| Ok::<_, Infallible>(http::Response::new(Body::from("hello"))));
    let headers = [("content-type", kind), ("x-api-key", key)];
    let sent: Vec<_> =
        headers.iter().filter_map(|(name, value)| value.map(|value| (*name, value))).collect();
    let Ok(response) = engine.layer().for_grpc().layer(hello).oneshot(request("/", &sent)).await;
    response
}

#[tokio::test]
async fn it_is_all_in_the_headers() {
    let engine = Engine::new();
    for kind in ["application/grpc", "application/grpc+proto", "application/grpc;x=y"] {
        let response = response(&engine, Some(kind), Some("never issued")).await;
        assert_eq!(response.status(), 200);
        let expected = [
            (CONTENT_TYPE.as_str(), "application/grpc"),
            (CACHE_CONTROL.as_str(), "no-store"),
            ("grpc-status", "16"),
            ("grpc-message", "The API key is wrong"),
        ];
        let headers: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII")))
            .collect();
        assert_eq!(headers, expected);
        assert!(response.body().is_end_stream());
        assert_eq!(response.extensions().get::<Refusal>().expect("a reason").code(), "denied");
    }
}

#[tokio::test]
async fn who_speaks_no_grpc_is_not_told_of_success() {
    let engine = Engine::new();
    let issued = engine.issue("key").await;
    let others = ["application/json", "x/y; application/grpc", "application/grpc-web+proto", ""];
    for kind in others.map(Some).into_iter().chain([None]) {
        let sent = response(&engine, kind, None).await;
        assert_eq!(sent.status(), 401);
        assert_eq!(sent.headers()[WWW_AUTHENTICATE], r#"Bearer realm="api""#);
        assert_eq!(sent.headers()[CACHE_CONTROL], "no-store");
        assert!(!sent.headers().contains_key(CONTENT_TYPE) && sent.body().is_end_stream());
        assert_eq!(response(&engine, kind, Some("never issued")).await.status(), 401);
    }
    engine.store.down.store(true, Ordering::SeqCst);
    engine.let_the_lease_end();
    let sent = response(&engine, None, Some(issued.key.expose())).await;
    assert_eq!(
        (sent.status().as_u16(), &sent.headers()[RETRY_AFTER]),
        (503, &"1".parse().unwrap())
    );
    assert!(sent.body().is_end_stream());
}

#[tokio::test]
async fn layers_of_both_forms_count_a_request_once() {
    let engine = Engine::new();
    let issued = engine.issue("key").await;
    let app = crate::guarded(engine.layer()).layer(engine.layer().for_grpc()).layer(engine.layer());
    for round in 1..=3 {
        assert_eq!(crate::ask(&app, &[("x-api-key", issued.key.expose())]).await.status, 200);
        assert_eq!(engine.counted(issued.record.id).await, round);
    }
}
