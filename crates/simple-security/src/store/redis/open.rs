//! Opening a store, and making one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;

use super::connect::Connector;
use super::scripts::{MAKE, STORE};
use super::server::CHANGE;
use super::{requirements, rows};
use crate::store::location::Server;
use crate::store::network::{self, Bounds};
use crate::store::{OpenError, StoreError};

/// How the keys are written. A program that knows less than what a store asks for leaves it alone.
const FORMAT: i64 = 1;
/// What a program must know to work with what this one writes.
const MINIMUM: i64 = 1;

/// The id of the store and its bounds.
pub(super) async fn open(
    connector: Arc<Connector>,
    server: Server,
    make: bool,
) -> Result<(String, Bounds), OpenError> {
    network::within(CHANGE, &connector.place, async {
        let mut connection = connector.connect().await?;
        let commands = &mut connection.commands;
        requirements::check(&connector, server.may_lose, commands).await?;
        if make {
            make_store(&connector, Bounds::wanted(&server), commands).await?;
        }
        let (id, bounds) = read(&connector, commands).await?;
        Ok((id, bounds.agree(&server)?))
    })
    .await
}

async fn make_store(
    connector: &Connector,
    bounds: Bounds,
    commands: &mut MultiplexedConnection,
) -> Result<(), StoreError> {
    let id = rows::hexadecimal(&rows::random::<16>()?);
    let microseconds = |bound: Duration| bound.as_micros() as u64;
    MAKE.key(STORE)
        .arg(id)
        .arg(FORMAT)
        .arg(MINIMUM)
        .arg(microseconds(bounds.max_staleness))
        .arg(microseconds(bounds.stale_if_error))
        .arg(&rows::mark()?)
        .invoke_async(commands)
        .await
        .map_err(|error| connector.failed(error))
}

async fn read(
    connector: &Connector,
    commands: &mut MultiplexedConnection,
) -> Result<(String, Bounds), OpenError> {
    let place = || connector.place.clone();
    let mut fields: HashMap<String, String> = redis::cmd("HGETALL")
        .arg(STORE)
        .query_async(commands)
        .await
        .map_err(|error| connector.failed(error))?;
    let Some(id) = fields.remove("id") else { return Err(OpenError::NotMade { place: place() }) };
    let number = |field| {
        let value = fields.get(field).and_then(|value| value.parse::<i64>().ok());
        value.ok_or_else(|| OpenError::Unsuitable {
            place: place(),
            reason: format!("{STORE} is damaged: it has no {field}. Restore it from a backup"),
            source: None,
        })
    };
    let minimum = number("minimum")?;
    if minimum > FORMAT {
        return Err(OpenError::NewerSchema { place: place(), found: minimum, known: FORMAT });
    }
    let microseconds = |value: i64| Duration::from_micros(value.try_into().unwrap_or(0));
    let max_staleness = microseconds(number("max_staleness")?);
    let stale_if_error = microseconds(number("stale_if_error")?);
    Ok((id, Bounds { max_staleness, stale_if_error }))
}
