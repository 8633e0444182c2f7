//! The end: what is under way is finished, and what was answered is counted.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::Signal;

use crate::Desk;
use crate::raw::Connection;

/// As many clients, and so many answers before the signal.
const CLIENTS: usize = 8;
const BEFORE: u64 = 2000;

#[test]
fn each_answer_before_the_end_is_counted() {
    for signal in [Signal::TERM, Signal::INT] {
        let desk = Desk::new();
        let (key, id) = desk.issue("shop");
        let server = desk.serve(&["--log-level", "warn"]);
        let request = format!("GET /verify HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n\r\n");
        let passed = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                let mut connection = Connection::open(server.address);
                let (request, passed) = (&request, &passed);
                let server = &server;
                scope.spawn(move || {
                    // Who does not hear the signal must not be asked for ever.
                    while passed.load(Ordering::SeqCst) < 100 * BEFORE {
                        if connection.send(request.as_bytes()).is_err() {
                            break;
                        }
                        let Some(answer) = connection.read() else { break };
                        assert_eq!(answer.status, 200);
                        if passed.fetch_add(1, Ordering::SeqCst) + 1 == BEFORE {
                            server.signal(signal);
                        }
                    }
                });
            }
        });
        let mut server = server;
        server.end();
        let passed = passed.into_inner();
        assert!(passed >= BEFORE);
        assert_eq!(desk.used(id), passed, "{signal:?}");
    }
}

#[test]
fn a_client_that_does_not_end_is_waited_for_so_long_and_no_longer() {
    let desk = Desk::new();
    let server = desk.serve(&["--grace", "1"]);
    let mut connection = Connection::open(server.address);
    connection
        .send(
            format!(
                "POST /auth/keys HTTP/1.1\r\nhost: a\r\nsecret-key: {}\r\ncontent-length: 10\r\n\
                 expect: 100-continue\r\ncontent-type: application/json\r\n\r\n",
                crate::SECRET
            )
            .as_bytes(),
        )
        .expect("sent");
    // From then on its request is under way.
    assert_eq!(connection.read().expect("an answer").status, 100);
    let log = server.stop();
    assert!(log.contains("some requests were not finished in time"), "{log}");
}

#[test]
fn an_idle_connection_keeps_nobody_waiting() {
    let desk = Desk::new();
    let server = desk.serve(&["--grace", "3600"]);
    let mut idle = Connection::open(server.address);
    idle.send(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").expect("sent");
    assert_eq!(idle.read().expect("an answer").status, 200);
    let log = server.stop();
    assert!(idle.is_closed());
    assert!(!log.contains("in time"), "{log}");
}
