//! Keys by their numbers: the same number gives the same key everywhere.

use simple_security::{KeyDigest, KeyId, KeyName, KeyRecord, Timestamp};

/// Returns the id of a key.
pub fn id(number: u32) -> KeyId {
    format!("{number:011}").parse().expect("an id")
}

/// Returns the digest of a key.
pub fn digest(number: u32) -> KeyDigest {
    KeyDigest::of(format!("key {number}").as_bytes())
}

/// Returns the record of a key that was created at 100 seconds and expires at 10,000.
pub fn record(number: u32) -> KeyRecord {
    let name = KeyName::new("a key").expect("a name");
    KeyRecord::new(id(number), at(100), at(10_000)).with_name(name)
}

/// Returns a time in seconds since 1970.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}
