//! The verbs that move many keys: from another place to this one, and out of it.

use secrecy::{ExposeSecret, SecretString};

use super::api_keys::ApiKeys;
use super::change::Change;
use super::error::KeyError;
use crate::key::{self, InvalidImport, KeyDigest, KeyId};
use crate::page::{Cursor, PageRequest};
use crate::record::{KeyName, KeyRecord, KeyReference, Owner, StoredKey, Timestamp, Usage};
use crate::store::{Existing, Inserted, KeySource};

/// A key that was in use elsewhere, with what is known of it there.
#[derive(Debug)]
#[non_exhaustive]
pub struct ImportedKey {
    /// The key.
    pub material: KeyMaterial,
    /// Its public id. `None`: the one in a key issued by this service, else a new one.
    pub id: Option<KeyId>,
    /// What people call it.
    pub name: KeyName,
    /// Whose it is.
    pub owner: Owner,
    /// When it was made; `None`: now.
    pub created_at: Option<Timestamp>,
    /// The date from which it is rejected. `None`: after the default lifetime, from now.
    pub expires_at: Option<Timestamp>,
    /// It never expires.
    pub never_expires: bool,
    /// When it was revoked, if it is.
    pub revoked_at: Option<Timestamp>,
    /// How often it was accepted.
    pub usage: Usage,
}

impl ImportedKey {
    /// A key of which nothing else is known.
    pub fn new(material: KeyMaterial) -> Self {
        Self {
            material,
            id: None,
            name: KeyName::default(),
            owner: Owner::default(),
            created_at: None,
            expires_at: None,
            never_expires: false,
            revoked_at: None,
            usage: Usage::default(),
        }
    }

    /// What a store keeps of it: under this digest and id, and with these dates where it has none.
    pub fn stored(
        self,
        digest: KeyDigest,
        id: KeyId,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> StoredKey {
        let record = KeyRecord {
            name: self.name,
            owner: self.owner,
            never_expires: self.never_expires,
            revoked_at: self.revoked_at,
            ..KeyRecord::new(
                id,
                self.created_at.unwrap_or(created_at),
                self.expires_at.unwrap_or(expires_at),
            )
        };
        StoredKey { digest, record, usage: self.usage }
    }
}

/// The key, as far as it is known.
#[derive(Debug)]
pub enum KeyMaterial {
    /// The whole key.
    Plain(SecretString),
    /// Its digest, taken as it is: whether it is the digest of a random key cannot be checked.
    Digest(KeyDigest),
}

impl ApiKeys {
    /// Returns what a store would keep of an imported key. Does not use the store.
    ///
    /// # Errors
    /// [`KeyError::InvalidImport`] says what is wrong with the key.
    pub fn prepare_import(&self, used: ImportedKey) -> Result<StoredKey, KeyError> {
        let (digest, id) = match &used.material {
            KeyMaterial::Plain(key) => self.verifier.format.import_used(key.expose_secret())?,
            KeyMaterial::Digest(digest) => (*digest, None),
        };
        let id = match (id, used.id) {
            (Some(inside), Some(given)) if inside != given => {
                return Err(InvalidImport::OtherId.into());
            }
            (Some(id), _) | (None, Some(id)) => id,
            (None, None) => key::generate_id()?,
        };
        let now = self.now();
        Ok(used.stored(digest, id, now, now.plus(self.default_lifetime)))
    }

    /// Whether there is a key with the id or the digest of this one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn has(&self, key: &StoredKey) -> Result<bool, KeyError> {
        let by_digest = self.store.find(KeyReference::Digest(key.digest)).await?;
        Ok(by_digest.is_some() || self.store.find(KeyReference::Id(key.record.id)).await?.is_some())
    }

    /// Adds many keys at once: all of them, or none. A key that exists is not touched, so that no
    /// import can take back a revocation.
    ///
    /// Until it is committed others can make and change no keys, so `keys` should be quick: checked, and
    /// at hand.
    ///
    /// # Errors
    /// Those of [`KeyRecords::insert_all`](crate::store::KeyRecords::insert_all).
    pub fn import_all(&self, keys: KeySource, existing: Existing) -> Change<'_, Inserted> {
        Change::new(self, async move |engine, actor| {
            Ok(engine.store.insert_all(keys, existing, &actor).await?)
        })
    }

    /// Some keys as they are stored, the newest first, and the place of the next ones, with the
    /// promise of [`ApiKeys::page`].
    ///
    /// # Errors
    /// Those of the store.
    pub async fn export(
        &self,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<(Vec<StoredKey>, Option<Cursor>), KeyError> {
        self.stored_page(PageRequest { after, limit, ..PageRequest::default() }).await
    }
}
