//! What many keys at once leave behind.

use simple_security::store::{Existing, KeyRecords, SqliteStore};
use simple_security::{Actor, KeyDigest, KeyName, KeyRecord, StoredKey, Timestamp};
use test_support::commits;

use super::{Folder, by_hand, wait};

/// No multiple of how many changes are kept.
const KEYS: u32 = 125_000;

pub fn key(number: u32) -> StoredKey {
    let id = format!("{number:011}").parse().expect("an id");
    let name = KeyName::new("one of many").expect("a name");
    let record = KeyRecord::new(id, Timestamp::from_seconds(0), Timestamp::MAX).with_name(name);
    let mut key = StoredKey::new(KeyDigest::of(&number.to_le_bytes()), record);
    key.usage.total = 1;
    key
}

#[test]
fn neither_log_stays_long() {
    let folder = Folder::new();
    let store = SqliteStore::open(&folder.database()).expect("the store");
    // Somebody else, so that the write-ahead log is not removed.
    let other = SqliteStore::open(&folder.database()).expect("the store");
    let keys = Box::new((0..KEYS).map(|number| Ok(key(number))));
    let inserted = wait(store.insert_all(keys, Existing::Refuse, &Actor::Program)).expect("added");
    assert_eq!(inserted.added, u64::from(KEYS));
    let count = |table: &str| -> u32 {
        let query = format!("SELECT count(*) FROM {table}");
        by_hand(&folder.database()).query_row(&query, [], |row| row.get(0)).expect("a count")
    };
    assert_eq!(count("key_changes"), 10_000);
    let log = || {
        let mut path = folder.database().into_os_string();
        path.push("-wal");
        std::fs::metadata(path).expect("the log").len() >> 20
    };
    assert!(log() > 20, "{} MiB are too few to see anything", log());
    let one = key(KEYS);
    commits::insert(&other, one.digest, &one.record).expect("added");
    assert!(log() <= 17, "the write-ahead log has {} MiB", log());
    assert_eq!((count("api_keys"), count("key_usage")), (KEYS + 1, KEYS));
}
