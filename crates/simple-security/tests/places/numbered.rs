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
    KeyRecord {
        id: id(number),
        name: KeyName::new("a key").expect("a name"),
        created_at: at(100),
        expires_at: at(10_000),
        never_expires: false,
        revoked_at: None,
    }
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

pub fn wait<F: Future>(future: F) -> F::Output {
    pollster::block_on(future)
}
