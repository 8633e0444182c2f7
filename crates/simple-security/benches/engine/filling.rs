//! A store with many keys.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use simple_security::store::SqliteStore;
use simple_security::{ApiKeys, ApiKeysBuilder, KeyDigest, KeyFormat, KeyId, PlainKey};

/// A key whose text is known, for it is asked for.
pub struct Known {
    pub key: PlainKey,
    pub id: KeyId,
}

impl Known {
    fn new() -> Self {
        let (key, id) = KeyFormat::default().generate().expect("random bytes");
        Self { key, id }
    }

    pub fn text(&self) -> &[u8] {
        self.key.expose().as_bytes()
    }
}

/// Makes a store with so many keys, and gives back some of them, from all over it.
///
/// The keys are written past the store and its change log: ten million in minutes.
pub fn fill(path: &Path, keys: usize, sample: usize) -> Vec<Known> {
    drop(SqliteStore::open(path).expect("a new store"));
    let mut database = Connection::open(path).expect("the store");
    database
        .execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4000000;",
        )
        .expect("settings");
    let trigger: String = database
        .query_row("SELECT sql FROM sqlite_schema WHERE name = 'api_keys_insert'", [], |row| {
            row.get(0)
        })
        .expect("the trigger");
    let transaction = database.transaction().expect("a transaction");
    transaction.execute_batch("DROP TRIGGER api_keys_insert").expect("no trigger");
    let mut known = Vec::with_capacity(sample);
    {
        let mut insert = transaction
            .prepare(
                "INSERT INTO api_keys (id, digest, name, created_at, expires_at, never_expires)
                 VALUES (?1, ?2, ?3, ?4, 4102444800, 0)",
            )
            .expect("a statement");
        let every = keys / sample;
        let mut random = Random(1);
        for number in 0..keys {
            let name = format!("customer {number}");
            let created_at = 1_700_000_000 + number as i64 / 10;
            if number % every == 0 && known.len() < sample {
                let key = Known::new();
                let digest = KeyDigest::of(key.text());
                let id = key.id;
                known.push(key);
                insert.execute(params![id.as_str(), digest.as_bytes(), name, created_at])
            } else {
                insert.execute(params![random.id(), random.digest(), name, created_at])
            }
            .expect("a new key");
        }
    }
    transaction.execute_batch(&trigger).expect("the trigger");
    transaction.commit().expect("a commit");
    database.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).expect("a log");
    database.close().expect("an end");
    shuffle(&mut known);
    known
}

/// Keys of the right form that are in no store.
pub fn unknown(number: usize) -> Vec<Known> {
    (0..number).map(|_| Known::new()).collect()
}

/// The sum of all totals.
pub fn counted(path: &Path) -> i64 {
    let database = Connection::open(path).expect("the store");
    database
        .query_row("SELECT coalesce(sum(total), 0) FROM key_usage", [], |row| row.get(0))
        .expect("totals")
}

/// An engine that remembers so many known and unknown keys.
pub fn engine(store: &Arc<SqliteStore>, known_keys: usize, unknown_keys: usize) -> ApiKeys {
    begin(store, known_keys, unknown_keys).build().expect("an engine")
}

/// The same with another time between two flushes.
pub fn engine_that_flushes_each(
    flush_interval: Duration,
    store: &Arc<SqliteStore>,
    known_keys: usize,
    unknown_keys: usize,
) -> ApiKeys {
    let engine = begin(store, known_keys, unknown_keys).flush_interval(flush_interval);
    engine.build().expect("an engine")
}

fn begin<'a>(
    store: &Arc<SqliteStore>,
    known_keys: usize,
    unknown_keys: usize,
) -> ApiKeysBuilder<'a> {
    let store = Arc::clone(store);
    ApiKeys::builder(store).cache_capacity(known_keys, unknown_keys)
}

/// Keys are asked for in an order that is not theirs in the store.
fn shuffle(known: &mut [Known]) {
    let mut random = Random(2);
    for last in (1..known.len()).rev() {
        known.swap(last, random.next() as usize % (last + 1));
    }
}

/// SplitMix64: it need not be good, and is the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn digest(&mut self) -> [u8; 32] {
        let mut digest = [0; 32];
        for eight in digest.chunks_exact_mut(8) {
            eight.copy_from_slice(&self.next().to_le_bytes());
        }
        digest
    }

    fn id(&mut self) -> String {
        let base62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut rest = u128::from(self.next()) << 64 | u128::from(self.next());
        let mut digit = || {
            let digit = base62[(rest % 62) as usize];
            rest /= 62;
            char::from(digit)
        };
        (0..11).map(|_| digit()).collect()
    }
}
