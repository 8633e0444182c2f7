//! A change of keys, and from when on it holds everywhere.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::api_keys::ApiKeys;
use super::error::KeyError;
use crate::admin::Actor;
use crate::clock::{Clock, Uptime};
use crate::page::KeyDetails;
use crate::record::{KeyRecord, Moment};

/// A change, which is made when it is awaited.
///
/// Awaiting it returns once no process uses an answer from before the change: a revoked key is then
/// rejected everywhere. [`Change::committed`] returns as soon as the change is committed.
#[must_use = "a change is made when it is awaited"]
pub struct Change<'a, T> {
    keys: &'a ApiKeys,
    actor: Actor,
    make: Make<'a, T>,
}

type Make<'a, T> = Box<dyn FnOnce(Actor) -> Making<'a, T> + Send + 'a>;
type Making<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyError>> + Send + 'a>>;

impl<'a, T: Send + 'a> Change<'a, T> {
    pub(super) fn new<F>(
        keys: &'a ApiKeys,
        make: impl FnOnce(&'a ApiKeys, Actor) -> F + Send + 'a,
    ) -> Self
    where
        F: Future<Output = Result<T, KeyError>> + Send + 'a,
    {
        let make = Box::new(move |actor| Box::pin(make(keys, actor)) as Making<'a, T>);
        Self { keys, actor: Actor::Program, make }
    }

    /// The same, made by this actor. Unless said otherwise it is [`Actor::Program`].
    pub fn by(self, actor: impl Into<Actor>) -> Self {
        Self { actor: actor.into(), ..self }
    }

    /// Makes the change and returns at the commit. If the change holds everywhere within 50 ms, as on
    /// one host, it waits for that too.
    ///
    /// # Errors
    /// Those of the verb.
    pub async fn committed(self) -> Result<Committed<T>, KeyError> {
        let Self { keys, actor, make } = self;
        let outcome = make(actor).await?;
        Ok(keys.committed(outcome).await)
    }
}

impl<'a, T: Send + 'a> IntoFuture for Change<'a, T> {
    type Output = Result<T, KeyError>;
    type IntoFuture = Making<'a, T>;

    fn into_future(self) -> Making<'a, T> {
        Box::pin(async move { Ok(self.committed().await?.effective().await) })
    }
}

impl<T> fmt::Debug for Change<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Change").finish_non_exhaustive()
    }
}

/// A change that is committed, and perhaps not yet known everywhere.
#[must_use = "it says from when on all processes honour the change"]
#[non_exhaustive]
pub struct Committed<T> {
    /// What was done.
    pub outcome: T,
    /// No request that begins after it is decided by what was before.
    pub effective_by: Moment,
    /// The same on the clock of this machine that cannot be set.
    settled: Uptime,
    clock: Arc<dyn Clock>,
}

impl<T> Committed<T> {
    /// How long it takes until all processes honour the change. Zero: they do.
    pub fn remaining(&self) -> Duration {
        let now = self.clock.uptime().nanoseconds();
        Duration::from_nanos(self.settled.nanoseconds().saturating_sub(now))
    }

    /// Waits until all processes honour the change.
    pub async fn effective(self) -> T {
        let remaining = self.remaining();
        if !remaining.is_zero() {
            self.clock.sleep(remaining).await;
        }
        self.outcome
    }

    /// The same change, with another outcome.
    pub fn map<U>(self, outcome: impl FnOnce(T) -> U) -> Committed<U> {
        let Self { outcome: before, effective_by, settled, clock } = self;
        Committed { outcome: outcome(before), effective_by, settled, clock }
    }
}

impl Committed<KeyRecord> {
    /// The same change, with the key as [`ApiKeys::details_after`] has it.
    pub async fn with_details(self, keys: &ApiKeys) -> Committed<KeyDetails> {
        let details = keys.details_after(self.outcome.clone()).await;
        self.map(|_| details)
    }
}

impl<T: fmt::Debug> fmt::Debug for Committed<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Committed")
            .field("outcome", &self.outcome)
            .field("effective_by", &self.effective_by)
            .finish_non_exhaustive()
    }
}

/// A change that holds everywhere so soon is waited for always, so that callers need not think of it.
const SHORT: Duration = Duration::from_millis(50);

/// What [`Committed::effective_by`] is rounded up by, at most: to whole milliseconds, twice.
const ROUNDED: Duration = Duration::from_millis(2);

impl ApiKeys {
    /// Adds to a change that was just committed the time by which every process honours it. Waits here
    /// if that time is near.
    async fn committed<T>(&self, outcome: T) -> Committed<T> {
        let clock = Arc::clone(&self.verifier.clock);
        let bound = self.staleness_bound();
        let committed = Committed {
            outcome,
            effective_by: clock.moment().plus(bound),
            // With the rounding error, so that `effective_by` is in the past once the wait is over.
            settled: Uptime::from_nanoseconds(
                clock.uptime().nanoseconds() + (bound + ROUNDED).as_nanos() as u64,
            ),
            clock,
        };
        if bound <= SHORT {
            let remaining = committed.remaining();
            committed.clock.sleep(remaining).await;
        }
        committed
    }

    /// How long after a commit a process can use an answer from before it: the lease and what is
    /// tolerated while the store is down, a thousandth more for clocks that do not run alike, and a
    /// millisecond for the time between reading the clock and reading the log.
    fn staleness_bound(&self) -> Duration {
        let used = self.store.lease() + self.store.stale_if_error();
        used + used / 1000 + Duration::from_millis(1)
    }
}
