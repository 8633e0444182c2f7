//! Opening an engine: what it is set to.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::api_keys::ApiKeys;
use crate::admin::{self, Admin, AdminSecret};
use crate::cache::Cache;
use crate::clock::{Clock, ExpiryClock, SystemClock};
use crate::key::KeyFormat;
use crate::random;
use crate::resolver::Resolver;
use crate::store::{KeyStore, OpenError, PollOutcome};
use crate::usage::Flusher;
use crate::verify::Verifier;

/// Configures an engine. [`ApiKeys::builder`] creates it, and [`build`](Self::build) starts the
/// engine.
#[must_use]
pub struct ApiKeysBuilder<'a> {
    store: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
    key_format: KeyFormat,
    default_lifetime: Duration,
    admin: AdminRequests<'a>,
    flush_interval: Duration,
    known_keys: usize,
    unknown_keys: usize,
    lookups_per_second: u32,
}

/// Which admin requests are accepted.
enum AdminRequests<'a> {
    None,
    With(SecretString),
    /// Those with a secret that the processes on the store agree on. The function is called with it where
    /// this process has generated it.
    WithGenerated(Box<dyn FnOnce(SecretString) + 'a>),
}

impl ApiKeys {
    /// Begins an engine on this store. Where nothing else is set, it accepts no admin requests.
    ///
    /// ```
    /// use simple_security::ApiKeys;
    /// use simple_security::store::{self, Location};
    ///
    /// # fn open() -> Result<(), Box<dyn std::error::Error>> {
    /// let location: Location = "keys.db".parse()?;
    /// let keys = ApiKeys::builder(store::open(&location)?)
    ///     .admin_secret("a long random admin secret".into())
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder<'a>(store: Arc<dyn KeyStore>) -> ApiKeysBuilder<'a> {
        ApiKeysBuilder {
            store,
            clock: Arc::new(SystemClock),
            key_format: KeyFormat::default(),
            default_lifetime: Duration::from_secs(15 * 24 * 60 * 60),
            admin: AdminRequests::None,
            flush_interval: Duration::from_secs(1),
            known_keys: 100_000,
            unknown_keys: 10_000,
            lookups_per_second: 2_000,
        }
    }
}

impl<'a> ApiKeysBuilder<'a> {
    /// Reads the time from this clock. Default: [`SystemClock`].
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Gives new keys this form. Default: [`KeyFormat::default`], the prefix `fss`.
    pub fn key_format(self, key_format: KeyFormat) -> Self {
        Self { key_format, ..self }
    }

    /// Sets how long a new or renewed key is valid where its caller names no date, in whole seconds.
    /// Default: 15 days.
    pub fn default_lifetime(self, default_lifetime: Duration) -> Self {
        Self { default_lifetime, ..self }
    }

    /// Accepts admin requests with this secret. One of fewer than 16 characters is accepted with a
    /// warning; an empty one is an error of [`build`](Self::build). Default: no admin request is accepted.
    pub fn admin_secret(self, secret: SecretString) -> Self {
        Self { admin: AdminRequests::With(secret), ..self }
    }

    /// Accepts admin requests with a generated secret, on which all processes of an embedded store agree.
    /// `announce` is called by [`build`](Self::build), in the process that generated it and in no other:
    /// show the secret to the administrator, because it is kept nowhere.
    ///
    /// On a store that many machines share, no secret is agreed on: [`ApiKeys::authenticate_admin`] then returns
    /// [`AdminError::NoSecret`](crate::AdminError::NoSecret), and no admin request is accepted.
    pub fn generated_admin_secret(self, announce: impl FnOnce(SecretString) + 'a) -> Self {
        Self { admin: AdminRequests::WithGenerated(Box::new(announce)), ..self }
    }

    /// Sets how long usage may wait before it is written. Default: 1 second.
    pub fn flush_interval(self, flush_interval: Duration) -> Self {
        Self { flush_interval, ..self }
    }

    /// Sets how many keys of the store are cached, and how many that it does not have. Default: 100,000
    /// known and 10,000 unknown keys.
    pub fn cache_capacity(self, known: usize, unknown: usize) -> Self {
        Self { known_keys: known, unknown_keys: unknown, ..self }
    }

    /// Sets how many keys that are not cached are looked up per second, on average, in a store on the
    /// network; at least 1. More are rejected as [`VerifyError::Overloaded`](crate::VerifyError::Overloaded).
    /// Default: 2,000.
    pub fn lookups_per_second(self, lookups_per_second: u32) -> Self {
        Self { lookups_per_second, ..self }
    }

    /// Starts the engine, and the thread that writes usage.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn build(self) -> Result<ApiKeys, OpenError> {
        let Self { store, clock, .. } = self;
        let admin = match self.admin {
            AdminRequests::None => None,
            AdminRequests::With(secret) => Some(set(&secret)?),
            AdminRequests::WithGenerated(announce) => agree(&*store, announce)?,
        };
        let flusher = Flusher::start(
            random::bytes()?,
            self.flush_interval,
            Arc::clone(&store),
            Arc::clone(&clock),
        )
        .map_err(OpenError::Thread)?;
        let verifier = Arc::new(Verifier {
            format: self.key_format,
            cache: Cache::new(store.lease(), self.known_keys, self.unknown_keys),
            counters: Arc::clone(&flusher.counters),
            expiry_clock: ExpiryClock::start(&*clock),
            clock,
        });
        let resolver = Arc::new(Resolver::new(
            Arc::clone(&verifier),
            Arc::clone(&store),
            self.lookups_per_second,
        ));
        poll_changes(&*store, &resolver);
        Ok(ApiKeys {
            number: next_number(),
            resolver,
            verifier,
            store,
            flusher: Mutex::new(flusher),
            default_lifetime: self.default_lifetime,
            admin,
        })
    }
}

impl fmt::Debug for ApiKeysBuilder<'_> {
    /// Without the secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ApiKeysBuilder")
            .field("key_format", &self.key_format)
            .field("default_lifetime", &self.default_lifetime)
            .field("flush_interval", &self.flush_interval)
            .field("known_keys", &self.known_keys)
            .field("unknown_keys", &self.unknown_keys)
            .field("lookups_per_second", &self.lookups_per_second)
            .finish_non_exhaustive()
    }
}

fn set(secret: &SecretString) -> Result<AdminSecret, OpenError> {
    let (length, enough) = (secret.expose_secret().len(), Admin::RECOMMENDED_SECRET_LENGTH);
    if length == 0 {
        return Err(OpenError::EmptyAdminSecret);
    }
    if length < enough {
        tracing::warn!(
            "the admin secret is short ({length} characters); {enough} random ones or more are hard to guess"
        );
    }
    Ok(AdminSecret::set(secret))
}

/// The secret that all processes agree on; `None` where they cannot.
fn agree(
    store: &dyn KeyStore,
    announce: impl FnOnce(SecretString),
) -> Result<Option<AdminSecret>, OpenError> {
    let generated = admin::generate()?;
    let offered = AdminSecret::set(&generated);
    match pollster::block_on(store.agree_on_admin_secret(offered.digest()))? {
        Some(agreed) => {
            if agreed == offered.digest() {
                announce(generated);
            }
            Ok(Some(AdminSecret::agreed(agreed)))
        }
        None => Ok(None),
    }
}

fn next_number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Lets the store poll the log of changes while the engine is there.
fn poll_changes(store: &dyn KeyStore, resolver: &Arc<Resolver>) {
    let resolver = Arc::downgrade(resolver);
    store.poll_changes(Box::new(move || {
        let resolver = resolver.upgrade();
        Box::pin(async move {
            let Some(resolver) = resolver else { return PollOutcome::Gone };
            match resolver.read_changes_anew().await {
                Ok(()) => PollOutcome::Fresh,
                Err(_) => PollOutcome::Failed,
            }
        })
    }));
}
