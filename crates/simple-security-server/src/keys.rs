//! `keys`: the verbs that make, show, change and move keys, straight on the database.

use clap::{Args, Subcommand};
use simple_security::ApiKeys;

use crate::failure::{Failure, not_opened};
use crate::opening::{Absent, Place, open_store, wait};
use crate::program::Program;
use crate::settings::{Arguments, Settings};

mod change;
mod edit;
mod export;
mod import;
mod issue;
mod json;
mod list;
mod named;
mod rows;

/// Make, show, change and move keys, straight on the database.
///
/// The database is the one that the flag names, else the variable PREFIX_DB_LOCATION, else sqlite.db. Servers
/// may use it meanwhile: what is changed here holds for all of them when the command ends. (Where many machines
/// share it, that takes as long as it was made for, 2 seconds unless set.) What they have counted is seen here a
/// second later.
#[derive(Args)]
pub(crate) struct Keys {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    verb: Verb,
}

/// Settings that go before those of the environment. There is none for a secret: others would see it.
#[derive(Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Flags {
    #[command(flatten)]
    place: Place,
    /// Days until a new or renewed key expires.
    #[arg(long, global = true, value_name = "DAYS")]
    automatic_expiration: Option<String>,
    /// What new keys start with.
    #[arg(long, global = true, value_name = "PREFIX")]
    key_prefix: Option<String>,
}

#[derive(Subcommand)]
enum Verb {
    Issue(issue::Issue),
    List(list::List),
    Show(change::Show),
    Revoke(change::Revoke),
    Renew(change::Renew),
    Edit(edit::Edit),
    Delete(change::Delete),
    Import(import::Import),
    Export(export::Export),
}

impl Flags {
    /// What they say, for the reader of the settings.
    pub(crate) fn arguments(self) -> Arguments {
        Arguments {
            db_location: self.place.db_location,
            automatic_expiration: self.automatic_expiration,
            key_prefix: self.key_prefix,
            ..Arguments::default()
        }
    }
}

impl Keys {
    pub(crate) fn run(self, program: Program) -> Result<(), Failure> {
        let settings = program.settings(&self.flags.arguments())?;
        let open = |absent| open(program, &settings, absent);
        match self.verb {
            Verb::Issue(issue) => issue.run(open),
            Verb::List(list) => list.run(open),
            Verb::Show(show) => show.run(open),
            Verb::Revoke(revoke) => revoke.run(open),
            Verb::Renew(renew) => renew.run(open),
            Verb::Edit(edit) => edit.run(open),
            Verb::Delete(delete) => delete.run(open),
            Verb::Import(import) => import.run(open),
            Verb::Export(export) => export.run(open),
        }
    }
}

/// Opens the keys.
fn open(program: Program, settings: &Settings, absent: Absent) -> Result<ApiKeys, Failure> {
    let store = open_store(program, settings, absent)?;
    let opened = settings.engine(store).build();
    opened.map_err(|error| not_opened(&error, settings))
}
