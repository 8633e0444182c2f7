//! What only the PostgreSQL store does: edits by hand, versions side by side, and servers that go
//! away in every way they can.

use std::sync::Arc;
use std::time::Duration;

use simple_security::clock::{Clock, SystemClock};
use simple_security::store::Location;
use simple_security::store::{
    Changed, KeyStore, LogPosition, OpenError, PostgresStore, StoreError, UsageBatch,
};
use simple_security::{KeyChange, KeyDigest, KeyRecord, KeyReference, Usage};
use test_support::records::{at, digest, id, record};
use test_support::{commits, servers, wait};

mod by_hand;
mod encrypted;
mod failover;
mod opening;
mod outages;
mod owned;
mod pooled;
mod triggers;

/// A store, as one process has it.
struct Keys(Arc<dyn KeyStore>);

impl Keys {
    #[track_caller]
    fn open(url: &str) -> Self {
        Self::try_open(url).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_open(url: &str) -> Result<Self, OpenError> {
        match Location::parse(url).expect("a location") {
            Location::Postgres(server) => Ok(Self(Arc::new(PostgresStore::open(&server)?))),
            other => panic!("{other}"),
        }
    }

    #[track_caller]
    fn refused(url: &str) -> OpenError {
        match Self::try_open(url) {
            Ok(_) => panic!("{url} was opened"),
            Err(error) => error,
        }
    }

    #[track_caller]
    fn insert(&self, number: u32) {
        commits::insert(&*self.0, digest(number), &record(number)).expect("insert");
    }

    fn try_find(&self, number: u32) -> Result<Option<KeyRecord>, StoreError> {
        wait(self.0.find(KeyReference::Digest(digest(number))))
    }

    fn try_read(&self, after: Option<LogPosition>) -> Result<Vec<KeyDigest>, StoreError> {
        match wait(self.0.changes_since(after))?.changed {
            Changed::Keys(digests) => Ok(digests),
            Changed::Anything => panic!("the log lacks the row"),
        }
    }

    #[track_caller]
    fn mark(&self) -> LogPosition {
        wait(self.0.changes_since(None)).expect("a reading").end
    }

    /// The keys that changed after `mark`, in the order of their digests; the mark moves on.
    #[track_caller]
    fn changed(&self, mark: &mut LogPosition) -> Vec<KeyDigest> {
        let reading = wait(self.0.changes_since(Some(*mark))).expect("a reading");
        *mark = reading.end;
        let Changed::Keys(mut digests) = reading.changed else { panic!("the log lacks {mark:?}") };
        digests.sort_by_key(|digest| *digest.as_bytes());
        digests
    }

    #[track_caller]
    fn usage(&self, number: u32) -> Option<Usage> {
        wait(self.0.usage(id(number))).expect("usage")
    }

    fn try_add(&self, number: u64, key: u32, count: u64) -> Result<(), StoreError> {
        let (writer, counts) = ([7; 16], vec![(id(key), count, at(300))]);
        wait(self.0.add_usage(&UsageBatch { writer, number, made_at: at(1000), counts }))
    }

    fn try_revoke(&self, number: u32) -> Result<Option<KeyRecord>, StoreError> {
        let revoked = commits::change(&*self.0, id(number), KeyChange::revoke(at(200)))?;
        Ok(revoked.and_then(|outcome| outcome.before).map(|image| image.record))
    }
}

/// Digests as [`Keys::changed`] gives them.
fn digests(numbers: impl IntoIterator<Item = u32>) -> Vec<KeyDigest> {
    let mut digests: Vec<_> = numbers.into_iter().map(digest).collect();
    digests.sort_by_key(|digest| *digest.as_bytes());
    digests
}

/// How long something took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = SystemClock.uptime().nanoseconds();
    let done = work();
    (done, Duration::from_nanos(SystemClock.uptime().nanoseconds() - begun))
}

fn is_unreachable<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unreachable { .. }))
}
