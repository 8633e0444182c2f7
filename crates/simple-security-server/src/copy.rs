//! `copy`: all keys and their usage from one store to another.
//!
//! It may be stopped at any time and run again. Nothing is kept of where it was: it goes through both
//! stores side by side, and writes what is not yet the same.

use std::io::{self, BufRead as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use clap::Args;
use simple_security::PageRequest;
use simple_security::store::Location;

use self::copying::{Copying, Done};
use self::side::Side;
use self::verify::verify;
use self::walk::Walk;
use crate::failure::Failure;
use crate::opening::{Absent, open, refused};
use crate::output::say;
use crate::program::Program;
use crate::progress::Progress;

mod copying;
mod difference;
#[cfg(test)]
mod model;
mod side;
mod verify;
mod walk;

/// Copy all keys and their usage from one store to another, and verify that both are the same.
///
/// Stop all that use either store before: what is counted meanwhile would be missing. If it is stopped in the
/// middle, run it again: it goes on, and counts nothing twice.
///
/// What is in FROM wins, but a key that is revoked in TO stays revoked. Nothing is deleted. Exit code 0 says that
/// both had the same keys, states and usage when they were compared at the end.
#[derive(Args)]
#[command(after_help = "\
Examples:
  PROGRAM copy keys.db postgres://host/database
  PROGRAM copy - - < file-with-two-lines")]
pub(crate) struct CopyKeys {
    /// Where the keys are, as of --db-location; or `-`: a line of the standard input. A password in an argument is
    /// seen by all users of the machine.
    #[arg(value_name = "FROM")]
    from: String,
    /// Where they are copied to, in the same way. A database in PostgreSQL or in a file is made where there is none.
    #[arg(value_name = "TO")]
    to: String,
    /// Say how far it is, also where the standard error is no terminal.
    #[arg(long)]
    progress: bool,
}

impl CopyKeys {
    pub(crate) fn run(self, program: Program) -> Result<(), Failure> {
        let (from, to) = (locate("FROM", &self.from)?, locate("TO", &self.to)?);
        if same(&from, &to) {
            return Err(Failure::Usage(format!("FROM and TO are the same: {}", from.1)));
        }
        let opened =
            |argument, (_, location): &(String, Location), absent| match open(location, absent) {
                Ok(store) => Ok(Side { store, name: location.to_string() }),
                Err(error) => Err(refused(program, argument, &error)),
            };
        let from = opened("FROM", &from, Absent::Refuse)?;
        let to = opened("TO", &to, Absent::Make)?;
        let progress = Progress::new(self.progress);
        let walk = || Walk::new(from.clone(), to.clone(), PageRequest::MAX_LIMIT);
        let mut copying = Copying::new(walk());
        loop {
            let before = copying.done().seen;
            if !copying.step()? {
                break;
            }
            progress.steps("copied", before, copying.done().seen);
        }
        let Done { added, changed, seen } = copying.done();
        let as_before = seen - added - changed;
        say(&format!("copied {added} keys, changed {changed}, left {as_before} as they were\n"))?;
        let verified = verify(walk(), progress)?;
        say(&format!(
            "verified {} keys, used {} times: both stores are the same\n",
            verified.keys, verified.uses
        ))
    }
}

/// A location, with the text that names it.
fn locate(argument: &str, text: &str) -> Result<(String, Location), Failure> {
    let mut text = text.to_owned();
    if text == "-" {
        text.clear();
        io::stdin().lock().read_line(&mut text).map_err(|error| {
            Failure::Refused(format!("the standard input cannot be read: {error}"))
        })?;
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
    }
    match Location::parse(&text) {
        Ok(location) => Ok((text, location)),
        Err(problem) => Err(Failure::Usage(format!("{argument}: {problem}"))),
    }
}

/// Whether two locations are one store, as far as it can be seen from outside. Where it cannot, nothing
/// is lost: everything is found there already.
fn same(from: &(String, Location), to: &(String, Location)) -> bool {
    let inode = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
    let parameters = |text: &str| text.split_once('?').map(|(_, parameters)| parameters.to_owned());
    match (&from.1, &to.1) {
        (Location::Sqlite(from), Location::Sqlite(to)) => {
            from == to || inode(from).is_some_and(|one| inode(to) == Some(one))
        }
        // Whoever may be asking for it there, the keys are the same.
        (one, other) => {
            one.to_string() == other.to_string() && parameters(&from.0) == parameters(&to.0)
        }
    }
}
