//! What verifying costs, beside one SHA-256 of the same key and one bare `SELECT`.
//!
//! `cargo bench --bench engine -- <keys in the store> <rounds>` prints a line of JSON for each
//! measure, with what each round took. All measures are taken in turn in each round, so that the
//! ratio of two of them within one round says nothing of who else was at work.
//! `bench/subjects/engine.py` makes tables of it.
#![allow(missing_docs, clippy::print_stdout, reason = "this is a program")]

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use simple_security::store::SqliteStore;

mod filling;
mod measures;
mod memory;
mod once;
mod rounds;

/// How many keys are cached and looked up: as many as the engine remembers unless told otherwise.
const SAMPLE: usize = 100_000;

fn main() -> ExitCode {
    // cargo adds `--bench`.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|each| each != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["memory", path] => memory::print(Path::new(path)),
        [keys, rounds] => {
            measure(keys.parse().expect("how many keys"), rounds.parse().expect("how many rounds"));
        }
        _ => {
            println!("the arguments are how many keys the store has, and how many rounds to make");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure(keys: usize, rounds: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.db");
    let sample = filling::fill(&path, keys, SAMPLE.min(keys));
    once::print_open(&path, rounds);
    let store = Arc::new(SqliteStore::open(&path).expect("a store"));
    let accepted = measures::print(&store, &path, &sample, rounds)
        + once::print_flush(&store, &sample, rounds);
    drop(store);
    println!("{}", json!({"accepted": accepted, "counted": filling::counted(&path)}));
    memory::print_of_child(&path, &sample);
}
