//! The verbs that change keys: issue, import, revoke, renew, edit, delete.
//!
//! Each returns when no process can use an answer from before the change.

use std::time::Duration;

use super::{ApiKeys, KeyError};
use crate::key::{self, KeyDigest, PlainKey};
use crate::record::{KeyEdit, KeyId, KeyRecord, NewKey, Timestamp};
use crate::store::{KeyChange, StoreError};

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

impl ApiKeys {
    /// Makes a key.
    ///
    /// When it returns, every process accepts the key.
    ///
    /// # Errors
    /// [`KeyError::Store`]: nobody has the plain key then, so a record that was stored all the
    /// same lets nobody in.
    pub async fn issue(&self, new: NewKey) -> Result<IssuedKey, KeyError> {
        let (key, id) = self.verifier.format.generate()?;
        let record = self.new_record(id, new);
        self.insert(KeyDigest::of(key.expose().as_bytes()), &record).await?;
        Ok(IssuedKey { key, record })
    }

    /// Takes in a key of the caller's own: 32 to 255 visible ASCII characters that do not start
    /// with the prefix of our keys. By the caller's word it is random: a guessable one can be
    /// found from a stolen database.
    ///
    /// When it returns, every process accepts the key.
    ///
    /// # Errors
    /// [`KeyError::InvalidImport`] says what is wrong with the text; [`KeyError::Exists`] where
    /// it is a key already, which then stays as it was; or the store's.
    pub async fn import(&self, key: &str, new: NewKey) -> Result<KeyRecord, KeyError> {
        let digest = self.verifier.format.import(key)?;
        let record = self.new_record(key::generate_id()?, new);
        match self.insert(digest, &record).await {
            Err(KeyError::Store(StoreError::Duplicate)) => Err(KeyError::Exists),
            inserted => inserted.map(|()| record),
        }
    }

    /// Revokes a key. One that is revoked already stays so.
    ///
    /// When it returns, no request that begins is accepted by any process.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn revoke(&self, id: KeyId) -> Result<KeyRecord, KeyError> {
        self.change(id, KeyChange::Revoke { at: self.now() }).await.map(|(_, after)| after)
    }

    /// Gives a key a new date of expiry, and takes back its revocation. Without a date it is the
    /// days that the settings give, from now. Where `never_expires` is not given, a key that never
    /// expires stays so.
    ///
    /// When it returns, every process knows.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn renew(
        &self,
        id: KeyId,
        expires_at: Option<Timestamp>,
        never_expires: Option<bool>,
    ) -> Result<RenewedKey, KeyError> {
        let expires_at =
            expires_at.unwrap_or_else(|| self.now().plus_days(self.automatic_expiration));
        let renew = KeyChange::Renew { expires_at, never_expires };
        let (before, record) = self.change(id, renew).await?;
        Ok(RenewedKey { record, was_revoked: before.revoked_at.is_some() })
    }

    /// Changes what is known of a key: its name, its expiry. A revoked one stays revoked.
    ///
    /// When it returns, every process knows.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn edit(&self, id: KeyId, edit: KeyEdit) -> Result<KeyRecord, KeyError> {
        self.change(id, KeyChange::Edit(edit)).await.map(|(_, after)| after)
    }

    /// Removes a key and its usage, for ever. To keep them, revoke it.
    ///
    /// When it returns, no request that begins is accepted by any process.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn delete(&self, id: KeyId) -> Result<(), KeyError> {
        if !self.store.delete(id).await? {
            return Err(KeyError::NotFound);
        }
        self.wait_for_all().await;
        Ok(())
    }

    fn new_record(&self, id: KeyId, new: NewKey) -> KeyRecord {
        let now = self.now();
        KeyRecord {
            id,
            name: new.name,
            created_at: now,
            expires_at: new.expires_at.unwrap_or(now.plus_days(self.automatic_expiration)),
            never_expires: new.never_expires,
            revoked_at: None,
        }
    }

    async fn insert(&self, digest: KeyDigest, record: &KeyRecord) -> Result<(), KeyError> {
        self.store.insert(digest, record).await?;
        self.wait_for_all().await;
        Ok(())
    }

    async fn change(
        &self,
        id: KeyId,
        change: KeyChange,
    ) -> Result<(KeyRecord, KeyRecord), KeyError> {
        let before = self.store.change(id, change.clone()).await?.ok_or(KeyError::NotFound)?;
        self.wait_for_all().await;
        let mut after = before.clone();
        change.apply(&mut after);
        Ok((before, after))
    }

    /// Waits until no process can use an answer from before a change that is committed: the
    /// lease, a thousandth more for clocks that do not run alike, and a millisecond for the time
    /// between reading the clock and reading the log.
    pub(super) async fn wait_for_all(&self) {
        let lease = self.store.lease();
        let bound = lease + lease / 1000 + Duration::from_millis(1);
        self.verifier.clock.sleep(bound).await;
    }
}
