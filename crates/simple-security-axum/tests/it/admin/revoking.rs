//! Revoked means revoked: when the answer has come, nobody lets the key in.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use http::Method;
use serde_json::json;
use simple_security::ApiKeys;
use simple_security::clock::SystemClock;
use simple_security::store::SqliteStore;
use simple_security_axum::RequireApiKeyLayer;

use super::{app, issue, request, request_with, send};
use crate::{echo, request as request_for};

const ROUNDS: usize = 30;

/// An engine as a process has it, with the clock of the system.
fn engine(path: &Path) -> Arc<ApiKeys> {
    let store = Arc::new(SqliteStore::open(path).expect("a store"));
    Arc::new(test_support::engine(store, &Arc::new(SystemClock)))
}

fn guarded(keys: &Arc<ApiKeys>) -> Router {
    echo().layer(RequireApiKeyLayer::new(Arc::clone(keys)))
}

async fn status(app: &Router, key: &str) -> u16 {
    crate::answer(app, request_for("/", &[("x-api-key", key)])).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_this_engine_and_by_another_on_the_same_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.db");
    let (one, other) = (engine(&path), engine(&path));
    let (admin, guarded) = (app(&one), [guarded(&one), guarded(&other)]);
    for round in 0..ROUNDS {
        let (id, key) = issue(&admin).await;
        for guarded in &guarded {
            assert_eq!(status(guarded, &key).await, 200, "a new key is let in, round {round}");
        }
        let path = format!("/keys/{id}");
        let change = match round % 3 {
            0 => request(Method::POST, &format!("{path}/revoke")),
            1 => request(Method::DELETE, &path),
            _ => {
                let edit = json!({"expires_at": "2000-01-01T00:00:00Z"});
                request_with(Method::PATCH, &path, edit.to_string())
            }
        };
        let answer = send(&admin, change).await;
        // At once: a second look would be too late to see what a slow engine still lets in.
        let (first, second) = (status(&guarded[1], &key).await, status(&guarded[0], &key).await);
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!((first, second), (401, 401), "round {round}");
    }
}
