//! A Redis or Valkey that no test shares with anybody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use simple_security::clock::{Clock, SystemClock};
use tempfile::TempDir;

/// How long anything may take that does not fail.
const PATIENCE: Duration = Duration::from_secs(20);

/// Starts the server, and kills it as soon as the pipe is closed that it reads from: also when the
/// test is killed.
const KEEPER: &str = r#""$@" >>log 2>&1 </dev/null & read -r _; kill -9 $! 2>/dev/null; wait"#;

/// A server with a folder and a port of its own.
pub struct Redis {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    keeper: Option<Child>,
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
            let (port, options) = (free_port(), options.clone());
            let mut server = Self { folder, port, options, keeper: None };
            server.launch();
            if server.is_up() {
                return server;
            }
        }
        panic!("no Redis could be started");
    }

    /// Where it is: database 0.
    pub fn url(&self) -> String {
        self.database(0)
    }

    /// Where one of its databases is.
    pub fn database(&self, number: u32) -> String {
        format!("redis://127.0.0.1:{}/{number}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Where it keeps its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as a loss of power would, the files apart: `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait().expect("the keeper");
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
        let port = self.port.to_string();
        let usual = [
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
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(program())
            .args(usual)
            .args(&self.options)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .spawn();
        self.keeper = Some(keeper.expect("a shell"));
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
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The first that `look` finds, within some seconds.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = SystemClock.uptime().nanoseconds();
    loop {
        if let Some(found) = look() {
            return found;
        }
        let waited = SystemClock.uptime().nanoseconds() - began;
        assert!(Duration::from_nanos(waited) < PATIENCE, "there is no {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

fn program() -> PathBuf {
    #[allow(clippy::disallowed_methods, reason = "where programs are")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let all = ["redis-server", "valkey-server"];
    let mut programs =
        all.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    programs.find(|program| program.is_file()).expect(
        "there is no redis-server: install redis-server: `apt-get install redis-server`, or `make test` does",
    )
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
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
