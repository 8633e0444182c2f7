//! Keys by their numbers.

use std::future::Future;

use simple_security::{KeyDigest, KeyId, KeyName, KeyRecord, Timestamp};

pub fn id(number: u32) -> KeyId {
    format!("{number:011}").parse().expect("an id")
}

pub fn digest(number: u32) -> KeyDigest {
    KeyDigest::of(format!("key {number}").as_bytes())
}

pub fn record(number: u32) -> KeyRecord {
    let name = KeyName::new("a key").expect("a name");
    KeyRecord::new(id(number), at(100), at(10_000)).with_name(name)
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

pub fn wait<F: Future>(future: F) -> F::Output {
    pollster::block_on(future)
}
