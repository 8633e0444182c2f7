//! Changes of single keys.

use redis::ScriptInvocation;

use super::scripts::{CHANGE as CHANGE_SCRIPT, DELETE, INSERT, STORE};
use super::values::{self, Record};
use super::{CHANGE, Inner};
use crate::key::KeyDigest;
use crate::record::{KeyEdit, KeyId, KeyRecord, StoredKey};
use crate::store::{KeyChange, StoreError};

pub(super) async fn insert(inner: &Inner, key: StoredKey) -> Result<(), StoreError> {
    let script = insertion(inner, &values::mark()?, [&key]);
    let taken: u64 = inner.others.change(CHANGE, script).await?;
    if taken == 0 { Ok(()) } else { Err(StoreError::Duplicate) }
}

/// The script that adds keys. The time is still to be added until which it may.
pub(super) fn insertion<'a>(
    inner: &Inner,
    mark: &[u8; 8],
    keys: impl IntoIterator<Item = &'a StoredKey>,
) -> ScriptInvocation<'static> {
    let mut script = INSERT.key(STORE);
    script.arg(&inner.id).arg(mark);
    for StoredKey { digest, record, usage } in keys {
        script
            .arg(record.id.as_str())
            .arg(digest.as_bytes())
            .arg(record.name.as_str())
            .arg(values::created(record.created_at))
            .arg(record.expires_at.seconds())
            .arg(values::flag(record.never_expires))
            .arg(values::date(record.revoked_at))
            .arg(values::count(usage.total))
            .arg(values::date(usage.last_used_at));
    }
    script
}

pub(super) async fn change(
    inner: &Inner,
    id: KeyId,
    change: KeyChange,
) -> Result<Option<(KeyDigest, KeyRecord)>, StoreError> {
    let mut script = CHANGE_SCRIPT.key(STORE);
    script.arg(&inner.id).arg(id.as_str()).arg(&values::mark()?);
    match change {
        KeyChange::Revoke { at } => {
            script.arg(at.seconds());
        }
        KeyChange::Renew { expires_at, never_expires } => {
            script.arg("clear").arg("expires").arg(expires_at.seconds());
            if let Some(never_expires) = never_expires {
                script.arg("never").arg(values::flag(never_expires));
            }
        }
        KeyChange::Edit(KeyEdit { name, expires_at, never_expires }) => {
            script.arg("keep");
            if let Some(name) = name {
                script.arg("name").arg(name.as_str());
            }
            if let Some(expires_at) = expires_at {
                script.arg("expires").arg(expires_at.seconds());
            }
            if let Some(never_expires) = never_expires {
                script.arg("never").arg(values::flag(never_expires));
            }
        }
    }
    let before: Option<Record> = inner.others.change(CHANGE, script).await?;
    Ok(before.map(|Record { digest, record }| (digest, record)))
}

pub(super) async fn delete(inner: &Inner, id: KeyId) -> Result<Option<KeyDigest>, StoreError> {
    let mut script = DELETE.key(STORE);
    script.arg(&inner.id).arg(id.as_str()).arg(&values::mark()?);
    let before: Option<Record> = inner.others.change(CHANGE, script).await?;
    Ok(before.map(|before| before.digest))
}
