//! A private PostgreSQL, in a folder that is removed with it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tempfile::TempDir;

use super::hand::Hand;
use super::process::{Running, ending_with_us, folder_with, free_port, give, missing, run};
use super::shared::shared;
use super::waiting::until;

/// The user that it runs as if the tests run as root, which it refuses.
pub const USER: &str = "postgres";

/// A server.
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    options: Vec<String>,
    running: Mutex<Option<Running>>,
    databases: AtomicU32,
}

impl Postgres {
    /// A server with an empty cluster. It writes nothing through to the disk, for speed.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more settings, such as `max_connections=5`.
    pub fn start_with(options: &[&str]) -> Self {
        let programs = programs();
        let folder = TempDir::new().expect("a folder");
        give(folder.path(), USER);
        let data = folder.path().join("data");
        run(ending_with_us(&programs.join("initdb"), Some(USER))
            .args(["-N", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-D"])
            .arg(&data));
        // By their name these users have to know a password.
        let rules =
            "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(data.join("pg_hba.conf"), rules).expect("the rules");
        let port = free_port();
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let (running, databases) = (Mutex::new(None), AtomicU32::new(0));
        let server = Self { folder, programs, port, options, running, databases };
        server.restart();
        server
    }

    /// One that all tests of a program share, for as long as one of them has it.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        shared(&SHARED, Self::start)
    }

    /// The URL of a new database.
    pub fn fresh_database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::SeqCst);
        let name = format!("keys_{number}");
        Hand::on(&self.url("postgres")).run(&format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it as a crash does, with all its processes.
    pub fn kill(&self) {
        let running = self.running.lock().expect("the server").take();
        if let Some(running) = running {
            // It ends its children and then itself, and writes nothing more.
            running.end("-QUIT");
        }
    }

    /// Starts it on what it had.
    pub fn restart(&self) {
        self.kill();
        let mut command = ending_with_us(&self.programs.join("postgres"), Some(USER));
        command.arg("-D").arg(self.folder.path().join("data"));
        let socket = self.folder.path().display();
        let own = [
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={socket}"),
            "max_connections=300".to_owned(),
            "fsync=off".to_owned(),
            "shared_buffers=32MB".to_owned(),
        ];
        for option in own.iter().chain(&self.options) {
            command.arg("-c").arg(option);
        }
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a log");
        command.stdout(Stdio::null()).stderr(log);
        *self.running.lock().expect("the server") = Some(Running::start(command));
        until("the server answers", || Hand::try_on(&self.url("postgres")).is_some());
    }

    /// Starts it again as the standby of a server that is not there.
    pub fn become_standby(&self) {
        self.kill();
        let signal = self.folder.path().join("data/standby.signal");
        std::fs::write(&signal, "").expect("a file");
        give(&signal, USER);
        self.restart();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where the programs of the newest version are.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut found: Vec<_> = versions.map(|entry| entry.path()).collect();
    found.sort_by_key(|path| version(path));
    found.reverse();
    let folders = found.into_iter().map(|path| path.join("bin")).collect();
    folder_with(&["initdb", "postgres"], folders)
        .unwrap_or_else(|| missing("PostgreSQL", "postgresql"))
}
