//! `simple-security serve`, as the process that people start, asked over real sockets.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use simple_security::clock::{Clock as _, SystemClock};
use simple_security::store::SqliteStore;
use simple_security::{ApiKeys, Expiry, KeyId, KeyName, NewKey};
use tempfile::TempDir;
use test_support::{engine_without_admin, wait};

mod activated;
mod admin;
mod browser;
mod configurations;
mod crowded;
mod docs;
mod forged;
mod health;
mod hostile;
mod http2;
mod identity;
mod logs;
mod memory;
mod page;
mod raw;
mod revoking;
mod slow;
mod stopping;
mod vectors;
mod wrong;

use raw::Answer;

/// Long enough that nobody is warned of it.
const SECRET: &str = "a secret for tests, and no other use";

/// A folder with a database.
struct Desk(TempDir);

/// A server, and its log. It ends with this.
struct Server {
    process: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl Desk {
    fn new() -> Self {
        Self(TempDir::new().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn database(&self) -> PathBuf {
        self.path("keys.db")
    }

    /// The program, with no settings but the database and a secret.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_simple-security"));
        command
            .arg("serve")
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("SIMPLE_SECURITY_DB_LOCATION", self.database())
            .env("SIMPLE_SECURITY_SECRET", SECRET)
            .stdin(Stdio::null());
        command
    }

    /// A server on a free port, ready.
    fn serve(&self, arguments: &[&str]) -> Server {
        let command = self.command(&[&["--listen", "127.0.0.1:0"], arguments].concat());
        self.start(command)
    }

    fn start(&self, mut command: Command) -> Server {
        let (_, log) = tempfile::Builder::new()
            .prefix("log")
            .tempfile_in(self.0.path())
            .expect("a file")
            .keep()
            .expect("kept");
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a log"))
            .spawn()
            .expect("a process");
        let mut line = String::new();
        let output = process.stdout.take().expect("an output");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let address = line.trim_end().strip_prefix("listening on http://");
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            let _ = process.wait();
            panic!("it printed {line:?} and said {}", fs::read_to_string(&log).expect("a log"));
        };
        Server { process, address, log }
    }

    /// The engine of another process on the same database, this one.
    fn keys(&self) -> ApiKeys {
        let store = Arc::new(SqliteStore::open(&self.database()).expect("a store"));
        engine_without_admin(store, &Arc::new(SystemClock))
    }

    /// A key that never expires, and its id.
    fn issue(&self, name: &str) -> (String, KeyId) {
        let name = KeyName::new(name).expect("a name");
        let new = NewKey::named(name).with_expiry(Expiry::Never);
        let issued = wait(self.keys().issue(new)).expect("a key");
        (issued.key.expose().to_owned(), issued.record.id)
    }

    /// What is counted for a key.
    fn used(&self, id: KeyId) -> u64 {
        wait(self.keys().find(id)).expect("the key").usage.total
    }
}

impl Server {
    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.id()).expect("an id");
        kill_process(Pid::from_raw(id).expect("an id"), signal).expect("a signal");
    }

    /// Stops it, and gives back its log.
    fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        self.end()
    }

    /// Its log, when it has ended well.
    fn end(&mut self) -> String {
        let status = ended(&mut self.process);
        let log = fs::read_to_string(&self.log).expect("a log");
        assert_eq!(status.map(|status| status.code()), Some(Some(0)), "{log}");
        log
    }

    /// The answer to a request of these header lines, on a connection of its own.
    fn get(&self, path: &str, headers: &[&str]) -> Answer {
        self.ask("GET", path, headers, "")
    }

    fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\n");
        for header in headers {
            request += header;
            request += "\r\n";
        }
        if !body.is_empty() {
            request += &format!("content-length: {}\r\n", body.len());
        }
        raw::exchange(self.address, format!("{request}\r\n{body}").as_bytes())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Stopped before, or a test has failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a program that must not serve says, and its exit code.
fn refused(command: &mut Command) -> (Option<i32>, String) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("a process");
    let status = ended(&mut process);
    let output = process.wait_with_output().expect("an end");
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(output.stdout.is_empty() && status.is_some(), "it serves: {command:?} {text}");
    (output.status.code(), text)
}

/// How a process has ended; `None` where it had to be killed.
fn ended(process: &mut Child) -> Option<ExitStatus> {
    for _ in 0..6000 {
        if let Some(status) = process.try_wait().expect("a process") {
            return Some(status);
        }
        wait(SystemClock.sleep(Duration::from_millis(10)));
    }
    let _ = process.kill();
    let _ = process.wait();
    None
}
