//! The program, run as people run it: what it prints, what it says, how it ends.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

mod changing;
mod copying;
mod documents;
mod exporting;
mod importing;
mod init;
mod killed;
mod listing;
mod old;
mod owning;
mod refusing;

/// A folder with a database, and the program in it.
struct Desk(TempDir);

/// What a command did.
#[derive(Debug, PartialEq, Eq)]
struct Done {
    code: i32,
    printed: String,
    said: String,
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

    /// The program, with no settings but the database.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_simple-security"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("SIMPLE_SECURITY_DB_LOCATION", self.database())
            .env("TMPDIR", self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Done {
        done(self.command(arguments).output().expect("a process"))
    }

    /// The same, with something on the standard input.
    fn feed(&self, arguments: &[&str], input: &str) -> Done {
        let mut process = self.command(arguments).stdin(Stdio::piped()).spawn().expect("a process");
        // Who ends without reading it has said why.
        let _ = process.stdin.take().expect("the input").write_all(input.as_bytes());
        done(process.wait_with_output().expect("an end"))
    }

    /// What is printed by a command that must be done, and say nothing.
    #[track_caller]
    fn print(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!((done.code, done.said.as_str()), (0, ""), "{arguments:?}: {}", done.printed);
        done.printed
    }

    /// A key, and its id.
    #[track_caller]
    fn issue(&self, arguments: &[&str]) -> (String, String) {
        let printed = self.print(&[&["keys", "issue", "--json"], arguments].concat());
        let issued: Value = serde_json::from_str(&printed).expect("an object");
        let text = |name: &str| issued[name].as_str().expect("a text").to_owned();
        (text("key"), text("id"))
    }

    /// What `keys show` tells of a key.
    #[track_caller]
    fn shown(&self, id: &str) -> Value {
        serde_json::from_str(&self.print(&["keys", "show", id, "--json"])).expect("an object")
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a file");
        path.to_str().expect("a path").to_owned()
    }

    #[track_caller]
    fn import(&self, text: &str, flags: &[&str]) -> Done {
        self.feed(&[&["keys", "import", "-"], flags].concat(), text)
    }
}

fn done(output: Output) -> Done {
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Done {
        code: output.status.code().expect("not by a signal"),
        printed: text(output.stdout),
        said: text(output.stderr),
    }
}

/// How many keys are in a database, looked at from outside.
fn count(database: &Path) -> u32 {
    let connection = rusqlite::Connection::open(database).expect("the database");
    connection.query_row("SELECT count(*) FROM api_keys", [], |row| row.get(0)).expect("a count")
}
