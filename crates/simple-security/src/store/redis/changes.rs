//! Changes of single keys.

use redis::ScriptInvocation;

use super::rows::{self, Field, Row};
use super::scripts::{CHANGE as CHANGE_SCRIPT, DELETE, INSERT, STORE};
use super::{CHANGE, Inner};
use crate::key::{KeyDigest, KeyId};
use crate::record::{KeyChange, KeyRecord, Revocation, StoredKey};
use crate::store::StoreError;

pub(super) async fn insert(inner: &Inner, key: StoredKey) -> Result<(), StoreError> {
    let script = insertion(inner, &rows::mark()?, [&key]);
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
    for key in keys {
        let fields = rows::encode(key);
        script
            .arg(key.record.id.as_str())
            .arg(key.digest.as_bytes())
            .arg(rows::created(key.record.created_at))
            .arg(rows::count(key.usage.total))
            .arg(rows::date(key.usage.last_used_at));
        arguments(&mut script, fields);
    }
    script
}

pub(super) async fn change(
    inner: &Inner,
    id: KeyId,
    change: &KeyChange,
) -> Result<Option<(KeyDigest, KeyRecord)>, StoreError> {
    let mut script = CHANGE_SCRIPT.key(STORE);
    script.arg(&inner.id).arg(id.as_str()).arg(&rows::mark()?);
    match change.revocation {
        Revocation::Keep => script.arg("keep"),
        Revocation::Set(at) => script.arg(at.seconds()),
        Revocation::Clear => script.arg("clear"),
    };
    arguments(&mut script, rows::encode_edit(&change.edit));
    let before: Option<Row> = inner.others.change(CHANGE, script).await?;
    Ok(before.map(|Row(key)| (key.digest, key.record)))
}

pub(super) async fn delete(inner: &Inner, id: KeyId) -> Result<Option<KeyDigest>, StoreError> {
    let mut script = DELETE.key(STORE);
    script.arg(&inner.id).arg(id.as_str()).arg(&rows::mark()?);
    let before: Option<Row> = inner.others.change(CHANGE, script).await?;
    Ok(before.map(|Row(key)| key.digest))
}

/// Adds the number of fields, and then each with its value.
fn arguments(script: &mut ScriptInvocation<'_>, fields: Vec<Field>) {
    script.arg(fields.len());
    for (name, value) in fields {
        script.arg(name).arg(value);
    }
}
