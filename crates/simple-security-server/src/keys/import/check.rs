//! Checking all keys of a file before the first is written.
//!
//! What is checked is what is written: it goes to a file without a name, as digests, and is read back
//! from there. So the standard input needs to be read but once, and a file that is changed meanwhile
//! changes nothing.

use std::collections::HashMap;
use std::fmt;

use simple_security::clock::{Clock as _, SystemClock};
use simple_security::store::{Existing, KeySource};
use simple_security::{ApiKeys, KeyId, KeyState, StoredKey};

use super::super::wait;
use super::faults::Faults;

use super::spool::{LastLine, Spool};
use crate::failure::Failure;
use crate::progress::Progress;

/// See the module.
pub(super) struct Check<'a> {
    keys: &'a ApiKeys,
    existing: Existing,
    progress: &'a Progress,
    faults: Faults,
    /// The line of each digest and of each id: some 110 bytes of memory for each key.
    digests: HashMap<[u8; 32], u32>,
    ids: HashMap<KeyId, u32>,
    taken: u64,
    checked: Checked,
}

/// The keys of a file in which nothing is wrong.
pub(super) struct Checked {
    spool: Spool,
    active: u64,
    expired: u64,
    revoked: u64,
    skipped: u64,
}

impl<'a> Check<'a> {
    /// `unit` is what the faults call a line.
    pub(super) fn new(
        keys: &'a ApiKeys,
        unit: &'static str,
        existing: Existing,
        progress: &'a Progress,
    ) -> Result<Self, Failure> {
        let spool = Spool::new()?;
        let checked = Checked { spool, active: 0, expired: 0, revoked: 0, skipped: 0 };
        Ok(Self {
            keys,
            existing,
            progress,
            faults: Faults::new(unit),
            digests: HashMap::new(),
            ids: HashMap::new(),
            taken: 0,
            checked,
        })
    }

    /// Checks one more key, or notes what is wrong with its line.
    pub(super) fn take(
        &mut self,
        line: u64,
        key: Result<StoredKey, String>,
    ) -> Result<(), Failure> {
        self.taken += 1;
        self.progress.step("checked", self.taken);
        let key = match key {
            Ok(key) => key,
            Err(fault) => {
                self.faults.add(line, fault);
                return Ok(());
            }
        };
        if let Some(before) = self.seen_before(line, &key) {
            let unit = self.faults.unit();
            self.faults.add(line, format!("it has the key or the id of {unit} {before}"));
        } else if wait(self.keys.has(&key))? {
            match self.existing {
                Existing::Skip => self.checked.skipped += 1,
                Existing::Refuse => self.faults.add(
                    line,
                    "a key with this id or this text exists already; --skip-existing leaves it as it is"
                        .to_owned(),
                ),
            }
        } else {
            let count = match key.record.state(SystemClock.now()) {
                KeyState::Active => &mut self.checked.active,
                KeyState::Expired => &mut self.checked.expired,
                KeyState::Revoked => &mut self.checked.revoked,
            };
            *count += 1;
            self.checked.spool.push(line, &key)?;
        }
        Ok(())
    }

    /// All keys, when nothing is wrong with any of them.
    pub(super) fn finish(self) -> Result<Checked, Failure> {
        match self.faults.is_empty() {
            true => Ok(self.checked),
            false => Err(Failure::Refused(self.faults.to_string())),
        }
    }

    /// The line that has the same digest or the same id.
    fn seen_before(&mut self, line: u64, key: &StoredKey) -> Option<u32> {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let by_digest = self.digests.insert(*key.digest.as_bytes(), line);
        let by_id = self.ids.insert(key.record.id, line);
        by_digest.or(by_id)
    }
}

impl Checked {
    /// How many are left out because they exist.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The keys for a store, and which line was handed to it last.
    pub(super) fn into_keys(self, progress: Progress) -> Result<(KeySource, LastLine), Failure> {
        let (keys, line) = self.spool.read_back()?;
        let step = move |(number, key)| {
            progress.step("written", number);
            key
        };
        Ok((Box::new((1..).zip(keys).map(step)), line))
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { active, expired, revoked, skipped, .. } = self;
        let all = active + expired + revoked;
        write!(formatter, "{all} keys ({active} active, {expired} expired, {revoked} revoked), ")?;
        write!(formatter, "skip {skipped} that exist")
    }
}
