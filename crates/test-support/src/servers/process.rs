//! Programs of the system, and processes that end with the tests.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

/// A process, and the thread that waits for it. The system ends the process with the thread, and so
/// with the tests, however they end.
pub struct Running {
    process: u32,
    waiting: JoinHandle<()>,
}

impl Running {
    /// Starts what [`ending_with_us`] has made.
    pub fn start(mut command: Command) -> Self {
        let (started, starting) = mpsc::channel();
        let waiting = std::thread::spawn(move || {
            let mut child = command.spawn().expect("a server");
            started.send(child.id()).expect("somebody waits");
            child.wait().expect("its end");
        });
        Self { process: starting.recv().expect("a server"), waiting }
    }

    /// Ends it by a signal, as kill(1) names it, if it has not ended by itself.
    pub fn end(self, signal: &str) {
        if !self.waiting.is_finished() {
            let mut kill = Command::new("kill");
            kill.args([signal, &self.process.to_string()]).stderr(Stdio::null());
            kill.status().expect("kill");
        }
        self.waiting.join().expect("it has ended");
    }
}

/// A command with nothing in its environment that ends with the thread that starts it; as another
/// user, for one who is root.
pub fn ending_with_us(program: &Path, user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user.filter(|_| is_root()) {
        command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
    }
    command.arg("--pdeathsig=QUIT").arg("--").arg(program).env_clear().current_dir("/");
    command
}

/// Gives a file or a folder to a user, if we are root.
pub fn give(path: &Path, user: &str) {
    if is_root() {
        let number = |what| number_of(what, Some(user));
        chown(path, Some(number("-u")), Some(number("-g"))).expect("chown");
    }
}

fn is_root() -> bool {
    number_of("-u", None) == 0
}

fn number_of(what: &str, user: Option<&str>) -> u32 {
    let output = Command::new("id").arg(what).args(user).output().expect("id");
    assert!(output.status.success(), "there is no user {user:?}");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

/// The first folder that has all these programs: of `folders`, and then of `PATH`.
pub fn folder_with(programs: &[&str], folders: Vec<PathBuf>) -> Option<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "where programs are is no setting of ours")]
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = folders.into_iter().chain(std::env::split_paths(&path));
    folders.find(|folder| programs.iter().all(|name| folder.join(name).is_file()))
}

/// Ends the test with what is to be installed.
#[track_caller]
pub fn missing(program: &str, package: &str) -> ! {
    panic!(
        "there is no {program}: install it as root, on Debian and Ubuntu by `apt-get install {package}`, as `make test` does"
    )
}

/// Runs a program to its end.
#[track_caller]
pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
