//! One statement with its parameters, and how it is asked: never by a name that a server would
//! have to remember, so that a pooler of transactions may sit in between.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::future::{join_all, join3};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, SimpleQueryMessage, SimpleQueryRow};

/// A statement.
pub(super) struct Query {
    text: Cow<'static, str>,
    parameters: Vec<(Box<dyn ToSql + Sync + Send>, Type)>,
}

impl Query {
    pub(super) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), parameters: Vec::new() }
    }

    /// With one more parameter.
    pub(super) fn with(mut self, value: impl ToSql + Sync + Send + 'static, type_: Type) -> Self {
        self.parameters.push((Box::new(value), type_));
        self
    }

    /// Asks it alone, or in a transaction that was begun.
    pub(super) async fn ask(&self, client: &Client) -> Result<Vec<Row>, Error> {
        let parameters: Vec<(&(dyn ToSql + Sync), Type)> = self
            .parameters
            .iter()
            .map(|(value, type_)| (&**value as &(dyn ToSql + Sync), type_.clone()))
            .collect();
        client.query_typed(&self.text, &parameters).await
    }

    /// Asks it in a transaction that only reads, in one round trip. The server gives up by itself
    /// after `limit`: when we have gone away it would wait for a lock for ever.
    pub(super) async fn ask_alone(
        &self,
        client: &Client,
        limit: Duration,
    ) -> Result<Vec<Row>, Error> {
        // Of a table that was never analyzed the server may think that it is large, and compile the
        // statement, which takes a hundred times as long as to run it.
        let begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
             SET LOCAL jit = off; SET LOCAL statement_timeout = {}",
            limit.as_millis()
        );
        // They are sent in this order, one right after the other.
        let (begun, rows, ended) =
            join3(client.batch_execute(&begin), self.ask(client), client.batch_execute("COMMIT"))
                .await;
        begun?;
        let rows = rows?;
        ended?;
        Ok(rows)
    }
}

/// Asks some queries one right after the other, without a round trip in between. Where one fails, its
/// number comes with the error.
pub(super) async fn ask_all(
    client: &Client,
    queries: &[Query],
) -> Result<Vec<Vec<Row>>, (usize, Error)> {
    let answers = join_all(queries.iter().map(|query| query.ask(client))).await;
    let numbered = answers.into_iter().enumerate();
    numbered.map(|(number, answer)| answer.map_err(|error| (number, error))).collect()
}

/// The last row of statements that were sent as text.
pub(super) struct LastRow(Option<SimpleQueryRow>);

impl LastRow {
    pub(super) fn of(messages: Vec<SimpleQueryMessage>) -> Self {
        Self(messages.into_iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        }))
    }

    /// The text of a column; `None` where it is null, or where there is no such row or column.
    pub(super) fn column(&self, index: usize) -> Option<&str> {
        self.0.as_ref()?.try_get(index).ok().flatten()
    }
}
