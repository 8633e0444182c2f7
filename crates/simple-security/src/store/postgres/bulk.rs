//! Adding many keys in one transaction, some at a time.

use std::collections::HashSet;
use std::sync::LazyLock;

use tokio::task::spawn_blocking;

use super::database::{Bulk, Database, LISTING};
use super::pool::Lent;
use super::query::Query;
use super::rows;
use crate::record::StoredKey;
use crate::store::network::within;
use crate::store::{Existing, Inserted, KeySource, StoreError};

/// How many keys go into one statement.
const BATCH: usize = 1_000;

/// How often it is begun when another one that changes keys takes long.
const ATTEMPTS: u32 = 3;

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let columns = rows::KEY.join(", ");
    let key = rows::parameters(1);
    let [total, last_used_at] = [1, 2].map(|after| rows::KEY.len() + after);
    format!(
        "WITH given AS MATERIALIZED (
             SELECT * FROM unnest({key}, ${total}, ${last_used_at}) WITH ORDINALITY
                 AS given ({columns}, total, last_used_at, ordinal)
         ), added AS (
             INSERT INTO simple_security.api_keys ({columns})
             SELECT {columns} FROM given ORDER BY ordinal
             ON CONFLICT DO NOTHING RETURNING id
         ), used AS (
             INSERT INTO simple_security.key_usage (id, total, last_used_at)
             SELECT given.id, given.total, given.last_used_at
             FROM given JOIN added ON added.id = given.id WHERE given.total IS NOT NULL
         )
         SELECT given.ordinal FROM given JOIN added ON added.id = given.id ORDER BY given.ordinal"
    )
});

/// Adds many keys: all, or none.
pub(super) async fn insert_all(
    database: &Database,
    keys: KeySource,
    existing: Existing,
) -> Result<Inserted, StoreError> {
    let place = database.errors().place();
    let _permit = within(LISTING, place, database.permit()).await?;
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
            return Err(StoreError::Duplicate { position: first + missing });
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
    let query = rows::encode_usage(rows::encode(Query::new(INSERT.as_str()), batch), batch);
    let failed = |error| database.errors().translate("adding keys", error);
    let added = query.ask(lent).await.map_err(failed)?;
    let position = |ordinal: i64| u64::try_from(ordinal - 1).unwrap_or(0);
    added.iter().map(|row| row.try_get("ordinal").map(position).map_err(failed)).collect()
}

/// Where this fails the connection is closed, which takes everything back too.
async fn roll_back(lent: Lent) {
    if lent.batch_execute("ROLLBACK").await.is_ok() {
        lent.give_back();
    }
}
