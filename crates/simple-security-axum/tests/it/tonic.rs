//! tonic: a client of gRPC asks a server, over a connection.

use std::sync::atomic::Ordering;

use simple_security_axum::ApiKey;
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::Engine;

/// What a client sends with each call: names and values.
type Metadata<'a> = &'a [(&'static str, &'a str)];

/// A client that sends these metadata with each call, of a server which asks for keys and knows then
/// who has asked.
async fn client(
    engine: &Engine,
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
    let server = Server::builder().layer(engine.layer().for_grpc()).add_service(health);
    tokio::spawn(server.serve_with_incoming(incoming));

    let mut metadata = MetadataMap::new();
    for &(name, value) in sent {
        metadata.insert(name, AsciiMetadataValue::try_from(value).expect("ASCII"));
    }
    let with_metadata = move |mut request: Request<()>| {
        *request.metadata_mut() = metadata.clone();
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
    let engine = Engine::new();
    let issued = engine.issue("key").await;
    let mut client = client(&engine, &[("x-api-key", issued.key.expose())]).await;
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
        let mut client = client(&engine, sent).await;
        assert_eq!(refused(client.check(question()).await), (code, message.to_owned()));
    }
}
