//! Socket activation: systemd passes the socket of `deploy/simple-security.socket`.

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::raw::Connection;
use crate::{Desk, ended, refused};

const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// The server as systemd starts it: with this socket as its descriptor 3. `variables` is shell, in which
/// `$$` is the id of the process.
fn activated(desk: &Desk, socket: OwnedFd, variables: &str) -> Command {
    let plain = desk.command(&[]);
    let script = format!("export {variables}; exec \"$0\" serve \"$@\" 3<&0 0</dev/null");
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &script, env!("CARGO_BIN_EXE_simple-security")])
        .args(["--listen", "127.0.0.1:0"])
        .current_dir(plain.get_current_dir().expect("a folder"))
        .env_clear()
        .envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::from(socket));
    command
}

const FOR_THIS_PROCESS: &str = "LISTEN_PID=$$ LISTEN_FDS=1";

/// While the server is down, no other program can bind the port. Requests sent then are answered after
/// the restart.
#[test]
fn a_passed_socket_keeps_the_port_and_its_requests_over_a_restart() {
    let desk = Desk::new();
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = held.local_addr().expect("an address");
    let socket = || held.try_clone().expect("the same socket").into();
    let mut server = desk.start(activated(&desk, socket(), FOR_THIS_PROCESS));
    assert_eq!(server.address, address, "--listen is ignored");
    assert_eq!(server.get("/healthz", &[]).status, 200);
    server.signal(Signal::KILL);
    ended(&mut server.process).expect("its end");

    let mut waiting = Connection::open(address);
    waiting.send(GET).expect("sent to a server that is down");
    let bound = TcpListener::bind(address).expect_err("the port of the server");
    assert_eq!(bound.kind(), std::io::ErrorKind::AddrInUse);
    let server = desk.start(activated(&desk, socket(), FOR_THIS_PROCESS));
    assert_eq!(waiting.read().expect("an answer").status, 200);
    let log = server.stop();
    assert!(log.contains("--listen is ignored"), "{log}");
}

/// A process inherits the variables of its parent. They say nothing about its own descriptors.
#[test]
fn a_socket_for_another_process_is_ignored() {
    for variables in ["LISTEN_FDS=1", "LISTEN_PID=1 LISTEN_FDS=1", "LISTEN_PID= LISTEN_FDS=1"] {
        let desk = Desk::new();
        let held = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = held.local_addr().expect("an address");
        let server = desk.start(activated(&desk, held.into(), variables));
        assert_ne!(server.address, address, "{variables}");
        server.stop();
    }
}

#[test]
fn a_wrong_socket_is_named_and_the_database_not_touched() {
    let desk = Desk::new();
    let listener = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let other = listener();
    let connected = TcpStream::connect(other.local_addr().expect("an address")).expect("a stream");
    let unix = UnixListener::bind(desk.path("socket")).expect("a socket");
    let file = std::fs::File::open("/dev/null").expect("a file");
    for (socket, variables, said) in [
        (listener().into(), "LISTEN_PID=$$ LISTEN_FDS=2", "\"2\" sockets are handed over"),
        (listener().into(), "LISTEN_PID=$$ LISTEN_FDS=0", "\"0\" sockets are handed over"),
        (listener().into(), "LISTEN_PID=$$ LISTEN_FDS=x", "\"x\" sockets are handed over"),
        (connected.into(), FOR_THIS_PROCESS, "the socket does not listen"),
        (unix.into(), FOR_THIS_PROCESS, "fd 3 is not a valid tcp socket"),
        (OwnedFd::from(file), FOR_THIS_PROCESS, "fd 3 is not a socket"),
    ] {
        let (code, text) = refused(&mut activated(&desk, socket, variables));
        assert_eq!(code, Some(1), "{text}");
        assert!(text.starts_with("error: LISTEN_FDS: ") && text.contains(said), "{text}");
        assert!(text.contains("give the socket unit one ListenStream="), "{text}");
    }
    assert!(!desk.database().exists());
}
