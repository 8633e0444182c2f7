//! What is measured a few times: opening, and writing what was counted.

use std::path::Path;
use std::sync::Arc;

use simple_security::store::SqliteStore;

use super::filling::{Known, engine};
use super::measures::verify;
use super::rounds::{print_rounds, timed};

const MANY: usize = 1_000;
/// So that the thread that writes what is counted stays away: it does so once in a second.
const ROUNDS: usize = 9;

/// Opening the store and the engine until the first key could be verified.
pub fn print_open(path: &Path, rounds: usize) {
    let rounds = rounds.min(ROUNDS);
    let open = |_| {
        let mut opened = None;
        let took = timed(|| {
            let store = Arc::new(SqliteStore::open(path).expect("a store"));
            let engine = engine(&store, super::SAMPLE, 1);
            pollster::block_on(engine.read_changes()).expect("a reading");
            opened = Some(engine);
        });
        drop(opened);
        took.as_nanos() as f64
    };
    print_rounds("open", &(0..rounds).map(open).collect::<Vec<_>>());
}

/// Writing the counts of one key, and of a thousand. Gives back how many calls were accepted.
pub fn print_flush(store: &Arc<SqliteStore>, sample: &[Known], rounds: usize) -> usize {
    let rounds = rounds.min(ROUNDS);
    let engine = engine(store, super::SAMPLE, 1);
    let mut accepted = 0;
    for (name, keys) in [("flush, one key", 1), ("flush, 1,000 keys", MANY)] {
        let mut flush = || {
            for key in &sample[..keys] {
                verify(&engine, key.text()).expect("a good key");
                accepted += 1;
            }
            let flush = || pollster::block_on(engine.flush()).expect("written");
            timed(flush).as_nanos() as f64
        };
        flush();
        let taken: Vec<_> = (0..rounds).map(|_| flush()).collect();
        print_rounds(name, &taken);
    }
    accepted
}
