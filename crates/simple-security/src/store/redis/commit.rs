//! Changes of keys: several operations in one script.

use redis::{ScriptInvocation, Value, from_redis_value};

use super::rows::{self, Field, Row};
use super::scripts::{COMMIT, COMMIT_NEW, INSERT, STORE};
use super::server::{CHANGE, Server};
use crate::record::{Revocation, StoredKey};
use crate::store::{KeyImage, Operation, Outcome, StoreError};

/// Makes all operations, or none.
pub(super) async fn commit(
    server: &Server,
    operations: Vec<Operation>,
) -> Result<Vec<Outcome>, StoreError> {
    Operation::require_distinct(&operations)?;
    // Where memory is short, a server revokes and adds nothing.
    let adds = operations.iter().any(|operation| matches!(operation, Operation::Insert(_)));
    let mut script = if adds { COMMIT_NEW.key(STORE) } else { COMMIT.key(STORE) };
    script.arg(&server.id).arg(&rows::mark()?);
    for operation in &operations {
        match operation {
            Operation::Insert(KeyImage { digest, record }) => {
                script.arg("insert");
                add_key(&mut script, &StoredKey::new(*digest, record.clone()));
            }
            Operation::Change { id, change } => {
                script.arg("change").arg(id.as_str());
                match change.revocation {
                    Revocation::Keep => script.arg("keep"),
                    Revocation::Set(at) => script.arg(at.seconds()),
                    Revocation::Clear => script.arg("clear"),
                };
                add_fields(&mut script, rows::encode_edit(&change.edit));
            }
            Operation::Delete { id } => {
                script.arg("delete").arg(id.as_str());
            }
        }
    }
    let failed = |error: redis::ParsingError| server.connector.failed(error.into());
    let images: Vec<Option<Row>> = match server.others.change(CHANGE, script).await? {
        Value::Int(number) => return Err(impossible(&operations, number)),
        images => from_redis_value(images).map_err(failed)?,
    };
    let mut images = images.into_iter().map(|row| row.map(|Row(key)| image(key)));
    let outcome = |_| Outcome::new(images.next().flatten(), images.next().flatten());
    Ok(operations.iter().map(outcome).collect())
}

/// The script that adds keys. The time is still to be added until which it may.
pub(super) fn insertion<'a>(
    server: &Server,
    mark: &[u8; 8],
    keys: impl IntoIterator<Item = &'a StoredKey>,
) -> ScriptInvocation<'static> {
    let mut script = INSERT.key(STORE);
    script.arg(&server.id).arg(mark);
    for key in keys {
        add_key(&mut script, key);
    }
    script
}

/// Why the operation of this number, counted from 1, could not be made.
fn impossible(operations: &[Operation], number: i64) -> StoreError {
    let position = u64::try_from(number - 1).unwrap_or(0);
    match usize::try_from(position).ok().and_then(|position| operations.get(position)) {
        Some(Operation::Insert(_)) => StoreError::Duplicate { position },
        _ => StoreError::NotFound { position },
    }
}

fn image(key: StoredKey) -> KeyImage {
    KeyImage::new(key.digest, key.record)
}

fn add_key(script: &mut ScriptInvocation<'_>, key: &StoredKey) {
    script
        .arg(key.record.id.as_str())
        .arg(key.digest.as_bytes())
        .arg(rows::created(key.record.created_at))
        .arg(rows::count(key.usage.total))
        .arg(rows::date(key.usage.last_used_at));
    add_fields(script, rows::encode(key));
}

/// Adds the number of fields, and then each with its value.
fn add_fields(script: &mut ScriptInvocation<'_>, fields: Vec<Field>) {
    script.arg(fields.len());
    for (name, value) in fields {
        script.arg(name).arg(value);
    }
}
