//! One connection for many callers, made anew when it is lost.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, RedisResult, ScriptInvocation};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::connect::{Connection, Connector};
use super::errors;
use crate::store::{StoreError, network};

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
        Self { connector, state: Mutex::default() }
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
                    Err(error) if errors::is_lost(&error) && !last => self.forget(used).await,
                    Err(error) => return Err(self.connector.failed(error)),
                }
            }
        });
        let done = done.await;
        if done.as_ref().is_err_and(errors::is_elsewhere) {
            self.forget(used).await;
        }
        done
    }

    /// The connection, and its number.
    async fn connection(&self) -> Result<(MultiplexedConnection, u64), StoreError> {
        let mut state = self.state.lock().await;
        // One that the server has closed meanwhile is found out before anything is sent on it.
        state.connection.take_if(|connection| connection.driver.is_finished());
        if let Some(connection) = &state.connection {
            return Ok((connection.commands.clone(), state.generation));
        }
        let delay = match &state.failure {
            Some(failure) if failure.at.elapsed() < failure.delay => {
                return Err(StoreError::Unreachable {
                    place: self.connector.place.clone(),
                    reason: failure.reason.clone(),
                    source: None,
                });
            }
            Some(failure) => (failure.delay * 2).min(DELAY.1),
            None => DELAY.0,
        };
        match self.connector.connect().await {
            Ok(connection) => {
                let commands = connection.commands.clone();
                state.connection = Some(connection);
                state.generation += 1;
                state.failure = None;
                Ok((commands, state.generation))
            }
            Err(error) => {
                if let StoreError::Unreachable { reason, .. } = &error {
                    let reason = reason.clone();
                    state.failure = Some(Failure { at: Instant::now(), delay, reason });
                }
                Err(error)
            }
        }
    }

    /// Throws the connection of this number away, and no later one.
    async fn forget(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if state.generation == generation {
            state.connection = None;
        }
    }
}
