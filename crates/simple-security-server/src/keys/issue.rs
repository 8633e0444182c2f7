//! `keys issue`

use std::io::Write as _;

use clap::Args;
use simple_security::{Actor, ApiKeys, Expiry as KeyExpiry, KeyName, NewKey, Owner};
use simple_security_admin::keys::NewKeyDetails;

use super::json::line;
use super::{Absent, wait};
use crate::failure::Failure;
use crate::output::{standard_output, visible};

/// Make a key, and print it this once.
///
/// The standard output has the key and nothing else.
#[derive(Args)]
#[command(after_help = "\
Examples:
  PROGRAM keys issue --name shop
  KEY=$(PROGRAM keys issue --name shop --expires-at 2030-01-31T12:00:00Z)
  PROGRAM keys issue --name shop --never-expires --json
  PROGRAM keys issue --name shop --owner acme")]
pub(super) struct Issue {
    /// What people call it.
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// Whose key it is, such as the id of a customer.
    #[arg(long, default_value = "", hide_default_value = true)]
    owner: String,
    #[command(flatten)]
    expiry: Expiry,
    /// Print an object with `id`, `key` and all that is known of the key.
    #[arg(long)]
    json: bool,
}

/// When a key expires. `None` from `read`: the command's default.
#[derive(Args)]
pub(super) struct Expiry {
    /// When it expires, such as 2030-01-31T12:00:00Z.
    #[arg(long, value_name = "DATE", conflicts_with = "never_expires")]
    expires_at: Option<String>,
    /// It never expires.
    #[arg(long)]
    never_expires: bool,
}

impl Expiry {
    /// `None`: neither was given.
    pub(super) fn read(&self) -> Result<Option<KeyExpiry>, Failure> {
        match &self.expires_at {
            _ if self.never_expires => Ok(Some(KeyExpiry::Never)),
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(date) => Ok(Some(KeyExpiry::At(date))),
                Err(error) => Err(Failure::Usage(format!("--expires-at: {error}"))),
            },
        }
    }
}

/// Reads a name that was given as `--name`.
pub(super) fn read_name(text: &str) -> Result<KeyName, Failure> {
    KeyName::new(text).map_err(|error| Failure::Usage(format!("--name: {error}")))
}

/// Reads an owner that was given as `--owner`.
pub(super) fn read_owner(text: &str) -> Result<Owner, Failure> {
    Owner::new(text).map_err(|error| Failure::Usage(format!("--owner: {error}")))
}

impl Issue {
    pub(super) fn run(
        self,
        open: impl Fn(Absent) -> Result<ApiKeys, Failure>,
    ) -> Result<(), Failure> {
        let (name, owner) = (read_name(&self.name)?, read_owner(&self.owner)?);
        let new = NewKey::named(name).with_owner(owner).with_expiry(self.expiry.read()?);
        let keys = open(Absent::Make)?;
        let issued = wait(keys.issue(new).by(Actor::CommandLine))?;
        let id = issued.record.id;
        let for_people = format!("{}. It is not shown again.\n", described(&issued.record));
        let text = match self.json {
            true => line(&NewKeyDetails::new(issued.record, Some(issued.key))),
            false => format!("{}\n", issued.key.expose()),
        };
        let mut output = standard_output();
        output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(|error| {
            Failure::Refused(format!(
                "the key could not be printed ({error}), so nobody has it; delete it: keys delete {id} --yes"
            ))
        })?;
        if !self.json {
            // That the key was printed counts; this is for convenience.
            let _ = std::io::stderr().lock().write_all(for_people.as_bytes());
        }
        Ok(())
    }
}

fn described(record: &simple_security::KeyRecord) -> String {
    let name = match record.name.as_str() {
        "" => String::new(),
        name => format!(" for {}", visible(name)),
    };
    let until = match record.expiry() {
        KeyExpiry::Never => "which never expires".to_owned(),
        KeyExpiry::At(date) => format!("which expires at {date}"),
    };
    format!("issued the key {}{name}, {until}", record.id)
}
