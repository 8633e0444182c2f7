//! The connection that reads the change log, and hears when something has changed.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Row};

use super::super::StoreError;
use super::connect::{Connector, Driver};
use super::errors::Translator;
use super::query::Query;

/// What the triggers speak on.
const LISTEN: &str = "LISTEN simple_security_changes";

pub(super) struct Reader {
    connector: Connector,
    connection: Mutex<Option<Arc<Connection>>>,
    changed: Arc<Notify>,
}

struct Connection {
    client: Client,
    driven: JoinHandle<()>,
    broken: AtomicBool,
}

impl Reader {
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, connection: Mutex::new(None), changed: Arc::new(Notify::new()) }
    }

    /// Wakes whoever waits when something has changed, as far as it is heard here.
    pub(super) fn changed(&self) -> &Notify {
        &self.changed
    }

    /// Asks on the connection; several may ask at once. One on which an answer was not waited for
    /// is not used again.
    pub(super) async fn read(
        &self,
        query: &Query,
        limit: Duration,
        errors: &Translator,
    ) -> Result<Vec<Row>, StoreError> {
        let connection = self.connect(errors).await?;
        let mut asked = Asked { connection: &connection, is_answered: false };
        let rows = query.ask_alone(&connection.client, limit).await;
        let rows = rows.map_err(|error| errors.translate("reading the change log", error));
        asked.is_answered = rows.as_ref().err().is_none_or(|error| !error.is_outage());
        rows
    }

    /// The connection, or a new one. There is never more than one.
    async fn connect(&self, errors: &Translator) -> Result<Arc<Connection>, StoreError> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = connection.as_ref().filter(|connection| connection.is_good()) {
            return Ok(Arc::clone(connection));
        }
        *connection = None;
        let connected = self.connector.connect().await;
        let (client, driver) = connected.map_err(|error| errors.not_connected(error))?;
        let driven = tokio::spawn(drive(driver, Arc::clone(&self.changed)));
        let made = Connection { client, driven, broken: AtomicBool::new(false) };
        let made = Arc::new(made);
        // A pooler may refuse it, or let it come to nothing: it is only for speed.
        let _ = made.client.batch_execute(LISTEN).await;
        *connection = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Closes the connection: it speaks to a server that is not the right one any more.
    pub(super) fn disconnect(&self) {
        // Where it is locked, another one is being made.
        if let Ok(mut connection) = self.connection.try_lock() {
            *connection = None;
        }
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
