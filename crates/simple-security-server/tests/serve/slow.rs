//! Clients that are slow, idle or many.

use std::io::{ErrorKind, Read as _};
use std::time::Duration;

use simple_security::clock::{Clock as _, SystemClock};

use crate::Desk;
use crate::raw::Connection;

/// How long a client that sends a byte now and then is listened to, in seconds.
fn seconds_until_cut(connection: &mut Connection, first: &[u8], drip: &[u8]) -> u64 {
    let began = SystemClock.uptime();
    connection.send(first).expect("sent");
    // Waiting for an answer is the pause between two bytes.
    connection.0.get_ref().set_read_timeout(Some(Duration::from_millis(300))).expect("a limit");
    loop {
        let mut answer = [0; 4096];
        match connection.0.get_mut().read(&mut answer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if connection.send(drip).is_err() {
                    break;
                }
            }
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let waited = SystemClock.uptime().nanoseconds() - began.nanoseconds();
        assert!(waited < 50_000_000_000, "it is not cut");
    }
    (SystemClock.uptime().nanoseconds() - began.nanoseconds()) / 1_000_000_000
}

#[test]
fn slow_headers_are_cut() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let starts: [&[u8]; 4] =
        [b"", b"G", b"GET /verify HTTP/1.1\r\nx: ", b"PRI * HTTP/2.0\r\n\r\nSM"];
    std::thread::scope(|scope| {
        for first in starts {
            let mut connection = Connection::open(server.address);
            scope.spawn(move || {
                // A part of the start of HTTP/2 is only that as long as nothing else follows.
                let drip: &[u8] = if first.starts_with(b"GET") { b"x" } else { b"" };
                let seconds = seconds_until_cut(&mut connection, first, drip);
                assert!((4..15).contains(&seconds), "{first:?} after {seconds} s");
            });
        }
        // The second request of a connection, too.
        let mut connection = Connection::open(server.address);
        connection.send(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").expect("sent");
        assert_eq!(connection.read().expect("an answer").status, 200);
        scope.spawn(move || {
            let seconds = seconds_until_cut(&mut connection, b"GET /verify HTTP/1.1\r\nx: ", b"x");
            assert!((4..15).contains(&seconds), "the second request after {seconds} s");
        });
    });
    server.stop();
}

#[test]
fn slow_bodies_are_cut() {
    let desk = Desk::new();
    let server = desk.serve(&[]);
    let request = format!(
        "POST /auth/keys HTTP/1.1\r\nhost: a\r\nsecret-key: {}\r\ncontent-length: 60000\r\n\
         content-type: application/json\r\n\r\n{{",
        crate::SECRET
    );
    let mut connection = Connection::open(server.address);
    let seconds = seconds_until_cut(&mut connection, request.as_bytes(), b" ");
    assert!((4..15).contains(&seconds), "after {seconds} s");
    server.stop();
}

#[test]
fn a_hundred_idle_connections_block_nobody() {
    let desk = Desk::new();
    let server = desk.serve(&["--max-connections", "150"]);
    let idle: Vec<Connection> = (0..100)
        .map(|number| {
            let mut connection = Connection::open(server.address);
            if number % 2 == 0 {
                connection.send(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").expect("sent");
                assert_eq!(connection.read().expect("an answer").status, 200);
            } else if number % 3 == 0 {
                connection.send(b"GET /verify HT").expect("sent");
            }
            connection
        })
        .collect();
    for _ in 0..100 {
        assert_eq!(server.get("/verify", &[]).status, 401);
    }
    drop(idle);
    server.stop();
}
