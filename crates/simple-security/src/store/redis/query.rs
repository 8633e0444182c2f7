//! What must be quick: lookups, and polls of the log of changes.

use redis::RedisError;

use super::rows::Row;
use super::scripts::{FIND, READING, STORE};
use super::server::{LOOKUP, Server};
use crate::key::KeyDigest;
use crate::record::{KeyRecord, KeyReference};
use crate::store::{ChangeBatch, Changed, LogPosition, StoreError};

pub(super) async fn find(
    server: &Server,
    key: KeyReference,
) -> Result<Option<KeyRecord>, StoreError> {
    let mut script = FIND.key(STORE);
    script.arg(&server.id);
    match &key {
        KeyReference::Id(id) => script.arg(id.as_str()).arg(""),
        KeyReference::Digest(digest) => script.arg("").arg(digest.as_bytes()),
    };
    let found: Option<Row> = server.lookups.run(LOOKUP, &script).await?;
    Ok(found.map(|Row(key)| key.record))
}

pub(super) async fn changes_since(
    server: &Server,
    after: Option<LogPosition>,
) -> Result<ChangeBatch, StoreError> {
    let mut script = READING.key(STORE);
    script.arg(&server.id);
    match after {
        Some(after) => script.arg(after.position).arg(&after.mark.to_be_bytes()),
        None => script.arg("").arg(""),
    };
    let (is_known, position, mark, digests): (bool, u64, Vec<u8>, Vec<u8>) =
        server.lookups.run(LOOKUP, &script).await?;
    let mark = mark.try_into().map(u64::from_be_bytes).map_err(|_| damaged(server))?;
    // The row that `make` writes names no key.
    let (digests, rest) = digests.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(damaged(server));
    }
    let digests = digests.iter().copied().map(KeyDigest::from_bytes).collect();
    let changed = if is_known { Changed::Keys(digests) } else { Changed::Anything };
    Ok(ChangeBatch { changed, end: LogPosition { position, mark } })
}

fn damaged(server: &Server) -> StoreError {
    let text = "the log of changes is damaged";
    server.connector.failed(RedisError::from((redis::ErrorKind::UnexpectedReturnType, text)))
}
