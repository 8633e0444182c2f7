//! The engine: what it is made of, verifying, and its end. The verbs that change keys and those that
//! show them have a file each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;

use crate::admin::{self, AdminSecret};
use crate::cache::Cache;
use crate::clock::{Clock, SystemClock};
use crate::config::Settings;
use crate::expiry_clock::ExpiryClock;
use crate::key::InvalidImport;
use crate::lookup::Lookup;
use crate::random;
use crate::record::Timestamp;
use crate::stats::Stats;
use crate::store::{self, KeyStore, Refreshed, StoreError};
use crate::usage::Flusher;
use crate::verify::{Attempt, Denied, VerifiedKey, Verifier};

mod change;
mod changes;
mod moving;
mod showing;

pub use change::{Change, Committed};
pub use changes::{IssuedKey, RenewedKey};
pub use moving::{ImportedKey, KeyMaterial};

/// The keys of one deployment: the engine that all faces ask.
///
/// One process has one of them for each store. It is shared by reference or by `Arc`; when the
/// last one is dropped, what was counted is written.
pub struct ApiKeys {
    number: u64,
    lookup: Arc<Lookup>,
    verifier: Arc<Verifier>,
    store: Arc<dyn KeyStore>,
    flusher: Mutex<Flusher>,
    automatic_expiration: u32,
    admin: Option<AdminSecret>,
    secret_setting: String,
}

/// Why a key could not be made, changed or shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no such key.
    #[error("API key not found")]
    NotFound,
    /// The text that was to be imported cannot be a key.
    #[error(transparent)]
    InvalidImport(#[from] InvalidImport),
    /// The text that was to be imported is a key already, an active one or not.
    #[error("a key of this text exists already")]
    Exists,
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
    pub fn open(settings: &Settings) -> Result<(Self, Option<SecretString>), OpenError> {
        let store = store::open(&settings.location).map_err(|source| OpenError::Store {
            setting: settings.location_setting.clone(),
            source,
        })?;
        Self::with_store(store, Arc::new(SystemClock), settings)
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
        Ok((Self::start(store, clock, settings, admin)?, generated))
    }

    /// The same for a program that takes no admin requests, such as a command line: it knows no
    /// admin secret and takes no part in agreeing on one.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn without_admin_secret(
        store: Arc<dyn KeyStore>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Result<Self, OpenError> {
        Self::start(store, clock, settings, None)
    }

    fn start(
        store: Arc<dyn KeyStore>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
        admin: Option<AdminSecret>,
    ) -> Result<Self, OpenError> {
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
            expiry_clock: ExpiryClock::start(&*clock),
            clock,
        });
        let lookup = Arc::new(Lookup::new(
            Arc::clone(&verifier),
            Arc::clone(&store),
            engine.look_ups_per_second,
        ));
        keep_fresh(&*store, &lookup);
        Ok(Self {
            number: next_number(),
            lookup,
            verifier,
            store,
            flusher: Mutex::new(flusher),
            automatic_expiration: settings.automatic_expiration,
            admin,
            secret_setting: settings.secret_setting.clone(),
        })
    }

    /// Verifies what a request presents for what its route requires, and counts it when it is accepted.
    ///
    /// # Errors
    /// [`Denied`] says why it is rejected.
    pub async fn verify(&self, attempt: impl Into<Attempt<'_>>) -> Result<VerifiedKey, Denied> {
        self.lookup.verify(attempt.into()).await
    }

    /// Verifies as far as that needs no wait and no question to the store: by what is cached; or it
    /// rejects, where a store on the network is down or asked too much.
    ///
    /// `None` says nothing about the key; call [`ApiKeys::verify`] then.
    #[inline]
    pub fn try_verify<'a>(
        &self,
        attempt: impl Into<Attempt<'a>>,
    ) -> Option<Result<VerifiedKey, Denied>> {
        let attempt = attempt.into();
        match self.verifier.verify_cached(attempt) {
            Some(decided) => Some(decided),
            None => self.lookup.try_verify(attempt),
        }
    }

    /// Figures for metrics.
    pub fn stats(&self) -> Stats {
        self.lookup.stats()
    }

    /// A number that no other engine of this process has, or ever had. It is never 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether [`ApiKeys::verify`] takes some microseconds at most, because the store is embedded.
    pub fn is_embedded(&self) -> bool {
        self.store.is_embedded()
    }

    /// Asks the store what has changed, as a call that verifies does once in a lease. Where this
    /// succeeds, keys can be verified now.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn read_changes(&self) -> Result<(), Arc<StoreError>> {
        self.lookup.read_changes(self.verifier.clock.uptime()).await
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

    /// What admin requests are compared with.
    ///
    /// # Errors
    /// [`StoreError::NoSharedSecret`] where there is none, and no admin request may pass: none is
    /// set on a store that many machines share, or none is wanted.
    pub fn admin_secret(&self) -> Result<&AdminSecret, StoreError> {
        let missing = || StoreError::NoSharedSecret { setting: self.secret_setting.clone() };
        self.admin.as_ref().ok_or_else(missing)
    }

    /// Stops the thread after one last flush; `false` when it was stopped before.
    fn stop_flusher(&self) -> bool {
        self.flusher.lock().unwrap_or_else(PoisonError::into_inner).stop()
    }

    fn flush_at_the_end(&self) {
        if let Err(error) = pollster::block_on(self.flush()) {
            self.verifier.counters.say_lost(&error);
        }
    }

    /// The time of day, for dates that are stored: as the clock shows it.
    fn now(&self) -> Timestamp {
        self.verifier.clock.now()
    }

    /// The time of day by which keys expire.
    fn expiry_time(&self) -> Timestamp {
        self.verifier.expiry_clock.at(self.now(), &*self.verifier.clock)
    }
}

fn next_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Lets the store ask for readings while the engine is there.
fn keep_fresh(store: &dyn KeyStore, lookup: &Arc<Lookup>) {
    let lookup = Arc::downgrade(lookup);
    store.keep_fresh(Box::new(move || {
        let lookup = lookup.upgrade();
        Box::pin(async move {
            let Some(lookup) = lookup else { return Refreshed::Gone };
            match lookup.read_changes_anew().await {
                Ok(()) => Refreshed::Fresh,
                Err(_) => Refreshed::Failed,
            }
        })
    }));
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
