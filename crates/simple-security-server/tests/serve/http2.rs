//! HTTP/2 in clear text, for a client that knows that it is spoken here.

use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::Desk;

#[test]
fn many_requests_on_one_connection() {
    let desk = Desk::new();
    let (key, id) = desk.issue("shop");
    let server = desk.serve(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let stream = TcpStream::connect(server.address).await.expect("a connection");
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            // Until the server's settings arrive: it rejects more requests than it allows before that too.
            .initial_max_send_streams(1)
            .handshake(TokioIo::new(stream))
            .await
            .expect("HTTP/2");
        let connection = tokio::spawn(connection);
        let request = |path: &str, headers: &[(&str, &str)]| {
            let mut request = Request::get(format!("http://test{path}"));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let mut sender = sender.clone();
            let request = request.body(Empty::<Bytes>::new()).expect("a request");
            async move { sender.send_request(request).await }
        };
        // More than may be under way at once: the others wait.
        let all = (0..500).map(|_| tokio::spawn(request("/verify", &[("x-api-key", &key)])));
        for answer in all.collect::<Vec<_>>() {
            let answer: Response<Incoming> = answer.await.expect("a task").expect("an answer");
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.headers()["x-api-key-id"], id.as_str());
        }
        let answer = request("/verify/nginx", &[]).await.expect("an answer");
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes().len(), 0);
        let twice = [("x-api-key", key.as_str()), ("api-key", key.as_str())];
        assert_eq!(request("/verify", &twice).await.expect("an answer").status(), 400);
        // Headers that are too long are refused, and the connection lives on.
        let long = "x".repeat(20 * 1024);
        let answer = request("/verify", &[("x-api-key", &key), ("x", &long)]).await;
        assert_eq!(answer.expect("an answer").status(), 431);
        assert_eq!(request("/verify", &[("x-api-key", &key)]).await.expect("one").status(), 200);
        drop(sender);
        connection.abort();
    });
    server.stop();
    assert_eq!(desk.used(id), 501);
}
