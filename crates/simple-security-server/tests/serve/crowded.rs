//! More clients than connections: a new client closes the connection that has been idle longest, and is
//! served without waiting.

use std::io::{ErrorKind, Read as _};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::memory::Withheld;
use crate::raw::Connection;
use crate::{Desk, Server};

/// The default of `--max-connections`.
const LIMIT: usize = 1024;

const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

/// Opens a connection and makes one request on it. It is idle then.
fn idle(server: &Server) -> Connection {
    let mut connection = Connection::open(server.address);
    assert!(is_served(&mut connection));
    connection
}

/// Whether the next request on this connection is answered.
fn is_served(connection: &mut Connection) -> bool {
    connection.send(GET).is_ok() && connection.read().is_some_and(|answer| answer.status == 200)
}

/// A request in progress: the server waits for its body.
fn in_progress(server: &Server) -> Connection {
    let mut connection = Connection::open(server.address);
    let head = format!(
        "POST /auth/keys HTTP/1.1\r\nhost: a\r\nsecret-key: {}\r\ncontent-length: 2\r\n\
         expect: 100-continue\r\ncontent-type: application/json\r\n\r\n",
        crate::SECRET
    );
    connection.send(head.as_bytes()).expect("sent");
    assert_eq!(connection.read().expect("an answer").status, 100);
    connection
}

/// At the default limit, each new client closes one idle connection, the oldest first.
#[test]
fn idle_connections_do_not_block_new_clients() {
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files });
    let granted = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    assert!(granted > 2 * LIMIT as u64, "raise the limit of open files: ulimit -Hn");
    let desk = Desk::new();
    let server = desk.serve(&["--log-level", "warn"]);
    let mut quiet: Vec<Connection> = (0..LIMIT).map(|_| idle(&server)).collect();
    let _new: Vec<Connection> = (0..3).map(|_| idle(&server)).collect();
    let is_closed =
        |(number, connection): (usize, &mut Connection)| (!is_served(connection)).then_some(number);
    let closed: Vec<usize> = quiet.iter_mut().enumerate().filter_map(is_closed).collect();
    // Two threads of the server may mark connections as idle in another order than they were opened.
    assert!(closed.len() == 3 && closed.iter().all(|number| *number < 32), "{closed:?}");
    let log = server.stop();
    assert!(log.contains("all 1024 connections were in use"), "{log}");
}

/// A low limit of open files lowers the limit of connections, so that files are left for the store.
#[test]
fn a_low_limit_of_open_files_does_not_block_new_clients() {
    let desk = Desk::new();
    let served = desk.command(&["--listen", "127.0.0.1:0", "--log-level", "warn"]);
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "ulimit -n 100; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_simple-security")])
        .args(served.get_args())
        .current_dir(desk.path(""))
        .env_clear()
        .envs(served.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let server = desk.start(command);
    let mut quiet: Vec<Connection> = (0..120).map(|_| idle(&server)).collect();
    assert_eq!(quiet.iter_mut().filter_map(|quiet| is_served(quiet).then_some(())).count(), 36);
    let log = server.stop();
    assert!(
        log.contains("the limit of 100 open files allows 36 connections instead of 1024"),
        "{log}"
    );
    assert!(!log.contains("no connection can be accepted"), "{log}");
}

/// A client cannot keep its connection by sending nothing, or a byte now and then.
#[test]
fn each_kind_of_idle_client_is_closed() {
    let starts: [&[u8]; 4] =
        [b"", b"G", b"GET /verify HTTP/1.1\r\nx: ", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    for start in starts {
        let desk = Desk::new();
        let server = desk.serve(&["--max-connections", "2"]);
        let mut quiet = Connection::open(server.address);
        quiet.send(start).expect("sent");
        // The server accepts in order: once this one is answered, the quiet one has been accepted.
        let mut young = idle(&server);
        if start.starts_with(b"GET") {
            quiet.send(b"x").expect("another byte");
        }
        let new = idle(&server);
        let mut rest = Vec::new();
        let read = quiet.0.read_to_end(&mut rest);
        assert!(
            read.is_ok() || read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
        );
        assert!(is_served(&mut young), "{start:?}");
        drop(new);
        // The limit closed it, not a timeout.
        let log = server.stop();
        assert!(log.contains("all 2 connections were in use"), "{start:?}: {log}");
    }
}

/// Neither on HTTP/2, where the client grants no window, nor on HTTP/1.1 with pipelined requests.
#[test]
fn a_client_that_does_not_read_is_closed() {
    let desk = Desk::new();
    let server = desk.serve(&["--max-connections", "1"]);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut unread = runtime.block_on(Withheld::open(&server));
    runtime.block_on(async {
        for answer in unread.fill("/docs/swagger-ui-bundle.js").await {
            unread.answers.push(answer.await.expect("an answer"));
        }
    });
    drop(idle(&server));
    // Closed, with or without an error.
    let _ = runtime.block_on(unread.connection).expect("a task");

    let mut unread = Connection::open(server.address);
    for _ in 0..64 {
        unread.send(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: a\r\n\r\n").expect("sent");
    }
    assert!(unread.0.get_mut().read(&mut [0]).expect("a byte of the first answer") > 0);
    drop(idle(&server));
    server.stop();
}

/// The age of a connection counts from its last request, not from when it was opened.
#[test]
fn a_request_makes_a_connection_young() {
    let desk = Desk::new();
    let server = desk.serve(&["--max-connections", "3"]);
    let mut connections = [idle(&server), idle(&server), idle(&server)];
    assert!(is_served(&mut connections[0]));
    let _new = idle(&server);
    // Two threads of the server may mark the other two as idle in either order.
    let served = connections.each_mut().map(is_served);
    assert!(served[0] && served[1] != served[2], "{served:?}");
    server.stop();
}

/// Requests in progress are finished. A new client waits until one of them is answered.
#[test]
fn a_connection_with_a_request_in_progress_is_not_closed() {
    let desk = Desk::new();
    let server = desk.serve(&["--max-connections", "2"]);
    let mut busy = [in_progress(&server), in_progress(&server)];
    let mut waiting = Connection::open(server.address);
    waiting.send(GET).expect("sent");
    // No event shows that nothing happens. This is longer than closing an idle connection takes.
    let no_answer = Some(Duration::from_millis(300));
    waiting.0.get_ref().set_read_timeout(no_answer).expect("a timeout");
    let early = waiting.0.get_mut().read(&mut [0]).expect_err("an answer beyond the limit");
    assert_eq!(early.kind(), ErrorKind::WouldBlock);
    waiting.0.get_ref().set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    // The server waits 5 seconds for a body.
    busy[1].send(b"{}").expect("sent");
    assert_eq!(busy[1].read().expect("an answer").status, 201);
    assert_eq!(waiting.read().expect("an answer").status, 200);
    assert!(busy[1].is_closed(), "it became idle");
    busy[0].send(b"{}").expect("sent");
    assert_eq!(busy[0].read().expect("an answer").status, 201);
    server.stop();
}
