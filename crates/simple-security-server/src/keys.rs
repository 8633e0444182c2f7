//! `keys`: the verbs that make, show, change and move keys, straight on the database.

use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use simple_security::ApiKeys;
use simple_security::clock::SystemClock;
use simple_security::config::{Arguments, Location, Settings};
use simple_security::store::{self, KeyStore, MemoryStore, SqliteStore, StoreError};

use crate::Program;
use crate::failure::{Failure, flag_of};

mod change;

mod export;
mod import;
mod issue;

mod list;
mod named;
mod rows;
mod shown;

/// Make, show, change and move keys, straight on the database.
///
/// The database is the one that the flag names, else the variable PREFIX_DB_LOCATION, else sqlite.db. Servers
/// may use it meanwhile: what is changed here holds for all of them when the command ends. What they have
/// counted is seen here a second later.
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
    /// The database file: a path, or a URL such as sqlite:///keys.db.
    #[arg(long, global = true, value_name = "FILE")]
    db_location: Option<String>,
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
    Delete(change::Delete),
    Import(import::Import),
    Export(export::Export),
}

/// What is done with a database that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It is made.
    Make,
    /// Nothing can be done without it.
    Refuse,
    /// It is taken for an empty one, and not made.
    Empty,
}

impl Flags {
    /// What they say, for the reader of the settings.
    pub(crate) fn arguments(self) -> Arguments {
        Arguments {
            db_location: self.db_location,
            automatic_expiration: self.automatic_expiration,
            key_prefix: self.key_prefix,
            ..Arguments::default()
        }
    }
}

impl Keys {
    pub(crate) fn run(self, program: Program) -> Result<(), Failure> {
        let settings = Settings::load_for(program.face(), &self.flags.arguments())?;
        let open = |absent| open(&settings, absent);
        match self.verb {
            Verb::Issue(issue) => issue.run(open),
            Verb::List(list) => list.run(open),
            Verb::Show(show) => show.run(open),
            Verb::Revoke(revoke) => revoke.run(open),
            Verb::Renew(renew) => renew.run(open),
            Verb::Delete(delete) => delete.run(open),
            Verb::Import(import) => import.run(open),
            Verb::Export(export) => export.run(open),
        }
    }
}

/// Opens the database. One of the old package is never taken over here: there is no way back, and the
/// old version may still run on it.
fn open(settings: &Settings, absent: Absent) -> Result<ApiKeys, Failure> {
    let store = open_store(settings, absent)?;
    Ok(ApiKeys::without_admin_secret(store, Arc::new(SystemClock), settings)?)
}

/// The store alone.
pub(crate) fn open_store(
    settings: &Settings,
    absent: Absent,
) -> Result<Arc<dyn KeyStore>, Failure> {
    let opened = match &settings.location {
        Location::Sqlite(path) => open_file(path, absent),
        network => store::open(network),
    };
    opened.map_err(|error| {
        Failure::Refused(format!("{}: {error}", flag_of(&settings.location_setting)))
    })
}

fn open_file(path: &Path, absent: Absent) -> Result<Arc<dyn KeyStore>, StoreError> {
    match (SqliteStore::open_existing(path), absent) {
        (Err(StoreError::Missing { .. }), Absent::Make) => Ok(Arc::new(SqliteStore::open(path)?)),
        (Err(StoreError::Missing { .. }), Absent::Empty) => Ok(Arc::new(MemoryStore::new()?)),
        (opened, _) => Ok(Arc::new(opened?)),
    }
}

/// Waits for the engine: whoever calls here has nothing else to do.
fn wait<F: Future>(future: F) -> F::Output {
    pollster::block_on(future)
}
