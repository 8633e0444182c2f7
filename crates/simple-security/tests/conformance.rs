//! Every store keeps every promise of `KeyStore`. Each promise is a test of its own for each store.

use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use libtest_mimic::{Arguments, Trial};
use simple_security::testing::{CHECKS, Place};

#[path = "places/postgres.rs"]
mod on_postgres;
#[path = "places/redis.rs"]
mod on_redis;
mod places;
mod servers;

use on_postgres::OnPostgres;
use on_redis::OnRedis;
use places::{Disk, Memory};
use servers::postgres::Postgres;
use servers::redis::Redis;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let handle = runtime.handle().clone();
    let mut trials = checked("memory", || Box::<Memory>::default());
    trials.extend(checked("sqlite", || Box::new(Disk::new(None))));
    trials.extend(checked("sqlite_in_tokio", move || Box::new(Disk::new(Some(handle.clone())))));
    // Each starts for the first that needs it, and ends with the last.
    let postgres = Arc::new(LazyLock::new(Postgres::shared));
    trials.extend(checked("postgres", move || Box::new(OnPostgres::new(&postgres))));
    let redis = Arc::new(LazyLock::new(Redis::shared));
    trials.extend(checked("redis", move || Box::new(OnRedis::new(&redis))));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
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
