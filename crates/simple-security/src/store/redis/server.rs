//! The server of an open store: its connections, and how long it may take.

use std::sync::Arc;
use std::time::Duration;

use super::connect::Connector;
use super::connection::SharedConnection;
use crate::store::network::Bounds;

/// How long a lookup or a poll may take, with connecting.
pub(super) const LOOKUP: Duration = Duration::from_secs(1);
/// How long a change, or a batch of counts, may take.
pub(super) const CHANGE: Duration = Duration::from_secs(10);
/// How long some hundred keys of a list, or of an import, may take.
pub(super) const CHUNK: Duration = Duration::from_secs(60);

pub(super) struct Server {
    pub(super) connector: Arc<Connector>,
    /// For what must be quick.
    pub(super) lookups: SharedConnection,
    /// For all else.
    pub(super) others: SharedConnection,
    /// The store that was opened, 16 bytes in hexadecimal.
    pub(super) id: String,
    pub(super) bounds: Bounds,
}
