//! The writing: what is missing is added, what differs is changed.

use simple_security::clock::{Clock as _, SystemClock};
use simple_security::store::{Existing, KeyStore, Operation, StoreError, UsageBatch};
use simple_security::{Actor, Cursor, KeyId, KeyReference, StoredKey, Timestamp};

use super::difference::{change, uses};
use super::walk::{Met, Walk};
use crate::failure::Failure;
use crate::opening::wait;

/// How many changes are committed together: few enough for a distant server, and for revocations of others,
/// which wait for the end of a commit.
const CHANGES: usize = 50;

/// See the module.
pub(super) struct Copying {
    walk: Walk,
    done: Done,
}

/// What became of the keys of the first store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) seen: u64,
    pub(super) added: u64,
    /// Their copies were there, and are as they are only now.
    pub(super) changed: u64,
}

/// What is written for one page.
#[derive(Default)]
struct Batch {
    new: Vec<StoredKey>,
    changes: Vec<Operation>,
    counts: Vec<(KeyId, u64, Timestamp)>,
}

impl Copying {
    pub(super) fn new(walk: Walk) -> Self {
        Self { walk, done: Done::default() }
    }

    pub(super) fn done(&self) -> Done {
        self.done
    }

    /// Copies a page more; `false`: there was none. No key of it is added where one cannot be.
    pub(super) fn step(&mut self) -> Result<bool, Failure> {
        let mut batch = Batch::default();
        let mut met = 0;
        while met < self.walk.page() {
            let Some(next) = self.walk.next()? else { break };
            met += 1;
            match next {
                Met::From(key) => {
                    self.done.seen += 1;
                    self.done.added += 1;
                    batch.new.push(key);
                }
                Met::Both(from, to) => {
                    self.done.seen += 1;
                    self.done.changed += u64::from(batch.bring(&from, &to, self)?);
                }
                // It may be in the wrong place. That is for the verification to say.
                Met::To(_) => {}
            }
        }
        self.write(batch)?;
        Ok(met > 0)
    }

    /// Revocations go first.
    fn write(&self, batch: Batch) -> Result<(), Failure> {
        let to = &*self.walk.to().store;
        for changes in batch.changes.chunks(CHANGES) {
            match wait(to.commit(changes.to_vec(), &Actor::CommandLine)) {
                Err(StoreError::NotFound { position }) => {
                    let gone = usize::try_from(position).ok().and_then(|at| changes.get(at));
                    return Err(gone.map_or_else(
                        || failed(StoreError::NotFound { position }),
                        |operation| self.changed_meanwhile(operation.id()),
                    ));
                }
                committed => drop(committed.map_err(failed)?),
            }
        }
        if !batch.new.is_empty() {
            let keys = Box::new(batch.new.clone().into_iter().map(Ok));
            match wait(to.insert_all(keys, Existing::Refuse, &Actor::CommandLine)) {
                Err(StoreError::Duplicate { position }) => {
                    let taken = usize::try_from(position).ok().and_then(|at| batch.new.get(at));
                    return Err(match taken {
                        Some(key) => self.conflict(to, key)?,
                        None => failed(StoreError::Duplicate { position }),
                    });
                }
                inserted => drop(inserted.map_err(failed)?),
            }
        }
        if !batch.counts.is_empty() {
            // The difference to what is there now: whoever is cut off here and begins again finds
            // another one. So each count is added once, and no number of a batch need be kept.
            let batch = UsageBatch::single(SystemClock.now(), batch.counts).map_err(|_| {
                Failure::Refused("the operating system gives no random bytes".to_owned())
            })?;
            wait(to.add_usage(&batch)).map_err(failed)?;
        }
        Ok(())
    }

    /// Why a key that is missing cannot be added.
    fn conflict(&self, to: &dyn KeyStore, key: &StoredKey) -> Result<Failure, Failure> {
        let id = key.record.id;
        let by_digest = wait(to.find(KeyReference::Digest(key.digest))).map_err(failed)?;
        let by_id = wait(to.find(KeyReference::Id(id))).map_err(failed)?;
        Ok(match (by_digest, by_id) {
            (Some(there), _) if there.id != id => {
                self.refuse(id, &format!("it is there with the id {}", there.id))
            }
            (Some(there), _) if Cursor::of(&there) != Cursor::of(&key.record) => {
                self.refuse(id, "it is there with another date of creation")
            }
            (None, Some(_)) => self.refuse(id, ANOTHER_KEY),
            _ => self.changed_meanwhile(id),
        })
    }

    fn refuse(&self, id: KeyId, why: &str) -> Failure {
        Failure::Refused(format!(
            "{id} cannot be copied to {}: {why}. Delete one of the two and run the command again; it has stopped there",
            self.walk.to().name
        ))
    }

    fn changed_meanwhile(&self, id: KeyId) -> Failure {
        Failure::Refused(format!(
            "{} changed during the copy ({id}); stop all that use it and run the command again",
            self.walk.to().name
        ))
    }
}

const ANOTHER_KEY: &str = "another key has this id there";

impl Batch {
    /// Notes what brings the copy of a key up to date; `false` where it is.
    fn bring(
        &mut self,
        from: &StoredKey,
        to: &StoredKey,
        copying: &Copying,
    ) -> Result<bool, Failure> {
        let id = from.record.id;
        if from.digest != to.digest {
            return Err(copying.refuse(id, ANOTHER_KEY));
        }
        let change = change(&from.record, &to.record);
        let uses = uses(from.usage, to.usage);
        let any = change.is_some() || uses.is_some();
        self.changes.extend(change.map(|change| Operation::change(id, change)));
        self.counts.extend(uses.map(|(more, last)| (id, more, last)));
        Ok(any)
    }
}

fn failed(error: StoreError) -> Failure {
    Failure::Refused(format!("TO: {error}"))
}
