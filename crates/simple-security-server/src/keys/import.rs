//! `keys import`

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use simple_security::clock::{Clock as _, SystemClock};
use simple_security::store::{Existing, StoreError, read_old_keys};
use simple_security::{Actor, ApiKeys, KeyError};

use self::check::{Check, Checked};
use self::lines::{Line, Lines};
use super::rows::{csv, json};
use super::{Absent, wait};
use crate::failure::Failure;
use crate::output::say;
use crate::progress::Progress;

mod check;
mod faults;
mod lines;
mod spool;

/// Take in keys from a file: all of them, or none. Without --yes it only says what it would do.
///
/// A line of JSON or CSV has `key`, or `sha256`: the digest of a key that nobody needs to know. It may have
/// `id`, `name`, `owner`, `created_at`, `expires_at`, `never_expires`, `revoked_at`, `total` and `last_used_at`, as
/// `keys export` writes them. The database of fastapi_simple_security 1.x is read too, and stays as it is.
/// A key that exists is never changed.
#[derive(Args)]
#[command(after_help = "\
Examples:
  PROGRAM keys import keys.csv
  PROGRAM keys import keys.csv --yes
  PROGRAM keys export | ssh elsewhere PROGRAM keys import - --yes")]
pub(super) struct Import {
    /// The file, or `-` for the standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What the file is. Without it: what it looks like.
    #[arg(long)]
    format: Option<Format>,
    /// Import them.
    #[arg(long)]
    yes: bool,
    /// Only check them and say what would be done, as without --yes.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Leave out keys whose id or text exists already, instead of refusing them all.
    #[arg(long)]
    skip_existing: bool,
    /// Say how far it is, also where the standard error is no terminal.
    #[arg(long)]
    progress: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Csv,
    Sqlite,
}

/// A file of keys that is open.
enum Source {
    Lines(Format, Box<dyn BufRead>),
    OldDatabase(PathBuf),
}

impl Import {
    pub(super) fn run(
        self,
        open: impl Fn(Absent) -> Result<ApiKeys, Failure>,
    ) -> Result<(), Failure> {
        let existing = if self.skip_existing { Existing::Skip } else { Existing::Refuse };
        // Before the database is opened: closing any descriptor of a file drops the locks that SQLite
        // has on it, and somebody may name the database itself.
        let source = self.source()?;
        let progress = Progress::new(self.progress);
        // All is checked before anything is written. Only then is the lock taken that keeps others
        // from writing: all or nothing is one transaction, and a database has one writer. For a
        // million keys it is held for some 20 seconds; checking them under it would double that.
        let checked = check(source, open(Absent::Empty)?, existing, &progress)?;
        if !self.yes {
            return say(&format!(
                "would import {checked}\nNothing was changed. Say --yes to import.\n"
            ));
        }
        let skipped = checked.skipped();
        let (keys, line) = checked.into_keys(progress)?;
        let inserted = wait(open(Absent::Make)?.import_all(keys, existing).by(Actor::CommandLine));
        match inserted {
            Ok(done) => {
                say(&format!("imported {} keys, skipped {}\n", done.added, skipped + done.skipped))
            }
            Err(KeyError::Store(StoreError::Duplicate { .. })) => Err(Failure::Refused(format!(
                "line {}: a key with this id or this text was made meanwhile; nothing was imported",
                line.last()
            ))),
            // The answer to a commit may be lost on the way from a server.
            Err(KeyError::Store(error)) => Err(Failure::Refused(format!(
                "{error}; whether the keys were imported is not known: run it again with --skip-existing, which leaves out those that are there"
            ))),
            Err(error) => Err(Failure::Refused(format!("{error}; nothing was imported"))),
        }
    }

    fn source(&self) -> Result<Source, Failure> {
        let unreadable = |error: io::Error| {
            Failure::Refused(format!("{} cannot be read: {error}", self.file.display()))
        };
        let standard_input = self.file.as_os_str() == "-";
        let input: Box<dyn Read> = match standard_input {
            true => Box::new(io::stdin().lock()),
            false => Box::new(File::open(&self.file).map_err(unreadable)?),
        };
        let mut input = BufReader::with_capacity(64 * 1024, input);
        let begin = input.fill_buf().map_err(unreadable)?;
        let format = self.format.unwrap_or(match begin.trim_ascii_start() {
            [b'S', b'Q', b'L', b'i', b't', b'e', b' ', ..] => Format::Sqlite,
            [b'{', ..] => Format::Json,
            _ => Format::Csv,
        });
        match format {
            Format::Sqlite if standard_input => {
                Err(Failure::Usage("a database must be named as a file".to_owned()))
            }
            Format::Sqlite => Ok(Source::OldDatabase(self.file.clone())),
            format => Ok(Source::Lines(format, Box::new(input))),
        }
    }
}

fn check(
    source: Source,
    keys: ApiKeys,
    existing: Existing,
    progress: &Progress,
) -> Result<Checked, Failure> {
    let now = SystemClock.now();
    match source {
        Source::OldDatabase(path) => {
            let mut check = Check::new(&keys, "row", existing, progress)?;
            let (mut row, mut failed) = (0, None);
            read_old_keys(&path, now, &mut |key| {
                row += 1;
                if failed.is_none() {
                    failed = check.take(row, key.map_err(str::to_owned)).err();
                }
            })?;
            failed.map_or_else(|| check.finish(), Err)
        }
        Source::Lines(format, input) => {
            let mut check = Check::new(&keys, "line", existing, progress)?;
            let mut csv_reader = None;
            let mut lines = Lines::new(input);
            while let Some(line) = lines.next()? {
                let (number, text) = match line {
                    Line::Text(_, []) => continue,
                    Line::Text(number, text) => (number, text),
                    Line::TooLong(number) => {
                        check.take(number, Err(lines::TOO_LONG.to_owned()))?;
                        continue;
                    }
                };
                let row = match (format, &mut csv_reader) {
                    (Format::Csv, None) => {
                        match csv::Reader::new(text) {
                            Ok(reader) => csv_reader = Some(reader),
                            Err(fault) => {
                                check.take(number, Err(fault))?;
                                break;
                            }
                        }
                        continue;
                    }
                    (Format::Csv, Some(reader)) => reader.read(text),
                    _ => json::read(text),
                };
                let key = row.and_then(|row| row.imported_key(now));
                let key =
                    key.and_then(|key| keys.prepare_import(key).map_err(|error| error.to_string()));
                check.take(number, key)?;
            }
            check.finish()
        }
    }
}
