//! One connection for many callers, made anew when it is lost.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisResult, ScriptInvocation};
use tokio::time::Instant;

use super::connect::{Connection, Connector};
use super::errors;
use crate::store::{StoreError, network};
use crate::sync::{Mutex, lock};

/// How long after a vain attempt to connect the next one is made: at first, and at most.
const DELAY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(250));

/// How often something is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Once: it may have been done although no answer came.
    Once,
    /// Again, where the connection is lost: it changes nothing.
    Again,
}

pub(super) struct Line {
    connector: Arc<Connector>,
    state: Mutex<State>,
    /// Held by the one who connects for all.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    /// How many connections there were.
    generation: u64,
    failure: Option<Failure>,
}

/// The last attempt to connect was in vain.
struct Failure {
    at: Instant,
    delay: Duration,
    reason: String,
}

impl Line {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        Self { connector, state: Mutex::default(), connecting: tokio::sync::Mutex::default() }
    }

    /// Runs a script.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        deadline: Duration,
        sent: Sent,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let work = |mut commands| async move { script.invoke_async(&mut commands).await };
        self.ask(deadline, sent, work).await
    }

    /// Does some work on the connection, in time. A connection on which it was not done in time is
    /// thrown away: what comes on it later would be waited for in vain again.
    pub(super) async fn ask<T, F: Future<Output = RedisResult<T>>>(
        &self,
        deadline: Duration,
        sent: Sent,
        work: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError> {
        let mut used = 0;
        let done = network::within(deadline, &self.connector.place, async {
            loop {
                let last = sent == Sent::Once || used != 0;
                let (commands, generation) = self.connection().await?;
                used = generation;
                match work(commands).await {
                    Ok(done) => return Ok(done),
                    Err(error) if errors::is_lost(&error) && !last => self.forget(used),
                    Err(error) => return Err(self.connector.failed(error)),
                }
            }
        });
        let done = done.await;
        if done.as_ref().is_err_and(errors::is_elsewhere) {
            self.forget(used);
        }
        done
    }

    /// The connection, and its number.
    async fn connection(&self) -> Result<(MultiplexedConnection, u64), StoreError> {
        if let Some(connection) = self.there() {
            return Ok(connection);
        }
        let _alone = self.connecting.lock().await;
        if let Some(connection) = self.there() {
            return Ok(connection);
        }
        let delay = self.delay()?;
        let connected = self.connector.connect().await;
        let mut state = lock(&self.state);
        let connection = connected.inspect_err(|error| {
            if let StoreError::Unreachable { reason, .. } = error {
                let reason = reason.clone();
                state.failure = Some(Failure { at: Instant::now(), delay, reason });
            }
        })?;
        let commands = connection.commands.clone();
        state.connection = Some(connection);
        state.generation += 1;
        state.failure = None;
        Ok((commands, state.generation))
    }

    /// The connection that is there. One that the server has closed is found out before anything is
    /// sent on it.
    fn there(&self) -> Option<(MultiplexedConnection, u64)> {
        let mut state = lock(&self.state);
        state.connection.take_if(|connection| connection.driver.is_finished());
        let commands = state.connection.as_ref()?.commands.clone();
        Some((commands, state.generation))
    }

    /// How long it will be until another attempt, if the one that is made now is in vain. An error
    /// where the last one was a moment ago.
    fn delay(&self) -> Result<Duration, StoreError> {
        match &lock(&self.state).failure {
            Some(failure) if failure.at.elapsed() < failure.delay => Err(StoreError::Unreachable {
                place: self.connector.place.clone(),
                reason: failure.reason.clone(),
                source: None,
            }),
            Some(failure) => Ok((failure.delay * 2).min(DELAY.1)),
            None => Ok(DELAY.0),
        }
    }

    /// Throws the connection of this number away, and no later one.
    fn forget(&self, generation: u64) {
        let mut state = lock(&self.state);
        if state.generation == generation {
            state.connection = None;
        }
    }
}
