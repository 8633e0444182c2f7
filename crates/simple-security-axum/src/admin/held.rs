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

/// How many requests are worked on, or have an answer that is not sent to its end.
const MAX_PLACES: usize = 32;

/// How long one more waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Up to this size, in bytes, an answer needs no place: whatever serves the app holds as much for a
/// request. A page of a thousand keys has hundreds of times as much.
const SMALL: usize = 1024;

pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_PLACES))
}

/// The answer to a request. Without a place it is 503, and nothing was done.
pub(super) async fn answer(places: &Arc<Semaphore>, request: Request, next: Next) -> Response {
    let place = match Arc::clone(places).try_acquire_owned() {
        Ok(place) => place,
        Err(_) => match timeout(PATIENCE, Arc::clone(places).acquire_owned()).await {
            Ok(Ok(place)) => place,
            _ => return Refused::Busy.into_response(),
        },
    };
    let (parts, body) = next.run(request).await.into_parts();
    // All of it is there already: no route streams.
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let bytes = match bytes.len() {
        ..=SMALL => bytes,
        _ => Bytes::from_owner(Held { bytes, _place: place }),
    };
    Response::from_parts(parts, Body::from(bytes))
}

/// The bytes of an answer, with its place until the last copy of them is dropped, wherever it is.
struct Held {
    bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
