//! A network between the processes and the server, which a test can hold or cut.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

/// What happens to what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It arrives.
    Flow,
    /// It arrives later, when it flows again.
    Stall,
    /// Connections are cut, and none is made.
    Drop,
}

/// See the module. Both directions are alike.
pub struct Proxy {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    network: Arc<Network>,
}

struct Network {
    mode: Mutex<Mode>,
    changed: Condvar,
    connections: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A network to a port of this machine.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("its port").port();
        let network = Arc::new(Network {
            mode: Mutex::new(Mode::Flow),
            changed: Condvar::new(),
            connections: Mutex::new(Vec::new()),
        });
        let there = Arc::clone(&network);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                there.connect(near, port);
            }
        });
        Self { port: own, network }
    }

    /// What happens from now on.
    pub fn set(&self, mode: Mode) {
        *self.network.mode.lock().expect("the mode") = mode;
        self.network.changed.notify_all();
        if mode == Mode::Drop {
            for connection in self.network.connections.lock().expect("connections").drain(..) {
                // Fails where it is closed already.
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
    }
}

impl Network {
    fn connect(self: &Arc<Self>, near: TcpStream, port: u16) {
        if *self.mode.lock().expect("the mode") == Mode::Drop {
            return;
        }
        let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { return };
        let copy = |stream: &TcpStream| stream.try_clone().expect("a second handle");
        for (from, to) in [(copy(&near), copy(&far)), (copy(&far), copy(&near))] {
            let network = Arc::clone(self);
            std::thread::spawn(move || network.carry(from, to));
        }
        let mut connections = self.connections.lock().expect("connections");
        connections.retain(|connection| connection.take_error().is_ok());
        connections.extend([near, far]);
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = [0; 16_384];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let mut mode = self.mode.lock().expect("the mode");
            while *mode == Mode::Stall {
                mode = self.changed.wait(mode).expect("the mode");
            }
            drop(mode);
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        // The other end learns of it. Fails where it is closed already.
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}
