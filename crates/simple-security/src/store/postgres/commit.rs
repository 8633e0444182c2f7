//! Changes of keys: several operations in one transaction.

use tokio_postgres::{Error, Row};

use super::database::Database;
use super::query::Query;
use super::{rows, statements};
use crate::store::{KeyImage, Operation, Outcome, StoreError};

/// Makes all operations, or none.
pub(super) async fn commit(
    database: &Database,
    operations: Vec<Operation>,
) -> Result<Vec<Outcome>, StoreError> {
    Operation::require_distinct(&operations)?;
    // Each is followed by a look at what became of it: what a statement returns of its row is from
    // before the triggers that come after it.
    let queries: Vec<Query> = operations
        .iter()
        .flat_map(|operation| [statements::operation(operation), statements::image(operation.id())])
        .collect();
    let check = |answers: &[Vec<Row>], logged: u64| {
        let outcomes = (0..)
            .zip(&operations)
            .zip(answers.chunks(2))
            .map(|((position, operation), answers)| outcome(database, position, operation, answers))
            .collect::<Result<Vec<_>, _>>()?;
        let place = || database.errors().place().to_owned();
        if logged < operations.len() as u64 {
            return Err(StoreError::NotLogged { place: place() });
        }
        let is_done = |(operation, outcome): (&Operation, &Outcome)| {
            operation.is_done(outcome.after.as_ref())
        };
        match operations.iter().zip(&outcomes).all(is_done) {
            true => Ok(outcomes),
            false => Err(StoreError::NotApplied { place: place() }),
        }
    };
    database.change("changing keys", &queries, &check).await
}

fn outcome(
    database: &Database,
    position: u64,
    operation: &Operation,
    answers: &[Vec<Row>],
) -> Result<Outcome, StoreError> {
    let [made, after] = answers else {
        return Err(database.errors().unsuitable("it is silent").into());
    };
    let before = match operation {
        Operation::Insert(_) => None,
        _ => match database.errors().first(made, image)? {
            None => return Err(StoreError::NotFound { position }),
            before => before,
        },
    };
    Ok(Outcome::new(before, database.errors().first(after, image)?))
}

fn image(row: &Row) -> Result<Option<KeyImage>, Error> {
    let image = rows::digest(row)?.zip(rows::record(row)?);
    Ok(image.map(|(digest, record)| KeyImage::new(digest, record)))
}
