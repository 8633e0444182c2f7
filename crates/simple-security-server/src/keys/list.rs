//! `keys list`

use std::io::{self, Write};

use clap::Args;
use simple_security::{ApiKeys, KeyDetails, KeyFilter, PageRequest, Timestamp};
use simple_security_admin::keys::KeyDetails as JsonDetails;

use super::issue::read_owner;
use super::json::line;
use super::{Absent, wait};
use crate::failure::{Failure, output};
use crate::output::{columns, fitted, standard_output, visible, width};

/// The width of all columns but the name, which is the last.
const BEFORE_NAME: usize = 11 + 2 + 7 + 2 + 20 + 2 + 20 + 2 + 10 + 2 + OWNER + 2;

/// The width of the column of the owner.
const OWNER: usize = 12;

/// List keys, the newest first.
#[derive(Args)]
#[command(after_help = "\
Examples:
  PROGRAM keys list
  PROGRAM keys list --state expired --name shop --all
  PROGRAM keys list --owner acme
  PROGRAM keys list --all --json | jq -r 'select(.usage.total == 0) | .id'")]
pub(super) struct List {
    /// Only those of this state.
    #[arg(long, value_parser = ["active", "expired", "revoked"])]
    state: Option<String>,
    /// Only those with this text in their name, letter for letter.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Only those of this owner, letter for letter; empty: those without an owner.
    #[arg(long, value_name = "OWNER")]
    owner: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
    /// As many as there are.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Print a line of JSON for each.
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(
        self,
        open: impl Fn(Absent) -> Result<ApiKeys, Failure>,
    ) -> Result<(), Failure> {
        let state = self.state.as_deref().and_then(|state| state.parse().ok());
        let owner = self.owner.map(|owner| read_owner(&owner)).transpose()?;
        let filter = KeyFilter::new(state, self.name).with_owner(owner);
        let keys = open(Absent::Refuse)?;
        let mut printer =
            Printer { output: standard_output(), json: self.json, columns: columns() };
        printer.head().map_err(output)?;
        let mut left = if self.all { u64::MAX } else { self.limit };
        let mut after = None;
        // Page by page, so that a million keys need no more memory than a thousand.
        loop {
            let limit = left.min(PageRequest::MAX_LIMIT.into()) as u32;
            let request = PageRequest::default().with_filter(filter.clone());
            let page = wait(keys.page(request.after(after).with_limit(limit)))?;
            left = left.saturating_sub(page.keys.len() as u64);
            for key in page.keys {
                printer.key(key).map_err(output)?;
            }
            after = page.next;
            if after.is_none() || left == 0 {
                break;
            }
        }
        printer.output.flush().map_err(output)?;
        if after.is_some() {
            // That the keys were printed counts; this is for convenience.
            let _ = writeln!(io::stderr().lock(), "There are more: --limit or --all shows them.");
        }
        Ok(())
    }
}

struct Printer<W: Write> {
    output: W,
    json: bool,
    columns: Option<usize>,
}

impl<W: Write> Printer<W> {
    fn head(&mut self) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        self.row(["ID", "STATE", "EXPIRES", "LAST USED", "TOTAL", "OWNER", "NAME"])
    }

    fn key(&mut self, key: KeyDetails) -> io::Result<()> {
        if self.json {
            return self.output.write_all(line(&JsonDetails::from(key)).as_bytes());
        }
        let KeyDetails { record, state, usage, .. } = key;
        let date =
            |date: Option<Timestamp>| date.map_or("never".to_owned(), |date| date.to_string());
        let (expires, last_used) = (date(record.expiry().date()), date(usage.last_used_at));
        self.row([
            record.id.as_str(),
            state.as_str(),
            &expires,
            &last_used,
            &usage.total.to_string(),
            &visible(record.owner.as_str()),
            &visible(record.name.as_str()),
        ])
    }

    fn row(
        &mut self,
        [id, state, expires, last_used, total, owner, name]: [&str; 7],
    ) -> io::Result<()> {
        let row = format!("{id:11}  {state:7}  {expires:20}  {last_used:20}  {total:>10}  ");
        let (owner, name) = match self.columns {
            Some(columns) => {
                (fitted(owner, OWNER), fitted(name, columns.saturating_sub(BEFORE_NAME)))
            }
            None => (owner.to_owned(), name.to_owned()),
        };
        let space = " ".repeat(OWNER.saturating_sub(width(&owner)));
        writeln!(self.output, "{}", format!("{row}{owner}{space}  {name}").trim_end())
    }
}

#[cfg(test)]
mod tests {
    use simple_security::{KeyName, KeyRecord, KeyState, Usage};

    use super::*;

    #[test]
    fn a_row_is_as_wide_as_the_terminal() {
        let id = "0123456789a".parse().expect("an id");
        let name = KeyName::new(&"é".repeat(200)).expect("a name");
        let record = KeyRecord::new(id, Timestamp::MIN, Timestamp::MAX).with_name(name);
        let usage = Usage::new(42, Some(Timestamp::from_seconds(0)));
        let key = KeyDetails::new(record, KeyState::Active, usage);
        for (columns, width) in
            [(Some(120), 120), (Some(10), BEFORE_NAME + 1), (None, BEFORE_NAME + 200)]
        {
            let mut printer = Printer { output: Vec::new(), json: false, columns };
            printer.head().and_then(|()| printer.key(key.clone())).expect("printed");
            let text = String::from_utf8(printer.output).expect("text");
            let widths: Vec<_> = text.lines().map(|line| line.chars().count()).collect();
            assert_eq!(widths[1], width, "{text}");
        }
    }
}
