//! The verbs that change keys: issue, import, revoke, renew, edit, delete.

use super::api_keys::ApiKeys;
use super::change::Change;
use super::error::KeyError;
use crate::admin::Actor;
use crate::key::{self, KeyDigest, KeyId, PlainKey};
use crate::record::{Expiry, KeyChange, KeyEdit, KeyRecord, NewKey, Renewal};
use crate::store::{KeyImage, Operation, Outcome, StoreError};

/// A key that was just issued. The plain key is nowhere else.
#[derive(Debug)]
#[non_exhaustive]
pub struct IssuedKey {
    /// The key, to be handed out once.
    pub key: PlainKey,
    /// What is kept of it.
    pub record: KeyRecord,
}

/// A key that was just renewed.
#[derive(Debug)]
#[non_exhaustive]
pub struct RenewedKey {
    /// What is known of it now.
    pub record: KeyRecord,
    /// It was revoked before, and is not any more.
    pub was_revoked: bool,
}

impl ApiKeys {
    /// Issues a key.
    ///
    /// # Errors
    /// [`KeyError::Store`]: the plain key was never returned, so a record that was stored anyway cannot
    /// be used.
    pub fn issue(&self, new: NewKey) -> Change<'_, IssuedKey> {
        Change::new(self, async move |keys, actor| {
            let (key, id) = keys.verifier.format.generate()?;
            let record = keys.new_record(id, new);
            let digest = KeyDigest::of(key.expose().as_bytes());
            let record = keys.insert(digest, record, &actor).await?;
            Ok(IssuedKey { key, record })
        })
    }

    /// Imports a key of the caller's own: 32 to 255 visible ASCII characters that do not start with the
    /// prefix of this service. The caller asserts that it is random: a guessable one can be found from a
    /// stolen database.
    ///
    /// # Errors
    /// [`KeyError::InvalidImport`] says what is wrong with the text; [`KeyError::Exists`] where
    /// it is a key already, which then stays as it was; or the store's.
    pub fn import(&self, key: &str, new: NewKey) -> Change<'_, KeyRecord> {
        let digest = self.verifier.format.import(key);
        Change::new(self, async move |keys, actor| {
            let digest = digest?;
            let record = keys.new_record(key::generate_id()?, new);
            match keys.insert(digest, record, &actor).await {
                Err(KeyError::Store(StoreError::Duplicate { .. })) => Err(KeyError::Exists),
                inserted => inserted,
            }
        })
    }

    /// Revokes a key. One that is revoked already stays so.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub fn revoke(&self, id: KeyId) -> Change<'_, KeyRecord> {
        Change::new(self, async move |keys, actor| {
            let revoke = KeyChange::revoke(keys.now());
            Ok(keys.change(id, revoke, &actor).await?.after)
        })
    }

    /// Gives a key a new expiry, and takes its revocation back.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub fn renew(&self, id: KeyId, renewal: Renewal) -> Change<'_, RenewedKey> {
        Change::new(self, async move |keys, actor| {
            let by_default = || keys.now().plus(keys.default_lifetime);
            let change = match renewal {
                Renewal::DefaultLifetime => KeyChange::renew(by_default(), None),
                Renewal::Until(Expiry::Never) => KeyChange::renew(by_default(), Some(true)),
                Renewal::Until(Expiry::At(date)) => KeyChange::renew(date, Some(false)),
                Renewal::Date(date) => KeyChange::renew(date, None),
            };
            let Changed { before, after } = keys.change(id, change, &actor).await?;
            Ok(RenewedKey { record: after, was_revoked: before.revoked_at.is_some() })
        })
    }

    /// Changes what is known of a key: its name, its owner, its expiry. A revoked one stays revoked.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub fn edit(&self, id: KeyId, edit: KeyEdit) -> Change<'_, KeyRecord> {
        Change::new(self, async move |keys, actor| {
            Ok(keys.change(id, edit.into(), &actor).await?.after)
        })
    }

    /// Permanently removes a key and its usage. To keep them, revoke it.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub fn delete(&self, id: KeyId) -> Change<'_, ()> {
        Change::new(self, async move |keys, actor| {
            keys.commit(Operation::Delete { id }, &actor).await?;
            Ok(())
        })
    }

    fn new_record(&self, id: KeyId, new: NewKey) -> KeyRecord {
        let now = self.now();
        let by_default = now.plus(self.default_lifetime);
        let NewKey { name, owner, expiry } = new;
        KeyRecord {
            name,
            owner,
            never_expires: expiry == Some(Expiry::Never),
            ..KeyRecord::new(id, now, expiry.and_then(Expiry::date).unwrap_or(by_default))
        }
    }

    /// Adds a key. Returns its record as the store has it.
    async fn insert(
        &self,
        digest: KeyDigest,
        record: KeyRecord,
        actor: &Actor,
    ) -> Result<KeyRecord, KeyError> {
        let insert = Operation::Insert(KeyImage::new(digest, record));
        let outcome = self.commit(insert, actor).await?;
        outcome.after.map(|image| image.record).ok_or(KeyError::NotFound)
    }

    async fn change(
        &self,
        id: KeyId,
        change: KeyChange,
        actor: &Actor,
    ) -> Result<Changed, KeyError> {
        let Outcome { before, after } = self.commit(Operation::change(id, change), actor).await?;
        let (before, after) = before.zip(after).ok_or(KeyError::NotFound)?;
        Ok(Changed { before: before.record, after: after.record })
    }

    /// Makes one operation, and drops what is cached of its key: also that there is no such key.
    async fn commit(&self, operation: Operation, actor: &Actor) -> Result<Outcome, KeyError> {
        let outcomes = self.store.commit(vec![operation], actor).await;
        let mut outcomes = outcomes.map_err(|error| match error {
            StoreError::NotFound { .. } => KeyError::NotFound,
            error => KeyError::Store(error),
        })?;
        for digest in outcomes.iter().flat_map(Outcome::digests) {
            self.verifier.cache.forget(&digest);
        }
        outcomes.pop().ok_or(KeyError::NotFound)
    }
}

/// A key before and after a change of it.
struct Changed {
    before: KeyRecord,
    after: KeyRecord,
}
