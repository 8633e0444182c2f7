//! Adding many keys: all of them, or none.
//!
//! They are looked at in chunks, and then written by one transaction, which the server does only if
//! nothing has changed since the first look. It holds nothing of it before the last word is there.

use std::collections::HashSet;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, Pipeline, ServerErrorKind, Value};

use super::commit::insertion;
use super::rows;
use super::scripts::{INSERT, STORE, TAKEN};
use super::server::{CHUNK, Server};
use crate::record::StoredKey;
use crate::store::{Existing, Inserted, KeySource, StoreError, network};

/// How many keys are looked at, or written, by one script.
const KEYS: usize = 500;
/// How often other changes may come in between.
const ATTEMPTS: u32 = 100;

pub(super) async fn insert_all(
    server: &Server,
    keys: KeySource,
    existing: Existing,
) -> Result<Inserted, StoreError> {
    let collected = tokio::task::spawn_blocking(move || collect(keys)).await;
    let (keys, mut failure) = collected.map_err(|error| StoreError::Failed {
        reason: "the thread that collects the keys has stopped".to_owned(),
        source: Some(error.into()),
    })?;
    // Of its own: what is watched, and what is in a transaction, belongs to a connection.
    let connecting = server.connector.connect();
    let mut connection = network::within(CHUNK, &server.connector.place, connecting).await?;
    let mut line = Transaction { server, commands: &mut connection.commands };
    for _ in 0..ATTEMPTS {
        line.say(redis::pipe().cmd("WATCH").arg(STORE)).await?;
        let taken = line.taken(&keys).await?;
        let new = choose(&keys, &taken, existing)?;
        if let Some(failure) = failure.take() {
            return Err(failure);
        }
        if new.is_empty() || line.write(&new).await? {
            let added = new.len() as u64;
            return Ok(Inserted { added, skipped: keys.len() as u64 - added });
        }
    }
    Err(StoreError::Failed {
        reason: format!(
            "other changes came in between {ATTEMPTS} times, and no key was added; ask again"
        ),
        source: None,
    })
}

/// The keys up to the first error.
fn collect(source: KeySource) -> (Vec<StoredKey>, Option<StoreError>) {
    let mut keys = Vec::new();
    for key in source {
        match key {
            Ok(key) => keys.push(key),
            Err(error) => return (keys, Some(error)),
        }
    }
    (keys, None)
}

/// Those that are to be added, where each sees the ones before it.
fn choose<'a>(
    keys: &'a [StoredKey],
    taken: &[bool],
    existing: Existing,
) -> Result<Vec<&'a StoredKey>, StoreError> {
    let (mut ids, mut digests, mut new) = (HashSet::new(), HashSet::new(), Vec::new());
    for (position, (key, taken)) in (0..).zip(keys.iter().zip(taken)) {
        if *taken || ids.contains(&key.record.id) || digests.contains(&key.digest) {
            match existing {
                Existing::Refuse => return Err(StoreError::Duplicate { position }),
                Existing::Skip => continue,
            }
        }
        ids.insert(key.record.id);
        digests.insert(key.digest);
        new.push(key);
    }
    Ok(new)
}

struct Transaction<'a> {
    server: &'a Server,
    commands: &'a mut MultiplexedConnection,
}

impl Transaction<'_> {
    async fn say(&mut self, commands: &Pipeline) -> Result<(), StoreError> {
        let connector = &self.server.connector;
        let said = async {
            commands.exec_async(self.commands).await.map_err(|error| connector.failed(error))
        };
        network::within(CHUNK, &connector.place, said).await
    }

    /// Of each key, whether its id or its digest is there.
    async fn taken(&mut self, keys: &[StoredKey]) -> Result<Vec<bool>, StoreError> {
        let mut taken = Vec::with_capacity(keys.len());
        let place = &self.server.connector.place;
        // Also for no keys: the store must be there.
        let nothing = keys.is_empty().then_some(&[][..]);
        for chunk in keys.chunks(KEYS).chain(nothing) {
            let mut script = TAKEN.key(STORE);
            script.arg(&self.server.id);
            for StoredKey { digest, record, .. } in chunk {
                script.arg(record.id.as_str()).arg(digest.as_bytes());
            }
            let asked = async {
                let asked = script.invoke_async::<String>(self.commands).await;
                asked.map_err(|error| self.server.connector.failed(error))
            };
            let answer = network::within(CHUNK, place, asked).await?;
            taken.extend(answer.bytes().map(|byte| byte == b'1'));
        }
        Ok(taken)
    }

    /// `false` when something has changed meanwhile: nothing is written then.
    async fn write(&mut self, keys: &[&StoredKey]) -> Result<bool, StoreError> {
        let mark = rows::mark()?;
        self.say(redis::pipe().load_script(&INSERT).cmd("MULTI")).await?;
        for chunk in keys.chunks(KEYS) {
            let mut script = insertion(self.server, &mark, chunk.iter().copied());
            // Never too late: it is done only where nothing has changed since the first look.
            script.arg("");
            self.say(redis::pipe().invoke_script(&script)).await?;
        }
        let executing = async {
            match redis::cmd("EXEC").query_async::<Value>(self.commands).await {
                Ok(Value::Nil) => Ok(false),
                Ok(_) => Ok(true),
                // The scripts were thrown away meanwhile (SCRIPT FLUSH): none was run.
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    Ok(false)
                }
                Err(error) => Err(self.server.connector.failed(error)),
            }
        };
        network::within(CHUNK, &self.server.connector.place, executing).await
    }
}
