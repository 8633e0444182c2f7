//! Other processes: this test program once more, in a role.

use std::io::{BufRead, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

const ROLE: &str = "SIMPLE_SECURITY_TEST_ROLE";
const DATABASE: &str = "SIMPLE_SECURITY_TEST_DATABASE";
/// What lines begin with that a role says; the others are the test program's own.
const SAID: &str = "said: ";

/// What a process does with the path of a database, and the name of it.
type Role = (&'static str, fn(&Path));

const ROLES: &[Role] = &[
    ("make_files", super::modes::make_files),
    ("open_where_nothing_can_be_written", super::mounted::open_where_nothing_can_be_written),
    ("fill_the_disk", super::mounted::fill_the_disk),
    ("open_on_a_full_disk", super::mounted::open_on_a_full_disk),
    ("issue_for_ever", super::killed::issue_for_ever),
    ("issue_and_stop", super::killed::issue_and_stop),
];

/// A process in a role.
pub struct Player {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

/// A command that plays a role, to be started in a shell after `before` has been done there.
fn command(before: &str, role: &str, database: &Path) -> Command {
    let mut command = Command::new("sh");
    let program = std::env::current_exe().expect("the path of this program");
    command
        .arg("-c")
        .arg(format!("set -e; {before}\nexec \"$0\" \"$@\""))
        .arg(program)
        .args(["--exact", "child::play", "--ignored", "--nocapture"])
        .env(ROLE, role)
        .env(DATABASE, database);
    command
}

/// Plays a role to its end, and gives back what it said.
#[track_caller]
pub fn play_to_the_end(before: &str, role: &str, database: &Path) -> Vec<String> {
    finish(command(before, role, database))
}

/// The same as the user that is root in a namespace of its own, where nobody else sees what is
/// mounted. `None` where the system does not let us have one.
#[track_caller]
pub fn play_among_own_mounts(before: &str, role: &str, database: &Path) -> Option<Vec<String>> {
    let probe = Command::new("unshare").args(["-Urm", "true"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        return None;
    }
    let inner = command(before, role, database);
    let mut command = Command::new("unshare");
    command.arg("-Urm").arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        command.env(name, value.expect("a value"));
    }
    Some(finish(command))
}

#[track_caller]
fn finish(mut command: Command) -> Vec<String> {
    let output = command.output().expect("a process");
    let printed = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{printed}\n{complained}", output.status);
    printed.lines().filter_map(|line| line.strip_prefix(SAID)).map(str::to_owned).collect()
}

impl Player {
    pub fn start(role: &str, database: &Path) -> Self {
        let mut process = command("", role, database)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a process");
        let lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        Self { process, lines }
    }

    /// What it says next; `None` when it has ended.
    pub fn next(&mut self) -> Option<String> {
        loop {
            let line = self.lines.next()?.expect("a line");
            if let Some(said) = line.strip_prefix(SAID) {
                return Some(said.to_owned());
            }
        }
    }

    /// How it ended, once it has said all that it says.
    pub fn end(mut self) -> ExitStatus {
        self.process.wait().expect("it has ended")
    }

    /// Kills it with SIGKILL, and gives back what it had said and nobody had read.
    pub fn kill(mut self) -> Vec<String> {
        self.process.kill().expect("it is killed");
        self.process.wait().expect("it has ended");
        let mut rest = Vec::new();
        while let Some(said) = self.next() {
            rest.push(said);
        }
        rest
    }
}

/// Says something to the process that has started this one: at once and whole.
pub fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    output.write_all(format!("{SAID}{text}\n").as_bytes()).expect("it is heard");
    output.flush().expect("it is heard");
}

#[test]
#[ignore = "it plays a role for another test"]
#[allow(clippy::disallowed_methods, reason = "how the other test says which")]
fn play() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let database = PathBuf::from(std::env::var_os(DATABASE).expect("the database"));
    let (_, play) = ROLES.iter().find(|(name, _)| *name == role).expect("a role");
    play(&database);
}
