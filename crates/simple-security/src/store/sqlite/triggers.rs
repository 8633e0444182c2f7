//! The triggers that write the change log: created with the tables, and checked at each open.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::schema::{create_triggers, migrate};

/// Restores triggers that are missing or changed. Tools that rebuild a table lose them. What was
/// changed without them is in no log, so every process drops what it has cached.
pub(super) fn restore(writer: &mut Connection, path: &Path) -> rusqlite::Result<()> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = definitions(&transaction)?;
    let is_there = |expected| found.contains(expected);
    if expected()?.iter().all(is_there) {
        return Ok(());
    }
    create_triggers(&transaction)?;
    transaction.commit()?;
    tracing::warn!(
        "triggers on api_keys in {} were missing or changed, and were restored. Changes that were \
         made directly in the database without them are honoured from now on",
        path.display()
    );
    Ok(())
}

/// The name and the SQL of each trigger on `api_keys`.
fn definitions(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    connection
        .prepare(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'api_keys'",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn expected() -> rusqlite::Result<Vec<(String, String)>> {
    let memory = Connection::open_in_memory()?;
    migrate(&memory, 0)?;
    definitions(&memory)
}
