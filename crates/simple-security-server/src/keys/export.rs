//! `keys export`

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use simple_security::clock::{Clock as _, SystemClock};
use simple_security::{ApiKeys, PageRequest};

use super::rows::{csv, exported, json};
use super::{Absent, wait};
use crate::failure::Failure;
use crate::output::standard_output;

/// Write all keys, with their digests and usage, for `keys import` on another database.
///
/// No key is in it, only SHA-256 digests. Keys that are made or changed meanwhile may be in it or not.
#[derive(Args)]
#[command(after_help = "\
Examples:
  PROGRAM keys export --output keys.jsonl
  PROGRAM keys export --format csv > keys.csv")]
pub(super) struct Export {
    /// A new file, which only you may read. Without it: the standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A line of JSON for each key, or CSV. Without it: what the name of the file says, else JSON.
    #[arg(long)]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Csv,
}

impl Export {
    pub(super) fn run(
        self,
        open: impl Fn(Absent) -> Result<ApiKeys, Failure>,
    ) -> Result<(), Failure> {
        let keys = open(Absent::Refuse)?;
        let named_csv = |path: &Path| path.extension().is_some_and(|extension| extension == "csv");
        let format = self.format.unwrap_or(match &self.output {
            Some(path) if named_csv(path) => Format::Csv,
            _ => Format::Json,
        });
        match &self.output {
            None => write_all(&keys, format, &mut standard_output()),
            Some(path) => write_file(&keys, format, path),
        }
    }
}

fn write_file(keys: &ApiKeys, format: Format, path: &Path) -> Result<(), Failure> {
    // A file that is there is not written over: it may be the last export, or the database.
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let file = created.map_err(|error| {
        Failure::Refused(format!("--output: {} cannot be made: {error}", path.display()))
    })?;
    let mut output = io::BufWriter::with_capacity(64 * 1024, file);
    let written = write_all(keys, format, &mut output)
        .and_then(|()| output.get_ref().sync_all().map_err(|error| unwritable(&error)));
    if written.is_err() {
        // Half an export could be taken for a whole one.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn write_all(keys: &ApiKeys, format: Format, output: &mut impl Write) -> Result<(), Failure> {
    let now = SystemClock.now();
    let mut after = None;
    let mut begun = false;
    // Page by page, so that a million keys need no more memory than a thousand.
    loop {
        let (page, next) = wait(keys.export(after, PageRequest::MAX_LIMIT))?;
        for key in page {
            let values = exported(&key, now);
            let mut text = String::new();
            if format == Format::Csv && !std::mem::replace(&mut begun, true) {
                text = csv::head(&values);
            }
            text += &match format {
                Format::Json => json::line(&values),
                Format::Csv => csv::line(&values),
            };
            output.write_all(text.as_bytes()).map_err(|error| unwritable(&error))?;
        }
        after = next;
        if after.is_none() {
            return output.flush().map_err(|error| unwritable(&error));
        }
    }
}

/// Also where the reader has closed the output: what it has is no whole export.
fn unwritable(error: &io::Error) -> Failure {
    Failure::Refused(format!("the export cannot be written to its end: {error}"))
}
