//! A few connections for all but polls and lookups.

use std::ops::Deref;

use deadpool_postgres::{Manager, ManagerConfig, Object, RecyclingMethod};
use tokio_postgres::{Client, Config};

use super::connect::Connector;
use super::errors::Translator;
use crate::store::{OpenError, StoreError};

/// How many connections there are.
const SIZE: usize = 2;

/// Connections that are kept.
#[derive(Clone)]
pub(super) struct Pool(deadpool_postgres::Pool);

impl Pool {
    pub(super) fn new(connector: Connector) -> Result<Self, OpenError> {
        let fast = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        // The connector has its own settings, and looks at no others.
        let manager = Manager::from_connect(Config::new(), connector, fast);
        let pool = deadpool_postgres::Pool::builder(manager).max_size(SIZE).build();
        let pool = pool.map_err(|error| StoreError::Failed {
            reason: "there can be no connections".to_owned(),
            source: Some(error.into()),
        })?;
        Ok(Self(pool))
    }

    /// A connection that nobody else uses, now or when one is free.
    pub(super) async fn lend(&self, errors: &Translator) -> Result<Lent, StoreError> {
        let object = self.0.get().await.map_err(|error| errors.no_connection(error))?;
        Ok(Lent { object: Some(object), pool: self.clone() })
    }

    /// Closes those that nobody uses now.
    pub(super) fn leave(&self) {
        self.0.retain(|_, _| false);
    }
}

/// A connection that is closed when it is dropped, unless it was given back: whoever gives up
/// waiting leaves it in the middle of something.
pub(super) struct Lent {
    object: Option<Object>,
    pool: Pool,
}

impl Lent {
    /// Lets others use it: nothing is under way on it.
    pub(super) fn give_back(mut self) {
        drop(self.object.take());
    }
}

impl Deref for Lent {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.object.as_ref().expect("it is there until it is given back")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            drop(Object::take(object));
            // What made this one hang has most likely hit the others.
            self.pool.leave();
        }
    }
}
