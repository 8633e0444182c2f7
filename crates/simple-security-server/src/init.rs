//! `init`: makes the store of a deployment.

use clap::Args;
use simple_security::PageRequest;
use simple_security::clock::{Clock as _, SystemClock};
use simple_security::store::{KeyStore, OpenError};

use crate::failure::{Failure, flag_of};
use crate::opening::{Place, make, refused, wait};
use crate::output::say;
use crate::program::Program;
use crate::settings::Arguments;

/// Make the store where the keys are kept, and say how late a change may be known.
///
/// A store in Redis is made by this command alone, so that nobody takes a Redis that has lost its keys for a new
/// one. A database in PostgreSQL or in a file is made at the first use too. A store that is there stays as it is.
///
/// The URL of a store on the network may end with parameters, such as ?max_staleness=5&stale_if_error=10. What it
/// is made with holds for all that use it, and they need not name it: max_staleness, how many seconds a change may
/// take to hold everywhere (2 unless set); stale_if_error, for how many seconds more known keys are let in while
/// the store is down (0 unless set); may_lose=true, to take a Redis that can lose what it has acknowledged.
#[derive(Args)]
#[command(after_help = "\
Examples:
  PROGRAM init --db-location keys.db
  PROGRAM init --db-location 'redis://host/0?max_staleness=5'")]
pub(crate) struct Init {
    #[command(flatten)]
    place: Place,
}

impl Init {
    pub(crate) fn run(self, program: Program) -> Result<(), Failure> {
        let arguments = Arguments { db_location: self.place.db_location, ..Arguments::default() };
        let settings = program.settings(&arguments)?;
        let failed =
            |error: OpenError| refused(program, &flag_of(&settings.location_setting), &error);
        let (store, new) = make(&settings.location).map_err(failed)?;
        let one = PageRequest::default().with_limit(1);
        let keys =
            wait(store.page(&one, SystemClock.now())).map_err(|error| failed(error.into()))?;
        let place = &settings.location;
        let there = match (new, keys.is_empty()) {
            (true, _) => format!("made {place}"),
            (false, true) => format!("{place} is there, and has no keys yet"),
            (false, false) => format!("{place} is there already, and has keys"),
        };
        say(&format!("{there}; a change of a key holds {}\n", promise(&*store)))
    }
}

/// From when on a change of a key holds, and where.
fn promise(store: &dyn KeyStore) -> String {
    match store.is_embedded() {
        true => "at once in all processes of this machine".to_owned(),
        false => format!("everywhere within {} s", store.bound().as_secs_f64()),
    }
}
