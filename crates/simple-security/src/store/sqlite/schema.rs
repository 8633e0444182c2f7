//! What a database holds, and the tables that it gets.

use std::path::Path;

use rusqlite::Connection;

use super::errors::translate;
use super::rows;
use crate::store::OpenError;

/// "fss1": in the header of the file it marks a database of this software
/// (<https://sqlite.org/fileformat.html>).
const APPLICATION_ID: i64 = 0x6673_7331;

/// The schema, step by step. A step that was released is never changed.
const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_keys.sql")];

/// Creates the triggers that write the change log, and starts the log again.
const TRIGGERS: &str = include_str!("migrations/triggers.sql");

/// The table of 1.x.
pub(super) const LEGACY_TABLE: &str = "fastapi_simple_security";

/// What a file holds.
#[derive(Debug)]
pub(super) enum Contents {
    Nothing,
    LegacyTable,
    Store { schema: i64 },
}

/// Looks into a database, which may be that of any program.
pub(super) fn contents(connection: &Connection, path: &Path) -> Result<Contents, OpenError> {
    let read = || -> rusqlite::Result<(i64, i64, Vec<String>)> {
        let number = |pragma: &str| {
            connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0))
        };
        let mut statement = connection.prepare(
            "SELECT name FROM sqlite_schema
             WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        )?;
        let tables = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok((number("application_id")?, number("user_version")?, tables))
    };
    let failed = |error| translate(path, "reading the database", error);
    let (application, schema, tables) = read().map_err(failed)?;
    let path = path.to_owned();
    if application == APPLICATION_ID {
        return match schema {
            found if found > newest() => {
                let place = path.display().to_string();
                Err(OpenError::NewerSchema { place, found, known: newest() })
            }
            schema if schema < 1 => Err(OpenError::NotADatabase { path, source: None }),
            schema => match missing_column(connection).map_err(failed)? {
                Some(column) if schema == newest() => {
                    Err(OpenError::UnknownSchema { place: path.display().to_string(), column })
                }
                _ => Ok(Contents::Store { schema }),
            },
        };
    }
    let others: Vec<&str> =
        tables.iter().map(String::as_str).filter(|name| *name != LEGACY_TABLE).collect();
    match (tables.len(), others.len()) {
        (0, 0) if application == 0 && schema == 0 => Ok(Contents::Nothing),
        (1, 0) if application == 0 => Ok(Contents::LegacyTable),
        (0, 0) => {
            let tables = format!("the application id {application} and the version {schema}");
            Err(OpenError::Foreign { path, tables })
        }
        (all, other) if all > other => Err(OpenError::Shared { path, tables: others.join(", ") }),
        _ => Err(OpenError::Foreign { path, tables: format!("the tables {}", others.join(", ")) }),
    }
}

/// A column of a key that the newest schema has and this database has not.
fn missing_column(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info('api_keys')")?;
    let columns: Vec<String> =
        statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let is_there = |column: &str| columns.iter().any(|there| there == column);
    Ok(rows::KEY.into_iter().find(|column| !is_there(column)).map(str::to_owned))
}

/// The newest schema that this program knows.
pub(super) fn newest() -> i64 {
    MIGRATIONS.len() as i64
}

/// Brings a database from `schema` to the newest, in the caller's transaction.
pub(super) fn migrate(connection: &Connection, schema: i64) -> rusqlite::Result<()> {
    run(MIGRATIONS, connection, schema)
}

/// Creates the triggers, in the caller's transaction.
pub(super) fn create_triggers(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TRIGGERS)
}

/// Runs the steps that come after `schema`.
fn run(steps: &[&str], connection: &Connection, schema: i64) -> rusqlite::Result<()> {
    for step in steps.iter().skip(usize::try_from(schema).unwrap_or(0)) {
        connection.execute_batch(step)?;
    }
    create_triggers(connection)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", steps.len() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step that no version has: it must find the keys of the first, and leave them.
    #[test]
    fn a_second_step_runs_once_and_keeps_the_keys() {
        let second = "ALTER TABLE api_keys ADD COLUMN shelf TEXT NOT NULL DEFAULT 'top';";
        let steps = [MIGRATIONS[0], second];
        let connection = Connection::open_in_memory().expect("a database");
        migrate(&connection, 0).expect("the first schema");
        let insert =
            "INSERT INTO api_keys (id, digest, name, created_at, expires_at, never_expires)
             VALUES ('0123456789a', zeroblob(32), 'shop', 1, 2, 0)";
        connection.execute_batch(insert).expect("a key");
        run(&steps, &connection, 1).expect("the second step");
        let shelf = |name: &str| {
            let query = "SELECT shelf FROM api_keys WHERE name = ?1";
            connection.query_row(query, [name], |row| row.get::<_, String>(0))
        };
        assert_eq!(shelf("shop").as_deref(), Ok("top"));
        run(&steps, &connection, 2).expect("nothing to do");
        let newer = contents(&connection, Path::new("keys.db")).expect_err("a newer schema");
        assert!(matches!(newer, OpenError::NewerSchema { found: 2, known: 1, .. }), "{newer}");
        let changed = "UPDATE api_keys SET name = 'kiosk'";
        connection.execute_batch(changed).expect("a change");
        let logged = connection.query_row("SELECT count(*) FROM key_changes", [], |row| row.get(0));
        assert_eq!(logged, Ok(2), "the log was started again, and the triggers write it");
    }

    #[test]
    fn a_schema_that_no_release_made_is_an_error_that_names_the_column() {
        let connection = Connection::open_in_memory().expect("a database");
        migrate(&connection, 0).expect("the first schema");
        for column in rows::KEY {
            let renamed = format!("ALTER TABLE api_keys RENAME COLUMN {column} TO other");
            connection.execute_batch(&renamed).expect("renamed");
            let error = contents(&connection, Path::new("keys.db")).expect_err("an unknown schema");
            assert!(error.to_string().contains(&format!("no column {column}")), "{error}");
            let back = format!("ALTER TABLE api_keys RENAME COLUMN other TO {column}");
            connection.execute_batch(&back).expect("renamed");
        }
        assert!(contents(&connection, Path::new("keys.db")).is_ok());
    }
}
