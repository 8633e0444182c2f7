//! Adding many keys in one transaction, some at a time.

use std::collections::HashSet;

use tokio::task::spawn_blocking;
use tokio_postgres::types::Type;

use super::super::network::within;
use super::super::{Existing, Inserted, KeySource, StoreError};
use super::counts::clamped;
use super::database::{Bulk, Database, LISTING};
use super::pool::Lent;
use super::query::Query;
use crate::record::{StoredKey, Timestamp, Usage};

/// How many keys go into one statement.
const BATCH: usize = 1_000;

/// How often it is begun when another one that changes keys takes long.
const ATTEMPTS: u32 = 3;

const INSERT: &str = "
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) WITH ORDINALITY AS given
            (id, digest, name, created_at, expires_at, never_expires, revoked_at,
             total, last_used_at, ordinal)
    ), added AS (
        INSERT INTO simple_security.api_keys
            (id, digest, name, created_at, expires_at, never_expires, revoked_at)
        SELECT id, digest, name, created_at, expires_at, never_expires, revoked_at
        FROM given ORDER BY ordinal
        ON CONFLICT DO NOTHING RETURNING id
    ), used AS (
        INSERT INTO simple_security.key_usage (id, total, last_used_at)
        SELECT given.id, given.total, given.last_used_at
        FROM given JOIN added ON added.id = given.id WHERE given.total IS NOT NULL
    )
    SELECT given.ordinal FROM given JOIN added ON added.id = given.id ORDER BY given.ordinal";

/// Adds many keys: all, or none.
pub(super) async fn insert_all(
    database: &Database,
    keys: KeySource,
    existing: Existing,
) -> Result<Inserted, StoreError> {
    let place = database.errors().place();
    let _turn = within(LISTING, place, database.turn()).await?;
    // The first keys are there before anybody has to wait for us.
    let mut source = Source { keys, next: None, failed: None };
    let mut batch;
    (source, batch) = pull(source).await?;
    let bulk = begin(database).await?;
    let mut done = Inserted::default();
    while !batch.is_empty() {
        let first = done.added + done.skipped;
        let asked = within(LISTING, place, insert(database, &bulk.lent, &batch)).await;
        let added = asked?;
        let count = batch.len() as u64;
        if existing == Existing::Refuse && (added.len() as u64) < count {
            let missing = (0..).zip(&added).find(|(expected, there)| expected != *there);
            let missing = missing.map_or(added.len() as u64, |(expected, _)| expected);
            roll_back(bulk.lent).await;
            return Err(StoreError::DuplicateAt { position: first + missing });
        }
        done.added += added.len() as u64;
        done.skipped += count - added.len() as u64;
        (source, batch) = pull(source).await?;
    }
    if let Some(error) = source.failed {
        roll_back(bulk.lent).await;
        return Err(error);
    }
    database.commit_bulk(bulk, done.added).await?;
    Ok(done)
}

/// Where the keys come from, and what was taken from there and not yet added.
struct Source {
    keys: KeySource,
    next: Option<StoredKey>,
    failed: Option<StoreError>,
}

/// The next keys: no two with one id or one digest, so that each that is missing afterwards was
/// there before. None when all were pulled, or the source has failed.
async fn pull(mut source: Source) -> Result<(Source, Vec<StoredKey>), StoreError> {
    let pulled = spawn_blocking(move || {
        let mut batch = Vec::with_capacity(BATCH);
        let (mut ids, mut digests) = (HashSet::new(), HashSet::new());
        while batch.len() < BATCH && source.failed.is_none() {
            let key = match source.next.take().map(Ok).or_else(|| source.keys.next()) {
                Some(Ok(key)) => key,
                Some(Err(error)) => {
                    source.failed = Some(error);
                    break;
                }
                None => break,
            };
            if !ids.insert(key.record.id) || !digests.insert(key.digest) {
                source.next = Some(key);
                break;
            }
            batch.push(key);
        }
        (source, batch)
    });
    pulled.await.map_err(|error| StoreError::Failed {
        reason: "the keys that were to be added could not be read".to_owned(),
        source: Some(error.into()),
    })
}

async fn begin(database: &Database) -> Result<Bulk, StoreError> {
    let mut attempt = 1;
    loop {
        match database.begin_bulk().await {
            Err(StoreError::Busy { .. }) if attempt < ATTEMPTS => attempt += 1,
            begun => return begun,
        }
    }
}

/// Adds what is not there yet, and says which of the keys that were.
async fn insert(
    database: &Database,
    lent: &Lent,
    batch: &[StoredKey],
) -> Result<Vec<u64>, StoreError> {
    let column = |value: fn(&StoredKey) -> i64| batch.iter().map(value).collect::<Vec<_>>();
    let texts = |value: fn(&StoredKey) -> &str| {
        batch.iter().map(|key| value(key).to_owned()).collect::<Vec<_>>()
    };
    let optional =
        |value: fn(&StoredKey) -> Option<i64>| batch.iter().map(value).collect::<Vec<_>>();
    let digests: Vec<_> = batch.iter().map(|key| key.digest.as_bytes().to_vec()).collect();
    let never_expires: Vec<_> = batch.iter().map(|key| key.record.never_expires).collect();
    let query = Query::new(INSERT)
        .with(texts(|key| key.record.id.as_str()), Type::TEXT_ARRAY)
        .with(digests, Type::BYTEA_ARRAY)
        .with(texts(|key| key.record.name.as_str()), Type::TEXT_ARRAY)
        .with(column(|key| key.record.created_at.seconds()), Type::INT8_ARRAY)
        .with(column(|key| key.record.expires_at.seconds()), Type::INT8_ARRAY)
        .with(never_expires, Type::BOOL_ARRAY)
        .with(optional(|key| key.record.revoked_at.map(Timestamp::seconds)), Type::INT8_ARRAY)
        // A key that was never used has no row there.
        .with(
            optional(|key| (key.usage != Usage::default()).then(|| clamped(key.usage.total))),
            Type::INT8_ARRAY,
        )
        .with(optional(|key| key.usage.last_used_at.map(Timestamp::seconds)), Type::INT8_ARRAY);
    let failed = |error| database.errors().translate("adding keys", error);
    let rows = query.ask(lent).await.map_err(failed)?;
    let position = |ordinal: i64| u64::try_from(ordinal - 1).unwrap_or(0);
    rows.iter().map(|row| row.try_get(0).map(position).map_err(failed)).collect()
}

/// Where this fails the connection is closed, which takes everything back too.
async fn roll_back(lent: Lent) {
    if lent.batch_execute("ROLLBACK").await.is_ok() {
        lent.give_back();
    }
}
