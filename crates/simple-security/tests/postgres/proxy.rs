//! A proxy between a store and its server, that does to the connections what networks do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What the proxy does with what it gets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Flow,
    /// Nothing passes, and nothing is refused.
    Stall,
    /// The next commit reaches the server, and its answer is lost with the connection.
    CutAtCommit,
}

/// A proxy.
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

struct State {
    mode: Mutex<Mode>,
    changed: Condvar,
}

impl Proxy {
    /// A proxy for the server at a port of this machine.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("its port").port();
        let state = Arc::new(State { mode: Mutex::new(Mode::Flow), changed: Condvar::new() });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || carry(client, port, &state));
            }
        });
        Self { port: own, state }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn stall(&self) {
        self.state.set(Mode::Stall);
    }

    pub fn flow(&self) {
        self.state.set(Mode::Flow);
    }

    pub fn cut_at_commit(&self) {
        self.state.set(Mode::CutAtCommit);
    }
}

impl State {
    fn set(&self, mode: Mode) {
        *self.mode.lock().expect("the mode") = mode;
        self.changed.notify_all();
    }

    /// The mode, once it is not to stall.
    fn mode(&self) -> Mode {
        let mode = self.mode.lock().expect("the mode");
        *self.changed.wait_while(mode, |mode| *mode == Mode::Stall).expect("the mode")
    }
}

fn carry(client: TcpStream, port: u16, state: &Arc<State>) {
    state.mode();
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
    let (from, to) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
    let shared = Arc::clone(state);
    std::thread::spawn(move || copy(from, to, &shared, true));
    copy(server, client, state, false);
}

fn copy(mut from: TcpStream, mut to: TcpStream, state: &State, to_server: bool) {
    let mut buffer = [0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let sent = &buffer[..length];
        let cut = state.mode() == Mode::CutAtCommit
            && to_server
            && sent.windows(7).any(|part| part == b"COMMIT\0");
        if cut {
            // The client hears nothing more; the server gets it all, and the end after it.
            let _ = from.shutdown(Shutdown::Both);
            state.set(Mode::Flow);
        }
        if to.write_all(sent).is_err() {
            break;
        }
        if cut {
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
