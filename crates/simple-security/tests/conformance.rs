//! Every store keeps every promise of `KeyStore`. Each promise is a test of its own for each store.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Trial};
use simple_security::config::Location;
use simple_security::store::{self, KeyStore};
use simple_security::testing::{CHECKS, Place};

mod places;
mod servers;

use places::{Disk, Memory, rounds};
use servers::postgres::Postgres;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let handle = runtime.handle().clone();
    let mut trials = checked("memory", || Box::<Memory>::default());
    trials.extend(checked("sqlite", || Box::new(Disk::new(None))));
    trials.extend(checked("sqlite_in_tokio", move || Box::new(Disk::new(Some(handle.clone())))));
    trials.extend(checked("postgres", || Box::<OnPostgres>::default()));
    let done = libtest_mimic::run(&Arguments::from_args(), trials);
    OnPostgres::stop();
    done.exit_code()
}

/// One test for each check, on places that `place` makes.
fn checked(store: &str, place: impl Fn() -> Box<dyn Place> + Clone + Send + 'static) -> Vec<Trial> {
    let trial = |(name, check): &(&str, fn(&dyn Place))| {
        let (check, place) = (*check, place.clone());
        let run = move || {
            check(&*place());
            Ok(())
        };
        Trial::test(format!("{store}::{name}"), run)
    };
    CHECKS.iter().map(trial).collect()
}

/// A database of a server that all trials share. It is started by the first of them.
struct OnPostgres {
    url: String,
}

static POSTGRES: Mutex<Option<Arc<Postgres>>> = Mutex::new(None);

impl OnPostgres {
    fn stop() {
        drop(POSTGRES.lock().expect("the server").take());
    }
}

impl Default for OnPostgres {
    fn default() -> Self {
        let server =
            Arc::clone(POSTGRES.lock().expect("the server").get_or_insert_with(Postgres::shared));
        Self { url: server.fresh_database() }
    }
}

impl Place for OnPostgres {
    fn open(&self) -> Arc<dyn KeyStore> {
        let location = Location::parse(&self.url).expect("a URL");
        store::open(&location).expect("the store opens")
    }

    fn another(&self) -> Box<dyn Place> {
        Box::<Self>::default()
    }

    fn rounds(&self) -> u32 {
        rounds(10)
    }
}
