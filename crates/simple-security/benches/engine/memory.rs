//! The memory of a cached key, seen from outside: in a process of its own.

use std::io::{BufRead, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use simple_security::store::{KeyRecords, SqliteStore};
use simple_security::{KeyDigest, KeyReference};

use super::filling::{Known, engine_that_flushes_each};
use super::measures::verify;

/// Runs this program once more, with the keys on its standard input.
pub fn print_of_child(path: &Path, sample: &[Known]) {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program)
        .arg("memory")
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("this program once more");
    let mut input = child.stdin.take().expect("its input");
    for key in sample {
        input.write_all(key.text()).and_then(|()| input.write_all(b"\n")).expect("a key is read");
    }
    drop(input);
    assert!(child.wait().expect("an end").success());
}

/// Caches all keys on the standard input, and prints by how much this process has grown.
pub fn print(path: &Path) {
    let keys: Vec<String> =
        std::io::stdin().lock().lines().collect::<Result<_, _>>().expect("keys");
    let store = Arc::new(SqliteStore::open(path).expect("a store"));
    // What SQLite and the allocator take at first is not of the cache: the same lookups without it.
    let mut text = 0;
    for key in &keys {
        let digest = KeyDigest::of(key.as_bytes());
        let record = pollster::block_on(store.find(KeyReference::Digest(digest)));
        let record = record.expect("an answer").expect("a good key");
        text += record.id.as_str().len() + record.name.as_str().len();
    }
    let before = resident();
    // Nothing is written meanwhile: what a flush needs for a moment is not of the cache either.
    let engine = engine_that_flushes_each(Duration::from_secs(3600), &store, keys.len(), 1);
    for key in &keys {
        verify(&engine, key.as_bytes()).expect("a good key");
    }
    let grown = resident().saturating_sub(before);
    println!("{}", json!({"memory": grown, "keys": keys.len(), "text": text}));
}

/// The memory that this process has, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    let kilobytes = line.split_whitespace().nth(1).expect("a number");
    kilobytes.parse::<u64>().expect("a number") * 1024
}
