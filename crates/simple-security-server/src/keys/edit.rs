//! `keys edit`

use clap::Args;
use simple_security::{Actor, ApiKeys, KeyEdit, Owner};
use simple_security_admin::keys::KeyDetails as JsonDetails;

use super::issue::{Expiry, read_name, read_owner};
use super::json::line;
use super::named::Named;
use super::{Absent, wait};
use crate::failure::Failure;
use crate::output::say;

/// Change the name of a key, its owner, or when it expires.
///
/// Fields that you omit stay as they are. A revoked key stays revoked.
#[derive(Args)]
#[command(after_help = "\
Examples:
  PROGRAM keys edit Gh29RPWKBo4 --name shop --owner acme
  PROGRAM keys edit Gh29RPWKBo4 --no-owner
  PROGRAM keys edit Gh29RPWKBo4 --expires-at 2030-01-31T12:00:00Z --json")]
pub(super) struct Edit {
    /// The id of the key, or `-`: the id or the whole key on the standard input.
    #[arg(value_name = "ID")]
    id: String,
    /// What people call it.
    #[arg(long)]
    name: Option<String>,
    /// Whose key it is, such as the id of a customer.
    #[arg(long, conflicts_with = "no_owner")]
    owner: Option<String>,
    /// Remove the owner.
    #[arg(long)]
    no_owner: bool,
    #[command(flatten)]
    expiry: Expiry,
    /// Print the key as a JSON object.
    #[arg(long)]
    json: bool,
}

impl Edit {
    pub(super) fn run(
        self,
        open: impl Fn(Absent) -> Result<ApiKeys, Failure>,
    ) -> Result<(), Failure> {
        let owner = match &self.owner {
            _ if self.no_owner => Some(Owner::default()),
            owner => owner.as_deref().map(read_owner).transpose()?,
        };
        let edit = KeyEdit::default()
            .with_name(self.name.as_deref().map(read_name).transpose()?)
            .with_owner(owner)
            .with_expiry(self.expiry.read()?);
        if edit == KeyEdit::default() {
            let text = "nothing to change: give --name, --owner, --no-owner, --expires-at or --never-expires";
            return Err(Failure::Usage(text.to_owned()));
        }
        let named = Named::one(&self.id)?;
        let keys = open(Absent::Refuse)?;
        let record = wait(keys.edit(named.id(&keys)?, edit).by(Actor::CommandLine))
            .map_err(|error| named.failure(error))?;
        let id = record.id;
        say(&match self.json {
            true => line(&JsonDetails::from(wait(keys.details_after(record)))),
            false => format!("edited {id}\n"),
        })
    }
}
