//! Connections: how many, how long, and how they end.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use simple_security::LogThrottle;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::answers::Answers;
use super::connection_limit::{ConnectionLimit, Slot};
use super::pace::Paced;
use super::process;
use super::settings::Serving;
use super::stop::Stop;

/// The longest block of headers, in bytes. A longer one is answered 431 (RFC 6585, section 5).
const MAX_HEADERS: usize = 16 * 1024;

/// The maximum number of requests in progress on an HTTP/2 connection. A request whose answer the client
/// does not read counts, because it holds memory.
const MAX_STREAMS: u32 = 32;

/// How much of their bodies may wait to be read. No route takes more.
const WINDOW: u32 = 65_535;

/// How long to wait if the process is out of files.
const OUT_OF_FILES: Duration = Duration::from_millis(100);

/// How long to wait if an idle connection is being closed, which frees a file.
const FILE_CLOSED: Duration = Duration::from_millis(10);

/// Serves until it is time to stop, then finishes what is under way, for as long as is set. A second
/// signal ends the wait.
pub(super) async fn serve(
    listener: TcpListener,
    answers: Arc<Answers>,
    serving: &Serving,
    stop: &mut Stop,
) {
    let limit = ConnectionLimit::new(process::limit_connections(serving.max_connections));
    let connections = GracefulShutdown::new();
    let server = Arc::new(builder());
    tokio::select! {
        () = accept(&listener, limit, &connections, &server, &answers) => {}
        () = stop.next() => {}
    }
    // Rejects new connections from here on.
    drop(listener);
    tracing::info!("stopping: finishing what is under way");
    tokio::select! {
        () = connections.shutdown() => {}
        () = sleep(serving.grace) => tracing::warn!("some requests were not finished in time"),
        () = stop.next() => tracing::warn!("told to stop at once"),
    }
}

async fn accept(
    listener: &TcpListener,
    mut limit: ConnectionLimit,
    connections: &GracefulShutdown,
    server: &Arc<Builder<TokioExecutor>>,
    answers: &Arc<Answers>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // After `accept`, so that only a client that has connected closes another connection.
                let slot = limit.acquire().await;
                let server = Arc::clone(server);
                let answers = Arc::clone(answers);
                tokio::spawn(connection(
                    stream,
                    peer,
                    slot,
                    connections.watcher(),
                    server,
                    answers,
                ));
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                static FAILED: LogThrottle = LogThrottle::new();
                if let Some(times) = FAILED.record() {
                    tracing::error!(%error, times, "no connection can be accepted");
                }
                // An idle connection holds a file that a new client needs.
                let closed = limit.close_oldest();
                sleep(if closed { FILE_CLOSED } else { OUT_OF_FILES }).await;
            }
        }
    }
}

/// The client has gone before we came to it.
fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    mut slot: Slot,
    watcher: Watcher,
    server: Arc<Builder<TokioExecutor>>,
    answers: Arc<Answers>,
) {
    // An answer is small, and nothing follows it.
    let _ = stream.set_nodelay(true);
    let activity = Arc::clone(&slot.activity);
    let io = TokioIo::new(Paced::new(stream, Arc::clone(&activity)));
    let address: IpAddr = peer.ip();
    let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let in_progress = activity.begin(request.version());
        let answers = Arc::clone(&answers);
        async move {
            if in_progress.is_none() {
                // The connection is closing, which cancels this future.
                std::future::pending::<()>().await;
            }
            let response = answers.answer(request, address).await;
            drop(in_progress);
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let served = tokio::select! {
        biased;
        served = watcher.watch(server.serve_connection(io, service)) => served,
        // An error means that the server is stopping: `watcher` then finishes the requests in progress.
        Ok(()) = &mut slot.closing => return,
    };
    if let Err(error) = served {
        tracing::debug!(error = &*error, client = %address, "a connection has ended early");
    }
}

/// HTTP/1.1, and HTTP/2 in clear text for those who know that it is spoken here.
fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        // The time is kept in `pace.rs`, which tells a client that sends from one that rests.
        .header_read_timeout(None)
        .max_buf_size(MAX_HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .keep_alive_timeout(Duration::from_secs(10))
        .max_header_list_size(MAX_HEADERS as u32)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW);
    builder
}
