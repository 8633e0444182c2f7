//! Every store keeps every promise of `KeyStore`. Each promise is a test of its own for each store.

use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use libtest_mimic::{Arguments, Trial};
use simple_security::testing::{CHECKS, Place};
use test_support::servers::postgres::Postgres;
use test_support::servers::redis::Redis;
use test_support::stores::{InMemory, PostgresDatabase, RedisDatabase, SqliteFile};

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let handle = runtime.handle().clone();
    let mut trials = checked("memory", || Box::<InMemory>::default());
    trials.extend(checked("sqlite", || Box::new(SqliteFile::new(None))));
    trials.extend(checked("sqlite_in_tokio", move || {
        Box::new(SqliteFile::new(Some(handle.clone())))
    }));
    // Each starts for the first that needs it, and ends with the last.
    let postgres = Arc::new(LazyLock::new(Postgres::shared));
    trials.extend(checked("postgres", move || Box::new(PostgresDatabase::new(&postgres))));
    let redis = Arc::new(LazyLock::new(Redis::shared));
    trials.extend(checked("redis", move || Box::new(RedisDatabase::new(&redis))));
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
