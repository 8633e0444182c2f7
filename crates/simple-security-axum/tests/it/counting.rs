//! Every accepted request is counted, once.

use std::sync::Arc;

use crate::{Engine, Layered as _, ask, guarded};

const TASKS: u64 = 64;
const REQUESTS: u64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_are_counted_exactly() {
    let engine = Arc::new(Engine::new());
    let issued = engine.issue("key").await;
    let other = engine.issue("other").await;
    let app = guarded(engine.layer()).layer(engine.layer());
    let (good, wrong) = (issued.key.expose().to_owned(), issued.key.expose()[..54].to_owned());
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (app, engine) = (app.clone(), Arc::clone(&engine));
            let (good, wrong) = (good.clone(), wrong.clone());
            tokio::spawn(async move {
                for number in 0..REQUESTS {
                    assert_eq!(ask(&app, &[("x-api-key", &good)]).await.status, 200);
                    assert_eq!(ask(&app, &[("x-api-key", &wrong)]).await.status, 401);
                    if (task + number) % 10 == 0 {
                        engine.let_the_lease_end();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task");
    }
    assert_eq!(engine.counted(issued.record.id).await, TASKS * REQUESTS);
    assert_eq!(engine.counted(other.record.id).await, 0);
}

#[tokio::test]
async fn no_request_that_begins_after_a_revocation_passes() {
    let engine = Engine::new();
    let app = guarded(engine.layer());
    for _ in 0..100 {
        let issued = engine.issue("key").await;
        let sent = [("x-api-key", issued.key.expose())];
        assert_eq!(ask(&app, &sent).await.status, 200);
        engine.keys.revoke(issued.record.id).await.expect("revoked");
        assert_eq!(ask(&app, &sent).await.status, 401);
        assert_eq!(engine.counted(issued.record.id).await, 1);
    }
}
