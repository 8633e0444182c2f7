//! A PostgreSQL of the tests' own, in a folder that goes with it. One that happens to run is never
//! used.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use simple_security::clock::{Clock, SystemClock};
use tempfile::TempDir;

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server.
pub struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    options: Vec<String>,
    running: Mutex<Option<Running>>,
    databases: AtomicU32,
}

/// The server's first process, and the thread that waits for it. The system ends the process with
/// the thread, and so with the tests, however they end.
struct Running {
    process: u32,
    waiting: JoinHandle<()>,
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
        own(folder.path());
        let data = folder.path().join("data");
        run(as_other(&programs.join("initdb"))
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
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
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
        let mut command = as_other(&self.programs.join("postgres"));
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
        *self.running.lock().expect("the server") = Some(kept(command));
        until("the server answers", || Hand::try_on(&self.url("postgres")).is_some());
    }
}

impl Postgres {
    /// Starts it anew as the standby of a server that is not there.
    pub fn become_standby(&self) {
        self.kill();
        let signal = self.folder.path().join("data/standby.signal");
        std::fs::write(&signal, "").expect("a file");
        own(&signal);
        self.restart();
    }
}

/// A pooler of transactions before a server, with two connections for all.
pub struct Pgbouncer {
    _folder: TempDir,
    port: u16,
    running: Option<Running>,
}

impl Pgbouncer {
    pub fn before(server: &Postgres) -> Self {
        let folder = TempDir::new().expect("a folder");
        own(folder.path());
        let port = free_port();
        let settings = folder.path().join("settings");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
             default_pool_size = 2\n",
            server.port()
        );
        // With `any`, whoever asks is the user that the first line names.
        std::fs::write(&settings, text).expect("the settings");
        own(&settings);
        let mut command = as_other(Path::new("/usr/sbin/pgbouncer"));
        command.arg(&settings).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Some(kept(command));
        until_open(port);
        Self { _folder: folder, port, running }
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Pgbouncer {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end("-KILL");
        }
    }
}

impl Running {
    fn end(self, signal: &str) {
        run(Command::new("kill").args([signal, &self.process.to_string()]));
        self.waiting.join().expect("it has ended");
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a server that ends with the thread that waits for it.
fn kept(mut command: Command) -> Running {
    let (started, starting) = mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let mut child: Child = command.spawn().expect("a server");
        started.send(child.id()).expect("somebody waits");
        child.wait().expect("its end");
    });
    Running { process: starting.recv().expect("a server"), waiting }
}

/// Starts a program as the user `postgres`, for one who is root: PostgreSQL refuses root. It ends
/// with the thread that has started it.
pub fn as_other(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if user("-u", None) == "0" {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.arg("--pdeathsig=QUIT").arg("--").arg(program).env_clear().current_dir("/");
    command
}

/// Gives a file or a folder to the user `postgres`, if we are root.
pub fn own(path: &Path) {
    if user("-u", None) == "0" {
        let number = |what| user(what, Some("postgres")).parse().expect("a number");
        chown(path, Some(number("-u")), Some(number("-g"))).expect("chown");
    }
}

fn user(what: &str, name: Option<&str>) -> String {
    let output = Command::new("id").arg(what).args(name).output().expect("id");
    assert!(output.status.success(), "there is no user {name:?}: install postgresql");
    String::from_utf8(output.stdout).expect("a number").trim().to_owned()
}

/// Where the programs of the newest version are.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut found: Vec<_> = versions.map(|entry| entry.path()).collect();
    found.sort_by_key(|path| version(path));
    found.reverse();
    let mut places: Vec<_> = found.into_iter().map(|path| path.join("bin")).collect();
    #[allow(clippy::disallowed_methods, reason = "where programs are is no setting of ours")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    places.extend(std::env::split_paths(&path));
    let has_it = |place: &PathBuf| place.join("initdb").exists() && place.join("postgres").exists();
    places.into_iter().find(has_it).expect(
        "there is no PostgreSQL: install it as root, on Debian and Ubuntu by `apt-get install postgresql`, as `make test` does",
    )
}

/// Runs a program to its end.
pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// Waits for something that comes soon.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = SystemClock.uptime().nanoseconds();
    while !is_so() {
        let waited = Duration::from_nanos(SystemClock.uptime().nanoseconds() - begun);
        assert!(waited < PATIENCE, "it never came: {what}");
        pollster::block_on(SystemClock.sleep(Duration::from_millis(5)));
    }
}

/// Waits until a port is listened on.
pub fn until_open(port: u16) {
    until("a port that is listened on", || TcpStream::connect(("127.0.0.1", port)).is_ok());
}

/// A connection for SQL by hand.
pub struct Hand {
    client: tokio_postgres::Client,
    runtime: tokio::runtime::Runtime,
}

impl Hand {
    #[track_caller]
    pub fn on(url: &str) -> Self {
        Self::try_on(url).unwrap_or_else(|| panic!("no connection to {url}"))
    }

    fn try_on(url: &str) -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let url = url.split('?').next().unwrap_or(url);
        let (client, connection) =
            runtime.block_on(tokio_postgres::connect(url, tokio_postgres::NoTls)).ok()?;
        runtime.spawn(connection);
        Some(Self { client, runtime })
    }

    /// Runs statements.
    #[track_caller]
    pub fn run(&self, sql: &str) {
        self.runtime.block_on(self.client.batch_execute(sql)).expect(sql);
    }

    /// Runs a statement and gives the first column of each row, as text.
    #[track_caller]
    pub fn ask(&self, sql: &str) -> Vec<String> {
        let messages = self.runtime.block_on(self.client.simple_query(sql)).expect(sql);
        let first = |message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                Some(row.get(0).unwrap_or_default().to_owned())
            }
            _ => None,
        };
        messages.into_iter().filter_map(first).collect()
    }
}
