//! More clients than connections: the one that has been idle longest makes room, and nobody waits for it.

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

/// A connection that the server has accepted and answered once. It rests then.
fn rested(server: &Server) -> Connection {
    let mut connection = Connection::open(server.address);
    assert!(is_served(&mut connection));
    connection
}

/// Whether this connection is there, and its next request is answered.
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

/// Of as many quiet connections as there may be, each new client ends one, the oldest first.
#[test]
fn quiet_connections_at_the_real_limit_keep_nobody_out() {
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files });
    let granted = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    assert!(granted > 2 * LIMIT as u64, "raise the limit of open files: ulimit -Hn");
    let desk = Desk::new();
    let server = desk.serve(&["--log-level", "warn"]);
    let mut quiet: Vec<Connection> = (0..LIMIT).map(|_| rested(&server)).collect();
    let _new: Vec<Connection> = (0..3).map(|_| rested(&server)).collect();
    let is_ended =
        |(number, connection): (usize, &mut Connection)| (!is_served(connection)).then_some(number);
    let ended: Vec<usize> = quiet.iter_mut().enumerate().filter_map(is_ended).collect();
    // Two threads of the server may come to rest in another order than their clients have theirs.
    assert!(ended.len() == 3 && ended.iter().all(|number| *number < 32), "{ended:?}");
    let log = server.stop();
    assert!(log.contains("all 1024 connections were in use"), "{log}");
}

/// Where the process may not open files for as many connections, fewer are the limit: what is left is for the
/// store.
#[test]
fn a_low_limit_of_open_files_keeps_nobody_out() {
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
    let mut quiet: Vec<Connection> = (0..120).map(|_| rested(&server)).collect();
    assert_eq!(quiet.iter_mut().filter_map(|quiet| is_served(quiet).then_some(())).count(), 36);
    let log = server.stop();
    assert!(log.contains("1024 connections are set, and this process may open 100 files"), "{log}");
    assert!(!log.contains("no connection can be accepted"), "{log}");
}

/// Neither nothing, nor a byte now and then, nor an answer that is not read makes a client young.
#[test]
fn each_kind_of_quiet_client_makes_room() {
    let starts: [&[u8]; 4] =
        [b"", b"G", b"GET /verify HTTP/1.1\r\nx: ", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    for start in starts {
        let desk = Desk::new();
        let server = desk.serve(&["--max-connections", "2"]);
        let mut quiet = Connection::open(server.address);
        quiet.send(start).expect("sent");
        // The server accepts in order: with this one answered, the quiet one has its place.
        let mut young = rested(&server);
        if start.starts_with(b"GET") {
            quiet.send(b"x").expect("another byte");
        }
        let new = rested(&server);
        let mut rest = Vec::new();
        let ended = quiet.0.read_to_end(&mut rest);
        assert!(
            ended.is_ok() || ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
        );
        assert!(is_served(&mut young), "{start:?}");
        drop(new);
        // It was not closed because it took too long.
        let log = server.stop();
        assert!(log.contains("all 2 connections were in use"), "{start:?}: {log}");
    }
}

/// Answers that are not read, on HTTP/2 for want of a window.
#[test]
fn a_client_that_does_not_read_makes_room() {
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
    drop(rested(&server));
    // Whatever it ends with, it ends.
    let _ = runtime.block_on(unread.connection).expect("a task");

    let mut unread = Connection::open(server.address);
    for _ in 0..64 {
        unread.send(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nhost: a\r\n\r\n").expect("sent");
    }
    assert!(unread.0.get_mut().read(&mut [0]).expect("a byte of the first answer") > 0);
    drop(rested(&server));
    server.stop();
}

/// A client that asks again is younger than one that does not, whoever came first.
#[test]
fn the_last_request_counts_and_not_the_connection() {
    let desk = Desk::new();
    let server = desk.serve(&["--max-connections", "3"]);
    let mut connections = [rested(&server), rested(&server), rested(&server)];
    assert!(is_served(&mut connections[0]));
    let _new = rested(&server);
    assert!(connections[1].is_closed());
    assert!(is_served(&mut connections[0]) && is_served(&mut connections[2]));
    server.stop();
}

/// Requests in progress are finished: others wait until one of them is answered.
#[test]
fn a_request_in_progress_is_not_ended() {
    let desk = Desk::new();
    let server = desk.serve(&["--max-connections", "2"]);
    let mut busy = [in_progress(&server), in_progress(&server)];
    let mut waiting = Connection::open(server.address);
    waiting.send(GET).expect("sent");
    // There is no event to wait for where nothing happens: longer than a quiet one would take to end.
    let patience = Some(Duration::from_millis(300));
    waiting.0.get_ref().set_read_timeout(patience).expect("a limit");
    let early = waiting.0.get_mut().read(&mut [0]).expect_err("an answer beyond the limit");
    assert_eq!(early.kind(), ErrorKind::WouldBlock);
    waiting.0.get_ref().set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    // Its body is read for 5 seconds.
    busy[1].send(b"{}").expect("sent");
    assert_eq!(busy[1].read().expect("an answer").status, 201);
    assert_eq!(waiting.read().expect("an answer").status, 200);
    assert!(busy[1].is_closed(), "it had become idle");
    busy[0].send(b"{}").expect("sent");
    assert_eq!(busy[0].read().expect("an answer").status, 201);
    server.stop();
}
