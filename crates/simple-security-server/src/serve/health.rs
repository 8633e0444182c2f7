//! Whether the process runs, and whether it can verify keys. Neither asks for a credential, and
//! neither tells a reason: that is in the log.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderName, StatusCode};
use simple_security::{ApiKeys, LogThrottle};

pub(super) fn routes(keys: Arc<ApiKeys>) -> Router {
    Router::new()
        .route("/healthz", get(async || ([NO_STORE], "ok")))
        .route("/readyz", get(ready))
        .with_state(keys)
}

const NO_STORE: (HeaderName, &str) = (CACHE_CONTROL, "no-store");

/// A reading of the store, as a request would cause it.
async fn ready(
    State(keys): State<Arc<ApiKeys>>,
) -> Result<([(HeaderName, &'static str); 1], &'static str), Unready> {
    match keys.read_changes().await {
        Ok(()) => Ok(([NO_STORE], "ready")),
        Err(error) => {
            // Anyone may ask, as often as they like.
            static UNREADY: LogThrottle = LogThrottle::new();
            if UNREADY.record().is_some() {
                tracing::error!(%error, "not ready: the store cannot be asked");
            }
            Err((StatusCode::SERVICE_UNAVAILABLE, [NO_STORE, (RETRY_AFTER, "1")], "unavailable"))
        }
    }
}

type Unready = (StatusCode, [(HeaderName, &'static str); 2], &'static str);
