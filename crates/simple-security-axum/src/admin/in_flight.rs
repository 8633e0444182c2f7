//! Bounds the memory that requests with the admin secret hold: their bodies, and answers that their
//! clients do not read.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::refused::Refused;

/// The maximum number of requests in progress. A request is in progress until its answer is sent
/// completely, except for a small answer.
const MAX_IN_FLIGHT: usize = 32;

/// How long one more request waits before it is rejected.
const WAIT: Duration = Duration::from_secs(5);

/// Up to this size, in bytes, an answer holds no permit: the server under the app holds as much for
/// any request. A page of a thousand keys is hundreds of times larger.
const SMALL: usize = 1024;

pub(super) fn permits() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_IN_FLIGHT))
}

/// Runs a request. Without a permit, returns 503 and changes nothing.
pub(super) async fn run(permits: &Arc<Semaphore>, request: Request, next: Next) -> Response {
    let permit = match Arc::clone(permits).try_acquire_owned() {
        Ok(permit) => permit,
        Err(_) => match timeout(WAIT, Arc::clone(permits).acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            _ => return Refused::Busy.into_response(),
        },
    };
    let (parts, body) = next.run(request).await.into_parts();
    // The body is complete: no route streams.
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let bytes = match bytes.len() {
        ..=SMALL => bytes,
        _ => Bytes::from_owner(InFlight { bytes, _permit: permit }),
    };
    Response::from_parts(parts, Body::from(bytes))
}

/// The bytes of an answer. They keep the permit until the last copy of them is dropped.
struct InFlight {
    bytes: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for InFlight {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
