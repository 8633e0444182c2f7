//! The engine: what it is made of, verifying, and its end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::admin::{Admin, AdminError, AdminSecret};
use crate::record::Timestamp;
use crate::resolver::Resolver;
use crate::stats::Stats;
use crate::store::{KeyStore, StoreError};
use crate::usage::Flusher;
use crate::verify::{Attempt, VerifiedKey, Verifier, VerifyError};

/// The keys of one deployment: the engine behind every adapter.
///
/// [`ApiKeys::builder`] opens it, once for each store in a process. It is shared by reference or by
/// `Arc`; when the last one is dropped, what was counted is written.
pub struct ApiKeys {
    pub(super) number: u64,
    pub(super) resolver: Arc<Resolver>,
    pub(super) verifier: Arc<Verifier>,
    pub(super) store: Arc<dyn KeyStore>,
    pub(super) flusher: Mutex<Flusher>,
    pub(super) default_lifetime: Duration,
    pub(super) admin: Option<AdminSecret>,
}

impl ApiKeys {
    /// Verifies what a request presents for what its route requires, and counts it when it is accepted.
    ///
    /// # Errors
    /// [`VerifyError`] says why it is rejected.
    pub async fn verify(
        &self,
        attempt: impl Into<Attempt<'_>>,
    ) -> Result<VerifiedKey, VerifyError> {
        self.resolver.verify(attempt.into()).await
    }

    /// Verifies if that needs neither a wait nor a lookup: from the cache, or with a rejection while
    /// a store on the network is down or the lookup limit is reached.
    ///
    /// Returns `None` if neither applies, which says nothing about the key: call
    /// [`ApiKeys::verify`].
    #[inline]
    pub fn try_verify<'a>(
        &self,
        attempt: impl Into<Attempt<'a>>,
    ) -> Option<Result<VerifiedKey, VerifyError>> {
        let attempt = attempt.into();
        match self.verifier.verify_cached(attempt) {
            Some(decided) => Some(decided),
            None => self.resolver.try_verify(attempt),
        }
    }

    /// Figures for metrics.
    pub fn stats(&self) -> Stats {
        self.resolver.stats()
    }

    /// A number that no other engine of this process has, or ever had. It is never 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether [`ApiKeys::verify`] takes some microseconds at most, because the store is embedded.
    pub fn is_embedded(&self) -> bool {
        self.store.is_embedded()
    }

    /// Polls the change log, as verifying does once per lease. On success, keys can be verified
    /// now.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn read_changes(&self) -> Result<(), Arc<StoreError>> {
        self.resolver.read_changes(self.verifier.clock.uptime()).await
    }

    /// Writes the usage counted before the call.
    ///
    /// # Errors
    /// Those of the store. Nothing is lost: the counts are kept and written later.
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

    /// Finishes running calls and closes what a forked child must not inherit. New calls wait until
    /// the parent calls [`ApiKeys::resume`]. The child must neither use nor drop this engine: it
    /// opens its own.
    pub fn suspend(&self) {
        self.store.suspend();
    }

    /// Ends one [`ApiKeys::suspend`].
    pub fn resume(&self) {
        self.store.resume();
    }

    /// Authenticates an admin request by the secret that it presents.
    ///
    /// # Errors
    /// [`AdminError::NoSecret`] if there is no admin secret, [`AdminError::Wrong`] if the secret is
    /// wrong.
    pub fn authenticate_admin(&self, presented: &[u8]) -> Result<Admin, AdminError> {
        self.admin.as_ref().ok_or(AdminError::NoSecret)?.authenticate(presented)
    }

    /// Whether there is an admin secret. Without one every admin request is rejected, with
    /// [`AdminError::NoSecret`].
    pub fn has_admin_secret(&self) -> bool {
        self.admin.is_some()
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
    pub(super) fn now(&self) -> Timestamp {
        self.verifier.clock.now()
    }

    /// The time of day by which keys expire.
    pub(super) fn expiry_time(&self) -> Timestamp {
        self.verifier.expiry_clock.at(self.now(), &*self.verifier.clock)
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
