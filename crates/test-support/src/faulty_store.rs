//! A store that counts its calls, and fails, waits or becomes another store when a test says so.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use simple_security::store::{
    ChangeBatch, ChangeLog, Existing, Inserted, KeyRecords, KeySource, KeyStore, Lifecycle,
    LogPosition, Operation, Outcome, Poll, SharedSecret, StoreError, StoreFuture, UsageBatch,
    UsageTotals,
};
use simple_security::{
    Actor, KeyDigest, KeyId, KeyRecord, KeyReference, PageRequest, StoredKey, Timestamp, Usage,
};
use tokio::sync::oneshot;

/// When a batch of counts fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Before anything is written.
    Before,
    /// After it is written: the answer is lost on the way.
    After,
    /// Before anything is written, by a store that does not answer.
    Outage,
}

/// A store around another one; see the module.
pub struct FaultyStore {
    inner: Mutex<Arc<dyn KeyStore>>,
    /// How many records were asked for.
    pub finds: AtomicUsize,
    /// How often the log was read.
    pub readings: AtomicUsize,
    /// How many batches of counts were sent.
    pub batches: AtomicUsize,
    /// Nothing can be asked.
    pub down: AtomicBool,
    /// It goes down when it has answered the next change.
    pub goes_down: AtomicBool,
    /// How the next batches of counts fail, the first one last.
    pub faults: Mutex<Vec<Option<Fault>>>,
    /// Calls of `find` wait once they have their answer.
    pub hold_finds: AtomicBool,
    /// Calls of `reading` wait once they have their answer.
    pub hold_readings: AtomicBool,
    /// Batches of counts wait before they are written.
    pub hold_batches: AtomicBool,
    /// Changes wait before they are written, as they do on the way to another machine.
    pub hold_changes: AtomicBool,
    /// Many machines share it.
    pub is_shared: AtomicBool,
    /// It is on the network: how long an answer may be used, and how long more while it is down.
    pub far: Option<(Duration, Duration)>,
    /// What an engine has given it, to be told of changes.
    pub refresh: Mutex<Option<Poll>>,
    /// The calls that wait.
    pub held: Mutex<Vec<oneshot::Sender<()>>>,
}

impl FaultyStore {
    /// Wraps a store, and is embedded.
    pub fn new(inner: Arc<dyn KeyStore>) -> Arc<Self> {
        Self::at(None, inner)
    }

    /// Wraps a store as one on the network: with a lease, and for how much longer an answer counts
    /// while the store is down.
    pub fn far(lease: Duration, stale: Duration, inner: Arc<dyn KeyStore>) -> Arc<Self> {
        Self::at(Some((lease, stale)), inner)
    }

    fn at(far: Option<(Duration, Duration)>, inner: Arc<dyn KeyStore>) -> Arc<Self> {
        Arc::new(Self {
            far,
            refresh: Mutex::new(None),
            inner: Mutex::new(inner),
            finds: AtomicUsize::new(0),
            readings: AtomicUsize::new(0),
            batches: AtomicUsize::new(0),
            down: AtomicBool::new(false),
            goes_down: AtomicBool::new(false),
            faults: Mutex::new(Vec::new()),
            hold_finds: AtomicBool::new(false),
            hold_readings: AtomicBool::new(false),
            hold_batches: AtomicBool::new(false),
            hold_changes: AtomicBool::new(false),
            is_shared: AtomicBool::new(false),
            held: Mutex::new(Vec::new()),
        })
    }

    /// From now on it is another store, as after a restore.
    pub fn become_another(&self, inner: Arc<dyn KeyStore>) {
        *self.inner.lock().expect("the store") = inner;
    }

    /// Lets all calls go on that wait.
    pub fn release(&self) {
        self.held.lock().expect("those held").clear();
    }

    /// Lets the call go on that came last.
    pub fn release_newest(&self) {
        drop(self.held.lock().expect("those held").pop());
    }

    /// The numbers of `find` and `reading` until now.
    pub fn asked(&self) -> (usize, usize) {
        (self.finds.load(Ordering::SeqCst), self.readings.load(Ordering::SeqCst))
    }

    fn inner(&self) -> Arc<dyn KeyStore> {
        Arc::clone(&self.inner.lock().expect("the store"))
    }

    fn refuse_if_down(&self) -> Result<(), StoreError> {
        match (self.down.load(Ordering::SeqCst), self.far) {
            (false, _) => Ok(()),
            (true, None) => Err(failed("before")),
            (true, Some(_)) => Err(unreachable()),
        }
    }

    async fn wait_if(&self, held: &AtomicBool) {
        if held.load(Ordering::SeqCst) {
            let (sender, receiver) = oneshot::channel();
            self.held.lock().expect("those held").push(sender);
            // Letting go is dropping the sender.
            let _ = receiver.await;
        }
    }
}

fn unreachable() -> StoreError {
    StoreError::Unreachable {
        place: "far away".to_owned(),
        reason: "it is down".to_owned(),
        source: None,
    }
}

fn failed(when: &str) -> StoreError {
    StoreError::Failed { reason: format!("out of order, {when} writing"), source: None }
}

impl KeyRecords for FaultyStore {
    fn commit<'a>(
        &'a self,
        operations: Vec<Operation>,
        actor: &'a Actor,
    ) -> StoreFuture<'a, Vec<Outcome>> {
        Box::pin(async move {
            self.refuse_if_down()?;
            self.wait_if(&self.hold_changes).await;
            let committed = self.inner().commit(operations, actor).await;
            if self.goes_down.swap(false, Ordering::SeqCst) {
                self.down.store(true, Ordering::SeqCst);
            }
            committed
        })
    }

    fn insert_all<'a>(
        &'a self,
        keys: KeySource,
        existing: Existing,
        actor: &'a Actor,
    ) -> StoreFuture<'a, Inserted> {
        Box::pin(async move {
            self.refuse_if_down()?;
            self.inner().insert_all(keys, existing, actor).await
        })
    }

    fn find(&self, key: KeyReference) -> StoreFuture<'_, Option<KeyRecord>> {
        Box::pin(async move {
            self.finds.fetch_add(1, Ordering::SeqCst);
            self.refuse_if_down()?;
            let found = self.inner().find(key).await;
            self.wait_if(&self.hold_finds).await;
            found
        })
    }

    fn page<'a>(
        &'a self,
        request: &'a PageRequest,
        now: Timestamp,
    ) -> StoreFuture<'a, Vec<StoredKey>> {
        Box::pin(async move {
            self.refuse_if_down()?;
            self.inner().page(request, now).await
        })
    }

    fn list(&self) -> StoreFuture<'_, Vec<(KeyRecord, Usage)>> {
        Box::pin(async move {
            self.refuse_if_down()?;
            self.inner().list().await
        })
    }
}

impl UsageTotals for FaultyStore {
    fn usage(&self, id: KeyId) -> StoreFuture<'_, Option<Usage>> {
        Box::pin(async move {
            self.refuse_if_down()?;
            self.inner().usage(id).await
        })
    }

    fn add_usage<'a>(&'a self, batch: &'a UsageBatch) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.batches.fetch_add(1, Ordering::SeqCst);
            self.refuse_if_down()?;
            self.wait_if(&self.hold_batches).await;
            let fault = self.faults.lock().expect("the faults").pop().flatten();
            if fault == Some(Fault::Before) {
                return Err(failed("before"));
            }
            if fault == Some(Fault::Outage) {
                return Err(unreachable());
            }
            self.inner().add_usage(batch).await?;
            if fault == Some(Fault::After) {
                return Err(failed("after"));
            }
            Ok(())
        })
    }
}

impl ChangeLog for FaultyStore {
    fn lease(&self) -> Duration {
        self.far.map_or_else(|| self.inner().lease(), |(lease, _)| lease)
    }

    fn stale_if_error(&self) -> Duration {
        self.far.map_or(Duration::ZERO, |(_, stale)| stale)
    }

    fn changes_since(&self, after: Option<LogPosition>) -> StoreFuture<'_, ChangeBatch> {
        Box::pin(async move {
            self.readings.fetch_add(1, Ordering::SeqCst);
            self.refuse_if_down()?;
            let reading = self.inner().changes_since(after).await;
            self.wait_if(&self.hold_readings).await;
            reading
        })
    }

    fn poll_changes(&self, refresh: Poll) {
        *self.refresh.lock().expect("the callback") = Some(refresh);
    }
}

impl SharedSecret for FaultyStore {
    fn agree_on_admin_secret(&self, offered: KeyDigest) -> StoreFuture<'_, Option<KeyDigest>> {
        Box::pin(async move {
            match self.is_shared.load(Ordering::SeqCst) {
                true => Ok(None),
                false => self.inner().agree_on_admin_secret(offered).await,
            }
        })
    }
}

impl Lifecycle for FaultyStore {
    fn is_embedded(&self) -> bool {
        self.far.is_none()
    }
}
