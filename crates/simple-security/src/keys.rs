//! The verbs: issue, verify, revoke, renew, list, usage.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;

use crate::admin::{self, AdminSecret};
use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::Settings;
use crate::key::{KeyDigest, PlainKey};
use crate::lookup::Lookup;
use crate::random;
use crate::record::{KeyId, KeyRecord, KeyReference, NewKey, Timestamp, Usage};
use crate::store::{KeyChange, KeyStore, StoreError};
use crate::usage::Flusher;
use crate::verify::{Denied, LatestTime, VerifiedKey, Verifier};

/// The keys of one deployment: the engine that all faces ask.
///
/// One process has one of them for each store. It is shared by reference or by `Arc`; when the
/// last one is dropped, what was counted is written.
pub struct ApiKeys {
    lookup: Lookup,
    verifier: Arc<Verifier>,
    store: Arc<dyn KeyStore>,
    flusher: Mutex<Flusher>,
    automatic_expiration: u32,
    admin: Option<AdminSecret>,
}

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

/// Why a key could not be made or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no such key.
    #[error("API key not found")]
    NotFound,
    /// The store failed. Whether the change was made is not known; asking again is safe.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system gave no random bytes, so no key was made.
    #[error("the operating system gives no random bytes")]
    Random(#[from] getrandom::Error),
}

/// Why the engine could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The store could not be opened. The text names the setting that says where it is.
    #[error("{setting}: {source}")]
    Store {
        /// The setting.
        setting: String,
        /// What is wrong.
        source: StoreError,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    Random(#[from] getrandom::Error),
    /// The operating system gave no thread.
    #[error("the thread that writes usage could not be started")]
    Thread(#[source] std::io::Error),
}

impl ApiKeys {
    /// Opens the store that the settings name, on the system's clock.
    ///
    /// The second value is the admin secret where one was generated: show it once, to the
    /// administrator.
    ///
    /// # Errors
    /// [`OpenError`] names the setting to change.
    #[cfg(feature = "sqlite")]
    pub fn open(settings: &Settings) -> Result<(Self, Option<SecretString>), OpenError> {
        let store = crate::store::SqliteStore::open(&settings.location).map_err(|source| {
            OpenError::Store { setting: settings.location_setting.clone(), source }
        })?;
        Self::with_store(Arc::new(store), Arc::new(crate::clock::SystemClock), settings)
    }

    /// Opens the engine on any store and any clock.
    ///
    /// # Errors
    /// [`OpenError`] names the setting to change.
    pub fn with_store(
        store: Arc<dyn KeyStore>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Result<(Self, Option<SecretString>), OpenError> {
        let (admin, generated) = admin::agree(&*store, settings)?;
        let engine = settings.engine;
        let flusher = Flusher::start(
            random::bytes()?,
            engine.flush_interval,
            Arc::clone(&store),
            Arc::clone(&clock),
        )
        .map_err(OpenError::Thread)?;
        let verifier = Arc::new(Verifier {
            format: settings.key_format.clone(),
            cache: Cache::new(store.lease(), engine.known_keys, engine.unknown_keys),
            counters: Arc::clone(&flusher.counters),
            clock,
            latest: LatestTime::default(),
        });
        let keys = Self {
            lookup: Lookup::new(Arc::clone(&verifier), Arc::clone(&store)),
            verifier,
            store,
            flusher: Mutex::new(flusher),
            automatic_expiration: settings.automatic_expiration,
            admin,
        };
        Ok((keys, generated))
    }

    /// Makes a key.
    ///
    /// When it returns, every process accepts the key.
    ///
    /// # Errors
    /// [`KeyError::Store`]: nobody has the plain key then, so a record that was stored all the
    /// same lets nobody in.
    pub async fn issue(&self, new: NewKey) -> Result<IssuedKey, KeyError> {
        let (key, id) = self.verifier.format.generate()?;
        let now = self.now();
        let record = KeyRecord {
            id,
            name: new.name,
            created_at: now,
            expires_at: new.expires_at.unwrap_or(now.plus_days(self.automatic_expiration)),
            never_expires: new.never_expires,
            revoked_at: None,
        };
        self.store.insert(KeyDigest::of(key.expose().as_bytes()), &record).await?;
        self.wait_for_all().await;
        Ok(IssuedKey { key, record })
    }

    /// Verifies what a client has presented, and counts it when it is accepted.
    ///
    /// # Errors
    /// [`Denied`] says why it is refused.
    pub async fn verify(&self, presented: &[u8]) -> Result<VerifiedKey, Denied> {
        match self.verifier.verify_cached(presented) {
            Some(verdict) => verdict,
            None => self.lookup.verify(presented).await,
        }
    }

    /// Verifies by what is known already: without waiting, without asking the store.
    ///
    /// `None` says nothing about the key; [`ApiKeys::verify`] must be asked then.
    #[inline]
    pub fn verify_cached(&self, presented: &[u8]) -> Option<Result<VerifiedKey, Denied>> {
        self.verifier.verify_cached(presented)
    }

    /// The id of a key that a person names, by its id or by the whole key.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn identify(&self, text: &str) -> Result<KeyId, KeyError> {
        let whole = KeyReference::Digest(KeyDigest::of(text.as_bytes()));
        if let Some(record) = self.store.find(whole).await? {
            return Ok(record.id);
        }
        let id = text.parse().map_err(|_| KeyError::NotFound)?;
        let record = self.store.find(KeyReference::Id(id)).await?;
        record.map(|record| record.id).ok_or(KeyError::NotFound)
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
    /// days that the settings give, from now.
    ///
    /// When it returns, every process knows.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn renew(
        &self,
        id: KeyId,
        expires_at: Option<Timestamp>,
    ) -> Result<RenewedKey, KeyError> {
        let expires_at =
            expires_at.unwrap_or_else(|| self.now().plus_days(self.automatic_expiration));
        let (before, record) = self.change(id, KeyChange::Renew { expires_at }).await?;
        Ok(RenewedKey { record, was_revoked: before.revoked_at.is_some() })
    }

    /// All keys with their usage: last used first, never used last, then by age and id.
    ///
    /// What this process has counted and not yet written is in it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self) -> Result<Vec<(KeyRecord, Usage)>, KeyError> {
        let flushed = self.flush().await;
        let mut rows = self.store.list().await?;
        if let Err(error) = flushed {
            tracing::warn!(%error, "usage could not be written yet; it is kept and tried again");
            self.verifier.counters.add_pending(&mut rows, |record| record.id);
            rows.sort_by_key(|(record, usage)| {
                (std::cmp::Reverse(usage.last_used_at), record.created_at, record.id)
            });
        }
        Ok(rows)
    }

    /// How often one key was accepted, with what this process has not yet written.
    ///
    /// # Errors
    /// [`KeyError::NotFound`], or the store's.
    pub async fn usage(&self, id: KeyId) -> Result<Usage, KeyError> {
        let flushed = self.flush().await;
        let mut row = [(id, self.store.usage(id).await?.ok_or(KeyError::NotFound)?)];
        if flushed.is_err() {
            self.verifier.counters.add_pending(&mut row, |id| *id);
        }
        Ok(row[0].1)
    }

    /// Writes all that was counted before the call.
    ///
    /// # Errors
    /// Those of the store. Nothing is lost then: it is tried again.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.verifier.counters.flush(&*self.store, &*self.verifier.clock).await
    }

    /// Writes all that was counted and stops the thread that does so. What is verified after is
    /// counted too, and written by the next `flush` or `close`, or when the engine is dropped.
    pub fn close(&self) {
        if !self.stop_flusher() {
            self.flush_at_the_end();
        }
    }

    /// Lets go of what a forked child must not inherit, after what is being done. All calls wait
    /// until [`ApiKeys::resume`], which the parent calls. The child must not touch this engine
    /// again, nor drop it: it opens one of its own.
    pub fn suspend(&self) {
        self.store.suspend();
    }

    /// Ends one [`ApiKeys::suspend`].
    pub fn resume(&self) {
        self.store.resume();
    }

    /// What admin requests are compared with; `None` where no secret is set on a store that many
    /// machines share, and no admin request may pass.
    pub fn admin_secret(&self) -> Option<&AdminSecret> {
        self.admin.as_ref()
    }

    async fn change(
        &self,
        id: KeyId,
        change: KeyChange,
    ) -> Result<(KeyRecord, KeyRecord), KeyError> {
        let before = self.store.change(id, change).await?.ok_or(KeyError::NotFound)?;
        self.wait_for_all().await;
        let mut after = before.clone();
        change.apply(&mut after);
        Ok((before, after))
    }

    /// Waits until no process can use an answer from before a change that is committed: the
    /// lease, a thousandth more for clocks that do not run alike, and a millisecond for the time
    /// between reading the clock and reading the log.
    async fn wait_for_all(&self) {
        let lease = self.store.lease();
        let bound = lease + lease / 1000 + Duration::from_millis(1);
        self.verifier.clock.sleep(bound).await;
    }

    /// Stops the thread after one last flush; `false` when it was stopped before.
    fn stop_flusher(&self) -> bool {
        self.flusher.lock().unwrap_or_else(PoisonError::into_inner).stop()
    }

    fn flush_at_the_end(&self) {
        if let Err(error) = pollster::block_on(self.flush()) {
            tracing::error!(%error, "usage could not be written and is lost");
        }
    }

    fn now(&self) -> Timestamp {
        self.verifier.latest.now(&*self.verifier.clock)
    }
}

impl Drop for ApiKeys {
    fn drop(&mut self) {
        // After `close` only what was accepted since then is left: what could not be written then
        // is not waited for once more.
        if !self.stop_flusher() && self.verifier.counters.is_dirty() {
            self.flush_at_the_end();
        }
    }
}

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ApiKeys").finish_non_exhaustive()
    }
}
