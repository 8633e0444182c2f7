//! Redis.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use simple_security::store;

use super::Kind;
use crate::servers::process::run;
use crate::servers::redis::Redis;

/// How many connections there are when no more are taken.
const FEW: usize = 32;

/// See the module.
pub struct OnRedis {
    server: Mutex<Redis>,
    is_synced: bool,
    /// All the connections that it takes.
    held: Mutex<Vec<Wire>>,
}

impl OnRedis {
    /// `appendfsync`: when it writes to the disk.
    pub fn start(appendfsync: &str) -> Self {
        let server = Redis::start_with(&["--appendfsync", appendfsync]);
        Self {
            server: Mutex::new(server),
            is_synced: appendfsync == "always",
            held: Mutex::new(Vec::new()),
        }
    }

    fn ask(&self, command: &[&str]) {
        let answer = self.server.lock().expect("the server").ask(command);
        assert!(!answer.starts_with('-'), "{command:?}: {answer}");
    }

    fn files(&self) -> (PathBuf, PathBuf) {
        let folder = self.server.lock().expect("the server").folder().to_owned();
        (folder.join("appendonlydir"), folder.join("copy"))
    }

    /// Takes all connections that it has.
    fn take_all(&self) -> Vec<Wire> {
        let mut held = vec![Wire::to(self.port()).expect("a connection")];
        held[0].ask(&format!("CONFIG SET maxclients {FEW}"));
        loop {
            while let Some(wire) = Wire::to(self.port()) {
                held.push(wire);
            }
            let clients = held[0].ask("CLIENT LIST");
            let ours: Vec<String> = held.iter().map(Wire::address).collect();
            let addresses = clients.split(' ').filter_map(|field| field.strip_prefix("addr="));
            let others: Vec<&str> =
                addresses.filter(|address| !ours.iter().any(|own| own == address)).collect();
            if others.is_empty() {
                return held;
            }
            for other in others {
                held[0].ask(&format!("CLIENT KILL ADDR {other}"));
            }
        }
    }
}

impl Kind for OnRedis {
    fn name(&self) -> &'static str {
        if self.is_synced { "Redis" } else { "Redis with everysec" }
    }

    fn make_store(&self) -> String {
        let url = crate::bounded(&self.server.lock().expect("the server").fresh_database());
        store::make(&crate::location(&url)).expect("a store is made");
        url
    }

    fn port(&self) -> u16 {
        self.server.lock().expect("the server").port()
    }

    fn kill(&self) {
        self.server.lock().expect("the server").kill();
    }

    fn start(&self) {
        self.server.lock().expect("the server").restart();
    }

    fn cut_connections(&self) {
        self.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
        self.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    }

    fn refuse_connections(&self, refuse: bool) {
        let mut held = self.held.lock().expect("the connections");
        if refuse {
            *held = self.take_all();
        } else {
            held[0].ask("CONFIG SET maxclients 10000");
            held.clear();
        }
    }

    fn keep_copy(&self) {
        let (files, copy) = self.files();
        run(Command::new("cp").arg("-a").args([files, copy]));
    }

    fn put_copy_back(&self) {
        let (files, copy) = self.files();
        self.put_empty();
        run(Command::new("cp").arg("-a").args([copy, files]));
    }

    fn put_empty(&self) {
        run(Command::new("rm").arg("-rf").arg(self.files().0));
    }

    fn may_lose(&self) -> bool {
        !self.is_synced
    }
}

/// One connection, for inline commands.
struct Wire(BufReader<TcpStream>);

impl Wire {
    /// `None` when the server takes no more.
    fn to(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        let mut wire = Self(BufReader::new(stream));
        (wire.try_to_ask("PING").ok()? == "+PONG").then_some(wire)
    }

    fn address(&self) -> String {
        self.0.get_ref().local_addr().expect("its address").to_string()
    }

    fn ask(&mut self, command: &str) -> String {
        self.try_to_ask(command).expect("an answer")
    }

    fn try_to_ask(&mut self, command: &str) -> std::io::Result<String> {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        let mut answer = String::new();
        self.0.read_line(&mut answer)?;
        if let Some(length) = answer.trim_end().strip_prefix('$') {
            let length: usize = length.parse().expect("a length");
            let mut bulk = vec![0; length + 2];
            self.0.read_exact(&mut bulk)?;
            return Ok(String::from_utf8_lossy(&bulk).into_owned());
        }
        Ok(answer.trim_end().to_owned())
    }
}
