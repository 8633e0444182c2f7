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

pub(super) struct SharedConnection {
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

impl SharedConnection {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        Self { connector, state: Mutex::default(), connecting: tokio::sync::Mutex::default() }
    }

    /// Runs a script that may be run twice.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        deadline: Duration,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let work = |mut commands| async move { script.invoke_async(&mut commands).await };
        self.ask(deadline, work).await
    }

    /// Runs a script that changes keys: once, as it may have been done although no answer came; and
    /// never after the deadline, however long it was on the way. It is given the time of the server
    /// at the deadline.
    pub(super) async fn change<T: FromRedisValue>(
        &self,
        deadline: Duration,
        mut script: ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let end = Instant::now() + deadline;
        let mut used = 0;
        let done = network::within(deadline, &self.connector.place, async {
            let (mut commands, generation) = self.connection().await?;
            used = generation;
            let changing = async {
                // On the same connection: another may lead to a server with another clock.
                let now: (u64, u64) = redis::cmd("TIME").query_async(&mut commands).await?;
                let now = Duration::from_secs(now.0) + Duration::from_micros(now.1);
                // How long the answer took is lost from it, so that it is never too much.
                let left = end.saturating_duration_since(Instant::now());
                script.arg((now + left).as_micros() as u64).invoke_async(&mut commands).await
            };
            changing.await.map_err(|error| self.connector.failed(error))
        });
        let done = done.await;
        self.settle(used, done)
    }

    /// Does some work that may be done twice, in time.
    pub(super) async fn ask<T, F: Future<Output = RedisResult<T>>>(
        &self,
        deadline: Duration,
        work: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, StoreError> {
        let mut used = 0;
        let done = network::within(deadline, &self.connector.place, async {
            loop {
                let last = used != 0;
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
        self.settle(used, done)
    }

    /// What was done on the connection of this number. One on which it was not done in time is thrown
    /// away: what comes on it later would be waited for in vain again.
    fn settle<T>(&self, used: u64, done: Result<T, StoreError>) -> Result<T, StoreError> {
        done.inspect_err(|error| {
            if errors::is_elsewhere(error) {
                self.forget(used);
            }
        })
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
