//! The engine works inside tokio's runtimes, and without any.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use simple_security::clock::SystemClock;
use simple_security::testing::Place;
use simple_security::{ApiKeys, NewKey, Renewal, VerifyError};
use tokio::runtime::{Builder, Runtime};

use super::{engine, on_every_store};

on_every_store!(
    it_works_in_a_runtime_with_many_threads,
    it_works_in_a_runtime_with_one_thread,
    it_works_without_a_runtime,
    it_is_closed_and_dropped_within_a_runtime,
    it_is_closed_while_a_task_of_the_same_thread_lists,
);

fn open(place: &dyn Place) -> Arc<ApiKeys> {
    Arc::new(engine(place.open(), &Arc::new(SystemClock)))
}

/// Issues, verifies by many tasks at once, revokes, and counts.
async fn use_a_key(keys: Arc<ApiKeys>, tasks: u64) {
    let issued = keys.issue(NewKey::default()).await.expect("a key");
    let (id, key) = (issued.record.id, Arc::new(issued.key.expose().to_owned()));
    if tasks == 0 {
        keys.verify(key.as_bytes()).await.expect("verified");
    }
    let verifying: Vec<_> = (0..tasks)
        .map(|_| {
            let (keys, key) = (Arc::clone(&keys), Arc::clone(&key));
            tokio::spawn(async move { keys.verify(key.as_bytes()).await.map(|key| key.id()) })
        })
        .collect();
    for task in verifying {
        assert_eq!(task.await.expect("a task").expect("verified"), id);
    }
    assert_eq!(keys.usage(id).await.expect("usage").total, tasks.max(1));
    keys.revoke(id).await.expect("revoked");
    assert!(matches!(keys.verify(key.as_bytes()).await, Err(VerifyError::Revoked(_))));
    assert!(keys.renew(id, Renewal::DefaultLifetime).await.expect("renewed").was_revoked);
    keys.verify(key.as_bytes()).await.expect("verified");
    assert_eq!(keys.list().await.expect("a list")[0].1.total, tasks.max(1) + 1);
}

fn it_works_in_a_runtime_with_many_threads(place: &dyn Place) {
    Runtime::new().expect("a runtime").block_on(async {
        let keys = open(place);
        tokio::spawn(use_a_key(Arc::clone(&keys), 100)).await.expect("the task");
    });
}

fn it_works_in_a_runtime_with_one_thread(place: &dyn Place) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(use_a_key(open(place), 100));
}

fn it_works_without_a_runtime(place: &dyn Place) {
    pollster::block_on(use_a_key(open(place), 0));
}

fn it_is_closed_and_dropped_within_a_runtime(place: &dyn Place) {
    let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let (keys, other) = (open(place), open(place));
        let issued = keys.issue(NewKey::default()).await.expect("a key");
        for _ in 0..2 {
            keys.verify(issued.key.expose().as_bytes()).await.expect("verified");
            keys.close();
        }
        keys.verify(issued.key.expose().as_bytes()).await.expect("verified");
        drop(keys);
        assert_eq!(other.usage(issued.record.id).await.expect("usage").total, 3);
    });
}

fn it_is_closed_while_a_task_of_the_same_thread_lists(place: &dyn Place) {
    let keys = open(place);
    let (done, waiting) = mpsc::channel();
    // On a thread of its own: if it hung, nothing else would tell.
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let total = runtime.block_on(async {
            let issued = keys.issue(NewKey::default()).await.expect("a key");
            keys.verify(issued.key.expose().as_bytes()).await.expect("verified");
            let listing = tokio::spawn({
                let keys = Arc::clone(&keys);
                async move { keys.list().await.expect("a list")[0].1.total }
            });
            tokio::task::yield_now().await;
            keys.close();
            listing.await.expect("the task")
        });
        done.send(total)
    });
    assert_eq!(waiting.recv_timeout(Duration::from_secs(20)), Ok(1), "it hangs");
}
