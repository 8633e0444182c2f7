//! A private Redis or Valkey, in a folder that is removed with it.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tempfile::TempDir;

use super::process::{Running, ending_with_us, folder_with, free_port, missing};
use super::shared::shared;
use super::waiting::{PATIENCE, eventually};

/// How many databases one has.
const DATABASES: u32 = 10_000;

/// A server with a folder and a port of its own.
pub struct Redis {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    running: Option<Running>,
    databases: AtomicU32,
}

impl Redis {
    /// One that loses nothing that is older than a second.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// One with other options, as its command line has them: `["--appendonly", "no"]`.
    pub fn start_with(options: &[&str]) -> Self {
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        // Another may take the port between the question and the start.
        for _ in 0..20 {
            let folder = TempDir::new().expect("a folder");
            let (port, options, databases) = (free_port(), options.clone(), AtomicU32::new(0));
            let mut server = Self { folder, port, options, running: None, databases };
            server.launch();
            if server.is_up() {
                return server;
            }
        }
        panic!("no Redis could be started");
    }

    /// One that all tests of a program share, for as long as one of them has it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Redis>> = Mutex::new(Weak::new());
        shared(&SHARED, Self::start)
    }

    /// The URL of a database that nobody has asked for before.
    pub fn fresh_database(&self) -> String {
        let database = self.databases.fetch_add(1, Ordering::SeqCst);
        assert!(database < DATABASES, "there are too few databases");
        self.database(database)
    }

    /// Where it is: database 0.
    pub fn url(&self) -> String {
        self.database(0)
    }

    /// Where one of its databases is.
    pub fn database(&self, number: u32) -> String {
        format!("redis://127.0.0.1:{}/{number}", self.port)
    }

    /// Returns the port it listens on, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address it listens on.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Where it keeps its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as a loss of power would, the files apart: `kill -9`.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.end("-KILL");
        }
    }

    /// Starts it again after [`Redis::kill`]: with the same folder and the same port.
    pub fn restart(&mut self) {
        self.kill();
        self.launch();
        assert!(self.is_up(), "it does not start again: {}", self.log());
    }

    /// What it answers to a command, as it is on the wire.
    pub fn ask(&self, command: &[&str]) -> String {
        ask(self.address(), command).expect("an answer")
    }

    fn launch(&mut self) {
        let (port, databases) = (self.port.to_string(), DATABASES.to_string());
        let usual = [
            "--databases",
            &databases,
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "everysec",
            "--maxmemory-policy",
            "noeviction",
        ];
        let log = OpenOptions::new().create(true).append(true).open(self.log_file());
        let mut command = ending_with_us(&program(), None);
        command.args(usual).args(&self.options).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(log.expect("a log"));
        self.running = Some(Running::start(command));
    }

    /// Waits until it answers. `false` when it has ended.
    fn is_up(&self) -> bool {
        eventually("an answer of Redis", || {
            let log = self.log();
            if log.contains("Address already in use") || log.contains("Failed listening") {
                return Some(false);
            }
            assert!(!log.contains("FATAL CONFIG"), "{log}");
            // A password that is wanted is an answer too.
            let answer = ask(self.address(), &["PING"]).unwrap_or_default();
            (answer.starts_with("+PONG") || answer.starts_with("-NOAUTH")).then_some(true)
        })
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> PathBuf {
    let named = |name: &&str| Some(folder_with(&[name], Vec::new())?.join(name));
    let found = ["redis-server", "valkey-server"].iter().find_map(named);
    found.unwrap_or_else(|| missing("Redis or Valkey", "redis-server"))
}

/// What a server answers to a command, as it is on the wire: the first 64 kB of it.
fn ask(address: SocketAddr, command: &[&str]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut text = format!("*{}\r\n", command.len());
    for part in command {
        text += &format!("${}\r\n{part}\r\n", part.len());
    }
    stream.write_all(text.as_bytes())?;
    let mut answer = vec![0; 65536];
    let length = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}
