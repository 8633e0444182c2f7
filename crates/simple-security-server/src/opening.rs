//! Where the keys are, as a command names it, and how it is opened.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use simple_security::store::{self, KeyStore, Location, MemoryStore, OpenError, SqliteStore};

use crate::failure::{Failure, flag_of};
use crate::hint::hint;
use crate::program::Program;
use crate::settings::Settings;

/// The setting that goes before the one of the environment.
#[derive(Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct Place {
    /// Where the keys are: the path of a file, or a URL (sqlite:///keys.db, postgres://..., redis://...).
    #[arg(long, global = true, value_name = "LOCATION")]
    pub(crate) db_location: Option<String>,
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

/// Opens the store that the settings name.
pub(crate) fn open_store(
    program: Program,
    settings: &Settings,
    absent: Absent,
) -> Result<Arc<dyn KeyStore>, Failure> {
    open(&settings.location, absent)
        .map_err(|error| refused(program, &flag_of(&settings.location_setting), &error))
}

/// Opens a store. A file of the old package is never taken over here: there is no way back, and the
/// old version may still run on it. What is done where nothing is there is up to us with a file alone:
/// a store on the network is opened as its kind is.
pub(crate) fn open(location: &Location, absent: Absent) -> Result<Arc<dyn KeyStore>, OpenError> {
    match location {
        Location::Sqlite(path) => open_file(path, absent),
        network => store::open(network),
    }
}

/// Opens a store, or makes it where there is none. `true`: it is new, as far as can be told.
pub(crate) fn make(location: &Location) -> Result<(Arc<dyn KeyStore>, bool), OpenError> {
    match open(location, Absent::Refuse) {
        Err(OpenError::Missing { .. } | OpenError::NotMade { .. }) => {
            Ok((store::make(location)?, true))
        }
        opened => Ok((opened?, false)),
    }
}

/// Why a store could not be opened, with the name of the argument that says where it is.
pub(crate) fn refused(program: Program, argument: &str, error: &OpenError) -> Failure {
    let text = format!("{argument}: {error}");
    match hint(program.name(), error) {
        Some(hint) => Failure::Hinted { text, hint },
        None => Failure::Refused(text),
    }
}

/// Waits for the engine: whoever calls here has nothing else to do.
pub(crate) fn wait<F: IntoFuture>(future: F) -> F::Output {
    pollster::block_on(future.into_future())
}

fn open_file(path: &Path, absent: Absent) -> Result<Arc<dyn KeyStore>, OpenError> {
    match (SqliteStore::open_existing(path), absent) {
        (Err(OpenError::Missing { .. }), Absent::Make) => Ok(Arc::new(SqliteStore::open(path)?)),
        (Err(OpenError::Missing { .. }), Absent::Empty) => Ok(Arc::new(MemoryStore::new()?)),
        (opened, _) => Ok(Arc::new(opened?)),
    }
}
