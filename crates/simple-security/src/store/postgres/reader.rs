//! The connection that polls and lookups are made on. It hears when something has changed, too.
//!
//! Both on one, so that both come from one server: after a failover, a lookup on a connection to the
//! old primary would know nothing of what a poll on the new one has applied. And so there is no
//! queue for connections, which a flood of lookups could fill: they are sent one right after the other.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Row};

use super::connect::{Connector, Driver};
use super::errors::Translator;
use super::pool::Pool;
use super::query::Query;
use crate::store::StoreError;
use crate::store::network::within;

/// How long a poll of the change log and a lookup may take.
pub(super) const LOOKUP_TIMEOUT: Duration = Duration::from_secs(1);

/// What the triggers speak on.
const LISTEN: &str = "LISTEN simple_security_changes";

pub(super) struct Reader {
    connector: Connector,
    errors: Arc<Translator>,
    connecting: Mutex<Option<Connecting>>,
    changed: Arc<Notify>,
    /// Those of a server that was left are left with it.
    others: Pool,
}

/// A connection that is being made, or was made. It is made for all that wait, and goes on when one
/// of them gives up: else each of a crowd would begin anew with the little time that it has left.
type Connecting = Shared<BoxFuture<'static, Result<Arc<Connection>, Arc<StoreError>>>>;

struct Connection {
    client: Client,
    driven: JoinHandle<()>,
    broken: AtomicBool,
}

impl Reader {
    pub(super) fn new(connector: Connector, errors: Arc<Translator>, others: Pool) -> Self {
        let (connecting, changed) = (Mutex::new(None), Arc::new(Notify::new()));
        Self { connector, errors, connecting, changed, others }
    }

    /// Wakes whoever waits when something has changed, as far as it is heard here.
    pub(super) fn changed(&self) -> &Notify {
        &self.changed
    }

    /// Asks on the connection; many may ask at once. One on which an answer was not waited for is
    /// not used again.
    pub(super) async fn ask(
        &self,
        doing: &str,
        query: &Query,
        limit: Duration,
    ) -> Result<Vec<Row>, StoreError> {
        let connection = self.connection().await?;
        let mut asked = Asked { connection: &connection, is_answered: false };
        let rows = query.ask_alone(&connection.client, limit).await;
        let rows = rows.map_err(|error| self.errors.translate(doing, error));
        asked.is_answered = rows.as_ref().err().is_none_or(|error| !error.is_outage());
        rows
    }

    /// Closes the connection: it speaks to a server that is not the right one any more.
    pub(super) fn disconnect(&self) {
        let mut connecting = self.connecting.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is being made is another one already.
        connecting.take_if(|connecting| connecting.peek().is_some());
    }

    /// The connection, or a new one. There is never more than one.
    async fn connection(&self) -> Result<Arc<Connection>, StoreError> {
        let connecting = {
            let mut slot = self.connecting.lock().unwrap_or_else(PoisonError::into_inner);
            let usable = |connecting: &&Connecting| match connecting.peek() {
                None => true,
                Some(made) => made.as_ref().is_ok_and(|connection| connection.is_good()),
            };
            match slot.as_ref().filter(usable) {
                Some(connecting) => connecting.clone(),
                None => slot.insert(self.connect()).clone(),
            }
        };
        connecting.await.map_err(|error| StoreError::Unreachable {
            place: self.errors.place().to_owned(),
            reason: match &*error {
                StoreError::Unreachable { reason, .. } => reason.clone(),
                other => other.to_string(),
            },
            source: Some(error.into()),
        })
    }

    /// Makes a connection, on a task of its own.
    fn connect(&self) -> Connecting {
        let (connector, errors) = (self.connector.clone(), Arc::clone(&self.errors));
        let (changed, others) = (Arc::clone(&self.changed), self.others.clone());
        let made = tokio::spawn(async move {
            within(LOOKUP_TIMEOUT, errors.place(), async {
                let connected = connector.connect().await;
                let (client, driver) = connected.map_err(|error| errors.not_connected(error))?;
                others.leave();
                let driven = tokio::spawn(drive(driver, changed));
                let made = Connection { client, driven, broken: AtomicBool::new(false) };
                // A pooler may refuse it, or let it come to nothing: it is only for speed.
                let _ = made.client.batch_execute(LISTEN).await;
                Ok(Arc::new(made))
            })
            .await
        });
        let made = made.map(|made| match made {
            Ok(made) => made.map_err(Arc::new),
            Err(error) => Err(Arc::new(StoreError::Failed {
                reason: "the thread of the store has stopped".to_owned(),
                source: Some(error.into()),
            })),
        });
        made.boxed().shared()
    }
}

impl Connection {
    fn is_good(&self) -> bool {
        !self.broken.load(Ordering::Acquire) && !self.client.is_closed()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driven.abort();
    }
}

/// A question. Dropped without an answer it breaks the connection, for all that ask on it.
struct Asked<'a> {
    connection: &'a Connection,
    is_answered: bool,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.connection.broken.store(true, Ordering::Release);
            self.connection.driven.abort();
        }
    }
}

async fn drive(mut driver: Driver, changed: Arc<Notify>) {
    while let Some(Ok(message)) = poll_fn(|context| driver.poll_message(context)).await {
        if let AsyncMessage::Notification(_) = message {
            changed.notify_one();
        }
    }
}
