//! The verbs that change keys: issue, import, revoke, renew, edit, delete.
//!
//! Each returns when no process can use an answer from before the change, or says when that is.

use std::time::Duration;

use super::{ApiKeys, KeyError};
use crate::clock::Uptime;
use crate::key::{self, KeyDigest, KeyId, PlainKey};
use crate::record::{Expiry, KeyChange, KeyEdit, KeyRecord, Moment, NewKey, Renewal};
use crate::store::StoreError;

/// A key that was just made. The plain key is nowhere else.
#[derive(Debug)]
pub struct IssuedKey {
    /// The key, to be handed out once.
    pub key: PlainKey,
    /// What is kept of it.
    pub record: KeyRecord,
}

/// A key that was just renewed.
#[derive(Debug)]
pub struct RenewedKey {
    /// What is known of it now.
    pub record: KeyRecord,
    /// It was revoked before, and is not any more.
    pub was_revoked: bool,
}

/// A change that is committed, and perhaps not yet known everywhere.
#[derive(Debug)]
#[must_use = "it says from when on all processes know"]
pub struct Committed<T> {
    /// What was done.
    pub outcome: T,
    /// No request that begins after it is decided by what was before.
    pub effective_by: Moment,
    /// The same on the clock of this machine that nobody sets.
    settled: Uptime,
}

impl<T> Committed<T> {
    /// The same change, with something else to say of it.
    pub fn map<U>(self, say: impl FnOnce(T) -> U) -> Committed<U> {
        let Self { outcome, effective_by, settled } = self;
        Committed { outcome: say(outcome), effective_by, settled }
    }
}

/// A bound that is over so soon is waited for always, so that callers need not think of it.
const SHORT: Duration = Duration::from_millis(50);

/// What [`Committed::effective_by`] is rounded up by, at most: to whole milliseconds, twice.
const ROUNDED: Duration = Duration::from_millis(2);

/// The verbs that change keys, for one who does not want to wait until all processes know, as long
/// as that takes longer than 50 ms.
pub struct Changes<'a>(&'a ApiKeys);

impl ApiKeys {
    /// The same verbs, which return as soon as the change is committed.
    pub fn without_waiting(&self) -> Changes<'_> {
        Changes(self)
    }

    /// Makes a key. When it returns, every process accepts the key.
    ///
    /// # Errors
    /// Those of [`Changes::issue`].
    pub async fn issue(&self, new: NewKey) -> Result<IssuedKey, KeyError> {
        Ok(self.settle(self.without_waiting().issue(new).await?).await)
    }

    /// Takes in a key of the caller's own. When it returns, every process accepts the key.
    ///
    /// # Errors
    /// Those of [`Changes::import`].
    pub async fn import(&self, key: &str, new: NewKey) -> Result<KeyRecord, KeyError> {
        Ok(self.settle(self.without_waiting().import(key, new).await?).await)
    }

    /// Revokes a key. When it returns, no request that begins is accepted by any process.
    ///
    /// # Errors
    /// Those of [`Changes::revoke`].
    pub async fn revoke(&self, id: KeyId) -> Result<KeyRecord, KeyError> {
        Ok(self.settle(self.without_waiting().revoke(id).await?).await)
    }

    /// Renews a key. When it returns, every process knows.
    ///
    /// # Errors
    /// Those of [`Changes::renew`].
    pub async fn renew(&self, id: KeyId, renewal: Renewal) -> Result<RenewedKey, KeyError> {
        let renewed = self.without_waiting().renew(id, renewal).await?;
        Ok(self.settle(renewed).await)
    }

    /// Changes what is known of a key. When it returns, every process knows.
    ///
    /// # Errors
    /// Those of [`Changes::edit`].
    pub async fn edit(&self, id: KeyId, edit: KeyEdit) -> Result<KeyRecord, KeyError> {
        Ok(self.settle(self.without_waiting().edit(id, edit).await?).await)
    }

    /// Removes a key and its usage, for ever. When it returns, no request that begins is accepted
    /// by any process.
    ///
    /// # Errors
    /// Those of [`Changes::delete`].
    pub async fn delete(&self, id: KeyId) -> Result<(), KeyError> {
        let deleted = self.without_waiting().delete(id).await?;
        self.settle(deleted).await;
        Ok(())
    }

    /// Waits until all processes know of a change.
    pub async fn settle<T>(&self, committed: Committed<T>) -> T {
        let left = self.time_left(&committed);
        if !left.is_zero() {
            self.verifier.clock.sleep(left).await;
        }
        committed.outcome
    }

    /// How long it takes until all processes know of a change, for one who waits by other means
    /// than [`ApiKeys::settle`]. Zero: they know.
    pub fn time_left<T>(&self, committed: &Committed<T>) -> Duration {
        let now = self.verifier.clock.uptime().nanoseconds();
        Duration::from_nanos(committed.settled.nanoseconds().saturating_sub(now))
    }

    /// What was just committed: when all know of it. Where that is soon, it waits.
    pub(super) async fn committed<T>(&self, outcome: T) -> Committed<T> {
        let clock = &*self.verifier.clock;
        let bound = self.bound();
        let committed = Committed {
            outcome,
            effective_by: clock.moment().plus(bound),
            // Who waits shall find that `effective_by` has passed, as it is written.
            settled: Uptime::from_nanoseconds(
                clock.uptime().nanoseconds() + (bound + ROUNDED).as_nanos() as u64,
            ),
        };
        if bound > SHORT {
            return committed;
        }
        let Committed { effective_by, settled, .. } = committed;
        let outcome = self.settle(committed).await;
        Committed { outcome, effective_by, settled }
    }

    /// How long after a commit a process can use an answer from before it: the lease and what is
    /// tolerated while the store is down, a thousandth more for clocks that do not run alike, and a
    /// millisecond for the time between reading the clock and reading the log.
    fn bound(&self) -> Duration {
        let used = self.store.lease() + self.store.stale_if_error();
        used + used / 1000 + Duration::from_millis(1)
    }
}

impl Changes<'_> {
    /// Makes a key.
    ///
    /// # Errors
    /// [`KeyError::Store`]: nobody has the plain key then, so a record that was stored all the
    /// same lets nobody in.
    pub async fn issue(&self, new: NewKey) -> Result<Committed<IssuedKey>, KeyError> {
        let (key, id) = self.0.verifier.format.generate()?;
        let record = self.new_record(id, new);
        self.insert(KeyDigest::of(key.expose().as_bytes()), &record).await?;
        Ok(self.0.committed(IssuedKey { key, record }).await)
    }

    /// Takes in a key of the caller's own: 32 to 255 visible ASCII characters that do not start
    /// with the prefix of our keys. By the caller's word it is random: a guessable one can be
    /// found from a stolen database.
    ///
    /// # Errors
    /// [`KeyError::InvalidImport`] says what is wrong with the text; [`KeyError::Exists`] where
    /// it is a key already, which then stays as it was; or the store's.
    pub async fn import(&self, key: &str, new: NewKey) -> Result<Committed<KeyRecord>, KeyError> {
        let digest = self.0.verifier.format.import(key)?;
        let record = self.new_record(key::generate_id()?, new);
        match self.insert(digest, &record).await {
            Err(StoreError::Duplicate) => Err(KeyError::Exists),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(self.0.committed(record).await),
        }
    }

    /// Revokes a key. One that is revoked already stays so.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn revoke(&self, id: KeyId) -> Result<Committed<KeyRecord>, KeyError> {
        let (_, after) = self.change(id, KeyChange::revoke(self.0.now())).await?;
        Ok(self.0.committed(after).await)
    }

    /// Gives a key a new expiry, and takes its revocation back.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn renew(
        &self,
        id: KeyId,
        renewal: Renewal,
    ) -> Result<Committed<RenewedKey>, KeyError> {
        let by_default = || self.0.now().plus_days(self.0.automatic_expiration);
        let change = match renewal {
            Renewal::DefaultLifetime => KeyChange::renew(by_default(), None),
            Renewal::Until(Expiry::Never) => KeyChange::renew(by_default(), Some(true)),
            Renewal::Until(Expiry::At(date)) => KeyChange::renew(date, Some(false)),
            Renewal::Date(date) => KeyChange::renew(date, None),
        };
        let (before, record) = self.change(id, change).await?;
        let renewed = RenewedKey { record, was_revoked: before.revoked_at.is_some() };
        Ok(self.0.committed(renewed).await)
    }

    /// Changes what is known of a key: its name, its expiry. A revoked one stays revoked.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn edit(&self, id: KeyId, edit: KeyEdit) -> Result<Committed<KeyRecord>, KeyError> {
        let (_, after) = self.change(id, edit.into()).await?;
        Ok(self.0.committed(after).await)
    }

    /// Removes a key and its usage, for ever. To keep them, revoke it.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn delete(&self, id: KeyId) -> Result<Committed<()>, KeyError> {
        let digest = self.0.store.delete(id).await?.ok_or(KeyError::NotFound)?;
        self.0.verifier.cache.forget(&digest);
        Ok(self.0.committed(()).await)
    }

    fn new_record(&self, id: KeyId, new: NewKey) -> KeyRecord {
        let now = self.0.now();
        let by_default = now.plus_days(self.0.automatic_expiration);
        let NewKey { name, expiry } = new;
        KeyRecord {
            name,
            never_expires: expiry == Some(Expiry::Never),
            ..KeyRecord::new(id, now, expiry.and_then(Expiry::date).unwrap_or(by_default))
        }
    }

    /// Inserts a key, and forgets the cached answer that there is no such key.
    async fn insert(&self, digest: KeyDigest, record: &KeyRecord) -> Result<(), StoreError> {
        self.0.store.insert(digest, record).await?;
        self.0.verifier.cache.forget(&digest);
        Ok(())
    }

    /// Changes a key, and forgets what is cached of it. Returns the record before and after.
    async fn change(
        &self,
        id: KeyId,
        change: KeyChange,
    ) -> Result<(KeyRecord, KeyRecord), KeyError> {
        let changed = self.0.store.change(id, change.clone()).await?;
        let (digest, before) = changed.ok_or(KeyError::NotFound)?;
        self.0.verifier.cache.forget(&digest);
        let mut after = before.clone();
        change.apply(&mut after);
        Ok((before, after))
    }
}
