//! The hot path: verifies a presented key by what is cached.

use std::sync::Arc;

use crate::cache::CachedKey;
use crate::cache::{Answer, Cache};
use crate::clock::Clock;
use crate::clock::ExpiryClock;
use crate::key::{KeyDigest, KeyFormat, KeyId, MAX_KEY_LENGTH, Malformed};
use crate::record::{KeyRecord, Timestamp};
use crate::store::StoreError;
use crate::sync;
use crate::usage::Counters;

/// A key that was verified, for one request. Only verifying makes one.
///
/// A copy is about the same request and is not counted. It does not authenticate another request: a
/// protected route verifies the key itself.
#[derive(Clone)]
pub struct VerifiedKey {
    known: sync::Arc<CachedKey>,
}

impl VerifiedKey {
    /// What is known of the key, as it was when it was verified.
    pub fn record(&self) -> &KeyRecord {
        &self.known.record
    }

    /// The public handle of the key.
    pub fn id(&self) -> KeyId {
        self.known.record.id
    }

    /// The owner of the key, empty where it has no owner.
    pub fn owner(&self) -> &str {
        self.known.record.owner.as_str()
    }
}

impl std::fmt::Debug for VerifiedKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("VerifiedKey").field(&self.id()).finish()
    }
}

/// Why a key was not accepted. The reason is for logs: a client learns it only where the whole secret
/// matched, with [`VerifyError::Revoked`] and [`VerifyError::Expired`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It cannot be a key.
    #[error(transparent)]
    Malformed(Malformed),
    /// There is no such key.
    #[error("no such key")]
    Unknown,
    /// The key was revoked.
    #[error("key {0} is revoked")]
    Revoked(KeyId),
    /// The key has expired.
    #[error("key {0} has expired")]
    Expired(KeyId),
    /// Too many uncached keys were presented, so this one was not looked up. It may be valid.
    #[error("lookup limit reached ({per_second} uncached keys per second); retry shortly")]
    Overloaded {
        /// The limit of lookups per second.
        per_second: u32,
    },
    /// The store is unavailable. The key may be valid.
    #[error("the store is unavailable: {0}")]
    Unavailable(#[source] Arc<StoreError>),
}

impl VerifyError {
    /// Whether the key could not be checked: presenting it again later may give another outcome. Every
    /// other error is a decision about the key.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Overloaded { .. } | Self::Unavailable(_))
    }
}

/// What a request presents, and what the route that it is for requires.
///
/// A plain `&[u8]` is an attempt with that key on a route that requires no more than a good key.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Attempt<'a> {
    /// The key that was presented, as it came.
    pub presented: &'a [u8],
}

impl<'a> Attempt<'a> {
    /// An attempt with this key, on a route that requires no more than a good key.
    pub fn new(presented: &'a [u8]) -> Self {
        Self { presented }
    }
}

impl<'a> From<&'a [u8]> for Attempt<'a> {
    fn from(presented: &'a [u8]) -> Self {
        Self::new(presented)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Attempt<'a> {
    fn from(presented: &'a [u8; N]) -> Self {
        Self::new(presented)
    }
}

impl<'a> From<&'a Vec<u8>> for Attempt<'a> {
    fn from(presented: &'a Vec<u8>) -> Self {
        Self::new(presented)
    }
}

impl std::fmt::Debug for Attempt<'_> {
    /// Without the key.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Attempt").finish_non_exhaustive()
    }
}

/// What a decision by a cached answer needs. Nothing here waits, and nothing writes but two atomics.
pub(crate) struct Verifier {
    pub(crate) format: KeyFormat,
    pub(crate) cache: Cache,
    pub(crate) counters: Arc<Counters>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) expiry_clock: ExpiryClock,
}

impl Verifier {
    /// Verifies by what is cached; `None` when the store must be asked.
    #[inline]
    pub(crate) fn verify_cached(
        &self,
        attempt: Attempt<'_>,
    ) -> Option<Result<VerifiedKey, VerifyError>> {
        // The clock is read first: the age of what is cached counts to the begin of the call.
        let began = self.clock.uptime();
        // An answer is there only for what was found to be well-formed before the store was asked,
        // so the digest alone tells; most requests need no more.
        let presented = attempt.presented;
        if presented.len() <= MAX_KEY_LENGTH
            && let Some(answer) = self.cache.find(&KeyDigest::of(presented), began)
        {
            return Some(self.decide(answer, attempt));
        }
        self.reject_malformed(presented)
    }

    /// `None` when it can be a key.
    fn reject_malformed(&self, presented: &[u8]) -> Option<Result<VerifiedKey, VerifyError>> {
        self.format.check(presented).err().map(|malformed| Err(VerifyError::Malformed(malformed)))
    }

    /// Decides, and only then counts: a rejected request is not counted.
    #[inline]
    pub(crate) fn decide(
        &self,
        answer: Answer,
        attempt: Attempt<'_>,
    ) -> Result<VerifiedKey, VerifyError> {
        let Answer::Key(known) = answer else { return Err(VerifyError::Unknown) };
        let now = self.clock.now();
        self.check(&known.record, attempt, now)?;
        self.counters.count(&known.counter, now);
        Ok(VerifiedKey { known })
    }

    /// Whether a key is accepted for what a route requires, in the order in which a client may learn the
    /// reason.
    #[inline]
    fn check(
        &self,
        record: &KeyRecord,
        _attempt: Attempt<'_>,
        now: Timestamp,
    ) -> Result<(), VerifyError> {
        if record.revoked_at.is_some() {
            return Err(VerifyError::Revoked(record.id));
        }
        if record.expiry().is_past(self.expiry_clock.at(now, &*self.clock)) {
            return Err(VerifyError::Expired(record.id));
        }
        Ok(())
    }
}
