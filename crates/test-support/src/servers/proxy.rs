//! A TCP proxy that can stall a connection, or cut it after some bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// What the proxy does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// All goes through.
    Open,
    /// Connections are accepted, and nothing goes through.
    Stalled,
    /// So many bytes more go to the server, and then it is closed.
    OpenFor(usize),
    /// The next answer is lost with its connection, and then all is well again.
    LosesAnswer,
    /// The same for the answer to the next `COMMIT` of PostgreSQL.
    LosesCommit,
    /// Connections are closed.
    Closed,
}

/// A proxy to one server. It closes its connections when it is dropped.
pub struct Proxy {
    /// Where it listens, on 127.0.0.1.
    port: u16,
    /// Where the server does.
    server: u16,
    shared: Arc<Shared>,
}

struct Shared {
    way: Mutex<Way>,
    /// Connections before the one of this number are held up for ever.
    dead: AtomicUsize,
    connections: AtomicUsize,
    changed: Condvar,
    clients: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Starts a proxy to the server at a port of this machine.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            way: Mutex::new(Way::Open),
            dead: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            changed: Condvar::new(),
            clients: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        // It ends with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                accepting.connect(client, server);
            }
        });
        Self { port, server, shared }
    }

    /// Returns the URL of a store on the server, through the proxy.
    pub fn through(&self, url: &str) -> String {
        url.replace(&format!(":{}/", self.server), &format!(":{}/", self.port))
    }

    /// Changes what it does, for connections that exist and for new ones.
    pub fn set(&self, way: Way) {
        *self.shared.way.lock().expect("the way") = way;
        self.shared.changed.notify_all();
        if way == Way::Closed {
            for client in self.shared.clients.lock().expect("the clients").drain(..) {
                let _ = client.shutdown(Shutdown::Both);
            }
        }
    }

    /// Nothing goes through the connections that there are, for ever and without a word, as when a
    /// firewall has forgotten them. New ones are as they should be.
    pub fn forget_connections(&self) {
        self.shared.dead.store(self.shared.connections.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Returns what it does now: some ways change by themselves.
    pub fn way(&self) -> Way {
        *self.shared.way.lock().expect("the way")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Way::Closed);
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, client: TcpStream, server: u16) {
        if *self.way.lock().expect("the way") == Way::Closed {
            return;
        }
        let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
        let copy = |stream: &TcpStream| stream.try_clone().expect("a copy");
        self.clients.lock().expect("the clients").push(copy(&client));
        let (client_copy, server_copy) = (copy(&client), copy(&server));
        let number = self.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(self);
        std::thread::spawn(move || shared.requests(number, client_copy, server_copy));
        let shared = Arc::clone(self);
        std::thread::spawn(move || shared.answers(number, client, server));
    }

    fn requests(&self, number: usize, mut client: TcpStream, mut server: TcpStream) {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = client.read(&mut bytes) {
            let allowed = self.pass(number, length);
            if self.loses_commit(&bytes[..length]) {
                let _ = client.shutdown(Shutdown::Both);
            }
            if server.write_all(&bytes[..allowed]).is_err() || allowed < length {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Both);
        // What the server has, it still does.
        let _ = server.shutdown(Shutdown::Write);
    }

    /// Whether this is the commit whose answer is to be lost.
    fn loses_commit(&self, bytes: &[u8]) -> bool {
        let mut way = self.way.lock().expect("the way");
        let loses = *way == Way::LosesCommit && bytes.windows(7).any(|part| part == b"COMMIT\0");
        if loses {
            *way = Way::Open;
        }
        loses
    }

    fn answers(&self, number: usize, mut client: TcpStream, mut server: TcpStream) {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = server.read(&mut bytes) {
            let mut way = self.wait_while_stalled(number);
            if *way == Way::LosesAnswer {
                *way = Way::Open;
                break;
            }
            drop(way);
            let _ = client.write_all(&bytes[..length]);
        }
        let _ = client.shutdown(Shutdown::Both);
    }

    /// How many of so many bytes may go to the server.
    fn pass(&self, number: usize, length: usize) -> usize {
        let mut way = self.wait_while_stalled(number);
        match *way {
            Way::OpenFor(left) if left > length => {
                *way = Way::OpenFor(left - length);
                length
            }
            Way::OpenFor(left) => {
                *way = Way::Closed;
                left
            }
            Way::Closed => 0,
            Way::Open | Way::Stalled | Way::LosesAnswer | Way::LosesCommit => length,
        }
    }

    fn wait_while_stalled(&self, number: usize) -> MutexGuard<'_, Way> {
        let way = self.way.lock().expect("the way");
        self.changed
            .wait_while(way, |way| {
                *way == Way::Stalled || number < self.dead.load(Ordering::SeqCst)
            })
            .expect("the way")
    }
}
