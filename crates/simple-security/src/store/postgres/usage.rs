//! Adding counts to the totals, once.

use std::collections::BTreeMap;

use tokio_postgres::types::Type;

use super::query::Query;
use super::rows::integer;
use crate::key::KeyId;
use crate::record::Timestamp;
use crate::store::UsageBatch;

/// How long the number of a batch is remembered, in seconds: far longer than any retry.
const KEPT_BATCHES: i64 = 30 * 86_400;

/// Old numbers are removed by one batch of so many of each writer.
const PRUNE_EVERY: u64 = 100;

/// The batch is written down first: who sends it again waits here, and adds nothing. Keys are
/// locked in the order of their ids, as all do, so that none waits for another in a circle; with
/// that lock none of them can be deleted before the commit.
const ADD: &str = "
    WITH batch AS (
        INSERT INTO simple_security.usage_batches AS b (writer, number, made_at)
        VALUES ($1, $2, $3)
        ON CONFLICT (writer) DO UPDATE SET number = excluded.number, made_at = excluded.made_at
            WHERE b.number < excluded.number
        RETURNING number
    ), pruned AS (
        DELETE FROM simple_security.usage_batches WHERE writer IN (
            SELECT writer FROM simple_security.usage_batches
            WHERE made_at < $4 AND writer <> $1 ORDER BY writer FOR UPDATE SKIP LOCKED
        )
    ), present AS MATERIALIZED (
        SELECT k.id FROM simple_security.api_keys AS k
        WHERE k.id = ANY ($5) AND EXISTS (SELECT FROM batch) ORDER BY k.id FOR KEY SHARE
    )
    INSERT INTO simple_security.key_usage AS u (id, total, last_used_at)
    SELECT given.id, given.total, given.last_used_at
    FROM present JOIN unnest($5, $6, $7) AS given (id, total, last_used_at)
        ON given.id = present.id
    ORDER BY given.id
    ON CONFLICT (id) DO UPDATE SET
        -- Not beyond what an integer holds: the sum would not be one.
        total = CASE WHEN u.total > 9223372036854775807 - excluded.total
            THEN 9223372036854775807 ELSE u.total + excluded.total END,
        last_used_at = greatest(u.last_used_at, excluded.last_used_at)";

pub(super) fn add(batch: &UsageBatch) -> Query {
    let counts = by_key(&batch.counts);
    let made_at = batch.made_at.seconds();
    let prune_before = if batch.number.is_multiple_of(PRUNE_EVERY) || batch.number <= 1 {
        made_at - KEPT_BATCHES
    } else {
        i64::MIN
    };
    let ids: Vec<_> = counts.keys().map(|id| id.as_str().to_owned()).collect();
    let totals: Vec<_> = counts.values().map(|(total, _)| *total).collect();
    let last_used: Vec<_> = counts.values().map(|(_, last)| last.seconds()).collect();
    Query::new(ADD)
        .with(batch.writer.to_vec(), Type::BYTEA)
        .with(integer(batch.number), Type::INT8)
        .with(made_at, Type::INT8)
        .with(prune_before, Type::INT8)
        .with(ids, Type::TEXT_ARRAY)
        .with(totals, Type::INT8_ARRAY)
        .with(last_used, Type::INT8_ARRAY)
}

/// One row for each key, in the order of their ids: a statement touches no row twice.
fn by_key(counts: &[(KeyId, u64, Timestamp)]) -> BTreeMap<KeyId, (i64, Timestamp)> {
    let mut by_key = BTreeMap::new();
    for (id, count, last_used_at) in counts {
        let (total, last) = by_key.entry(*id).or_insert((0_i64, *last_used_at));
        *total = total.saturating_add(integer(*count));
        *last = (*last).max(*last_used_at);
    }
    by_key
}
