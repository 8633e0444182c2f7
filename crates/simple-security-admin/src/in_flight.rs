//! Limits the memory that requests with the admin secret hold: their bodies, and responses that their
//! clients do not read.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::blocking::within;
use crate::rejection::Rejection;

/// The maximum number of requests in progress. A request is in progress until its response is
/// sent completely, except for a small response.
pub const MAX_IN_FLIGHT: usize = 32;

/// How long one more request waits before it is rejected; outside tokio it does not wait.
const WAIT: Duration = Duration::from_secs(5);

/// Up to this size, in bytes, a response holds no permit: the server under the app holds as much for
/// any request. A page of a thousand keys is hundreds of times larger.
const SMALL: usize = 1024;

pub(crate) fn permits() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_IN_FLIGHT))
}

/// Runs a request. Without a permit, returns 503 and changes nothing.
pub(crate) async fn run(permits: &Arc<Semaphore>, request: Request, next: Next) -> Response {
    let permit = match Arc::clone(permits).try_acquire_owned() {
        Ok(permit) => permit,
        Err(_) => match within(WAIT, Arc::clone(permits).acquire_owned()).await {
            Some(Ok(permit)) => permit,
            _ => return Rejection::Busy.into_response(),
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

/// The bytes of a response. They keep the permit until the last copy of them is dropped.
struct InFlight {
    bytes: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for InFlight {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
