//! Showing keys: some hundred at a time, so that the server has time for others in between.

use std::cmp::Reverse;
use std::collections::HashMap;

use redis::{FromRedisValue, Value, from_redis_value};

use super::rows::{self, Row};
use super::scripts::{PAGE, STORE, USAGE};
use super::server::{CHUNK, Server};
use crate::key::KeyId;
use crate::page::{KeyFilter, PageRequest};
use crate::record::{KeyRecord, StoredKey, Timestamp, Usage};
use crate::store::StoreError;

/// How many keys are read at a time.
const KEYS: usize = 500;

pub(super) async fn page(
    server: &Server,
    request: &PageRequest,
    now: Timestamp,
) -> Result<Vec<StoredKey>, StoreError> {
    let limit = request.limit as usize;
    let mut place = request.after.map(rows::place).unwrap_or_default();
    // Where all pass, no more are read than are shown.
    let all_pass = request.filter == KeyFilter::default();
    let mut found = Vec::new();
    while found.len() < limit {
        let count = if all_pass { (limit - found.len()).min(KEYS) } else { KEYS };
        let (next, keys) = chunk(server, &place, count).await?;
        found.extend(keys.into_iter().filter(|key| request.asks_for(&key.record, now)));
        match next {
            Some(next) => place = next,
            None => break,
        }
    }
    found.truncate(limit);
    Ok(found)
}

pub(super) async fn list(server: &Server) -> Result<Vec<(KeyRecord, Usage)>, StoreError> {
    // By id: a key that is deleted and comes back meanwhile may be met twice.
    let mut found = HashMap::new();
    let mut place = String::new();
    loop {
        let (next, keys) = chunk(server, &place, KEYS).await?;
        found.extend(keys.into_iter().map(|key| (key.record.id, (key.record, key.usage))));
        match next {
            Some(next) => place = next,
            None => break,
        }
    }
    let mut found: Vec<_> = found.into_values().collect();
    found
        .sort_by_key(|(record, usage)| (Reverse(usage.last_used_at), record.created_at, record.id));
    Ok(found)
}

pub(super) async fn usage(server: &Server, id: KeyId) -> Result<Option<Usage>, StoreError> {
    let mut script = USAGE.key(STORE);
    script.arg(&server.id).arg(id.as_str());
    let found: Option<(Option<i64>, Option<i64>)> = server.others.run(CHUNK, &script).await?;
    Ok(found.map(|(total, last)| rows::usage(total, last)))
}

/// The next keys after a place, at most so many; and the place of the last of them, unless there
/// are no more.
async fn chunk(
    server: &Server,
    place: &str,
    count: usize,
) -> Result<(Option<String>, Vec<StoredKey>), StoreError> {
    let mut script = PAGE.key(STORE);
    script.arg(&server.id).arg(place).arg(count);
    let mut answer: Vec<Value> = server.others.run(CHUNK, &script).await?;
    let failed = |error: redis::ParsingError| server.connector.failed(error.into());
    let keys = answer.split_off(answer.len().min(1));
    let next = answer.pop().map(Option::<String>::from_redis_value).transpose().map_err(failed)?;
    let keys = keys.into_iter().map(|key| from_redis_value(key).map(|Row(key)| key));
    Ok((next.flatten(), keys.collect::<Result<_, _>>().map_err(failed)?))
}
