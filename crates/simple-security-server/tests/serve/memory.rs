//! The memory that clients which do not read their answers can make the server hold.

use std::fs;
use std::process::Command;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture as Answer, SendRequest};
use http::{Request, Response, StatusCode};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::{Desk, SECRET, Server};

/// The number of connections that a hostile client opens.
const CONNECTIONS: usize = 10;

/// The memory that they may cost together, in kilobytes. With a copy of the answer for each of 128 requests,
/// they cost 37 MB for the smallest file and 530 MB for the largest.
const MAX_GROWTH: u64 = 24 * 1024;

/// An HTTP/2 connection whose client grants no window: the headers of an answer arrive, and the body stays
/// in the server.
pub struct Withheld {
    sender: SendRequest<Bytes>,
    pub answers: Vec<Response<h2::RecvStream>>,
    pub connection: JoinHandle<Result<(), h2::Error>>,
}

impl Withheld {
    pub async fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).await.expect("a connection");
        let (sender, connection) = Builder::new()
            .initial_window_size(0)
            // Until the server's settings arrive.
            .initial_max_send_streams(1)
            .handshake(stream)
            .await
            .expect("HTTP/2");
        let connection = tokio::spawn(connection);
        let mut opened = Self { sender, answers: Vec::new(), connection };
        let first = opened.begin("/healthz").await.await.expect("an answer");
        assert_eq!(first.status(), StatusCode::OK);
        opened.answers.push(first);
        opened
    }

    /// Sends a request.
    async fn begin(&mut self, path: &str) -> Answer {
        let mut sender = self.sender.clone().ready().await.expect("a free stream");
        let request = Request::get(format!("http://test{path}")).header("secret-key", SECRET);
        let request = request.body(()).expect("a request");
        let (answer, _) = sender.send_request(request, true).expect("sent");
        answer
    }

    /// Sends as many requests as the server accepts.
    pub async fn fill(&mut self, path: &str) -> Vec<Answer> {
        let mut begun = Vec::new();
        for _ in self.answers.len()..self.sender.current_max_send_streams() {
            begun.push(self.begin(path).await);
        }
        begun
    }
}

/// Returns the resident memory of the server, in kilobytes.
fn resident(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.process.id()));
    let status = status.expect("the status of a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn answers_that_are_not_read_hold_little_memory() {
    let desk = Desk::new();
    let server = desk.serve(&["--log-level", "warn"]);
    let open = ["/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/openapi.json", "/verify"];
    for path in open {
        let grown = growth(&server, path);
        assert!(grown < MAX_GROWTH, "{path}: {grown} kB");
    }
    server.stop();
}

/// Pages are made for each request; one of a thousand keys has about 250 kB.
#[test]
fn pages_that_are_not_read_hold_little_memory() {
    let desk = Desk::new();
    let lines: String = (0..1000).map(|number| format!("{number:064}\n")).collect();
    fs::write(desk.path("keys.csv"), format!("key\n{lines}")).expect("a file");
    let served = desk.command(&[]);
    let settings = served.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let imported = Command::new(env!("CARGO_BIN_EXE_simple-security"))
        .args(["keys", "import", "keys.csv", "--yes"])
        .current_dir(desk.0.path())
        .env_clear()
        .envs(settings)
        .output()
        .expect("a process");
    assert_eq!(String::from_utf8_lossy(&imported.stdout), "imported 1000 keys, skipped 0\n");
    let server = desk.serve(&["--log-level", "warn"]);
    let grown = growth(&server, "/auth/keys?limit=1000");
    assert!(grown < MAX_GROWTH, "{grown} kB");
    server.stop();
}

/// Returns by how many kilobytes the server grows when [`CONNECTIONS`] request this path as often as the
/// server accepts.
fn growth(server: &Server, path: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        // Does not count what the first request allocates.
        let first = Withheld::open(server).await;
        let before = resident(server);
        let (mut connections, mut begun) = (Vec::new(), Vec::new());
        for _ in 0..CONNECTIONS {
            let mut connection = Withheld::open(server).await;
            begun.push(connection.fill(path).await);
            connections.push(connection);
        }
        for (connection, begun) in connections.iter_mut().zip(begun) {
            for answer in begun {
                connection.answers.push(answer.await.expect("an answer"));
            }
        }
        let after = resident(server);
        for connection in connections.into_iter().chain([first]) {
            connection.connection.abort();
            let _ = connection.connection.await;
        }
        after.saturating_sub(before)
    })
}
