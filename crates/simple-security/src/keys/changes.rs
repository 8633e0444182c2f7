//! The verbs that change keys: issue, import, revoke, renew, edit, delete.

use super::{ApiKeys, Change, KeyError};
use crate::key::{self, KeyDigest, KeyId, PlainKey};
use crate::record::{Expiry, KeyChange, KeyEdit, KeyRecord, NewKey, Renewal};
use crate::store::StoreError;

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
        Change::new(self, async move |keys| {
            let (key, id) = keys.verifier.format.generate()?;
            let record = keys.new_record(id, new);
            keys.insert(KeyDigest::of(key.expose().as_bytes()), &record).await?;
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
        Change::new(self, async move |keys| {
            let digest = digest?;
            let record = keys.new_record(key::generate_id()?, new);
            match keys.insert(digest, &record).await {
                Err(StoreError::Duplicate) => Err(KeyError::Exists),
                Err(error) => Err(error.into()),
                Ok(()) => Ok(record),
            }
        })
    }

    /// Revokes a key. One that is revoked already stays so.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub fn revoke(&self, id: KeyId) -> Change<'_, KeyRecord> {
        Change::new(self, async move |keys| {
            let (_, after) = keys.change(id, KeyChange::revoke(keys.now())).await?;
            Ok(after)
        })
    }

    /// Gives a key a new expiry, and takes its revocation back.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub fn renew(&self, id: KeyId, renewal: Renewal) -> Change<'_, RenewedKey> {
        Change::new(self, async move |keys| {
            let by_default = || keys.now().plus_days(keys.automatic_expiration);
            let change = match renewal {
                Renewal::DefaultLifetime => KeyChange::renew(by_default(), None),
                Renewal::Until(Expiry::Never) => KeyChange::renew(by_default(), Some(true)),
                Renewal::Until(Expiry::At(date)) => KeyChange::renew(date, Some(false)),
                Renewal::Date(date) => KeyChange::renew(date, None),
            };
            let (before, record) = keys.change(id, change).await?;
            Ok(RenewedKey { record, was_revoked: before.revoked_at.is_some() })
        })
    }

    /// Changes what is known of a key: its name, its expiry. A revoked one stays revoked.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub fn edit(&self, id: KeyId, edit: KeyEdit) -> Change<'_, KeyRecord> {
        Change::new(self, async move |keys| {
            let (_, after) = keys.change(id, edit.into()).await?;
            Ok(after)
        })
    }

    /// Permanently removes a key and its usage. To keep them, revoke it.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub fn delete(&self, id: KeyId) -> Change<'_, ()> {
        Change::new(self, async move |keys| {
            let digest = keys.store.delete(id).await?.ok_or(KeyError::NotFound)?;
            keys.verifier.cache.forget(&digest);
            Ok(())
        })
    }

    fn new_record(&self, id: KeyId, new: NewKey) -> KeyRecord {
        let now = self.now();
        let by_default = now.plus_days(self.automatic_expiration);
        let NewKey { name, expiry } = new;
        KeyRecord {
            name,
            never_expires: expiry == Some(Expiry::Never),
            ..KeyRecord::new(id, now, expiry.and_then(Expiry::date).unwrap_or(by_default))
        }
    }

    /// Inserts a key, and drops the cached answer that there is no such key.
    async fn insert(&self, digest: KeyDigest, record: &KeyRecord) -> Result<(), StoreError> {
        self.store.insert(digest, record).await?;
        self.verifier.cache.forget(&digest);
        Ok(())
    }

    /// Changes a key, and drops what is cached of it. Returns the record before and after.
    async fn change(
        &self,
        id: KeyId,
        change: KeyChange,
    ) -> Result<(KeyRecord, KeyRecord), KeyError> {
        let changed = self.store.change(id, change.clone()).await?;
        let (digest, before) = changed.ok_or(KeyError::NotFound)?;
        self.verifier.cache.forget(&digest);
        let mut after = before.clone();
        change.apply(&mut after);
        Ok((before, after))
    }
}
