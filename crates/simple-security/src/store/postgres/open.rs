//! Opening: which server it is, the tables and what is kept for all processes.

use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::errors::Translator;
use super::query::Query;
use super::rows;
use crate::store::location::Server;
use crate::store::network::Bounds;
use crate::store::{OpenError, StoreError};

/// One step of the tables. Steps add first and remove in a later version, so that programs of two
/// versions can work side by side.
struct Migration {
    sql: &'static str,
    /// The oldest schema that a program may know to work with the tables after it.
    minimum_reader: i32,
}

const MIGRATIONS: &[Migration] =
    &[Migration { sql: include_str!("migrations/0001_keys.sql"), minimum_reader: 1 }];

/// The triggers that write the change log. It can be run again.
const TRIGGERS: &str = include_str!("migrations/triggers.sql");

/// The newest schema that this program knows.
const KNOWN: i32 = MIGRATIONS.len() as i32;

/// PostgreSQL 14, the oldest that is tested.
const OLDEST: i32 = 140_000;

/// Who makes tables holds this lock: "simplsec" in ASCII.
const MIGRATING: i64 = 0x7369_6d70_6c73_6563;

/// Whether there are tables, by a look into the catalog: what `to_regclass` says may be from before
/// the lock was waited for.
const IS_THERE: &str = "EXISTS (SELECT FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'simple_security' AND c.relname = 'settings')";

/// Whether all triggers are there and always fire: after each statement, without a condition, not
/// disabled, and also where `session_replication_role` is `replica`
/// (<https://www.postgresql.org/docs/current/catalog-pg-trigger.html>; the bits of `tgtype` are in
/// `pg_trigger.h`).
const HAS_TRIGGERS: &str = "4 = (SELECT count(*) FROM pg_catalog.pg_trigger AS t
    JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid AND p.pronamespace = c.relnamespace
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'simple_security' AND c.relname = 'api_keys' AND t.tgenabled = 'A'
        AND t.tgqual IS NULL AND t.tgattr::text = ''
        AND (t.tgname, p.proname, t.tgtype) IN (
            ('log_insert', 'log_each', 4), ('log_update', 'log_update', 16),
            ('log_delete', 'log_each', 8), ('log_truncate', 'log_truncate', 32)))";

/// What the store keeps for all processes.
pub(super) struct Settings {
    pub(super) store_id: String,
    pub(super) bounds: Bounds,
}

/// Looks at the server, and at the store where its tables are those that we know or newer ones.
/// `None`: tables or triggers are to be made. Nothing is written, and no process has to wait.
pub(super) async fn look(
    client: &Client,
    errors: &Translator,
) -> Result<Option<Settings>, OpenError> {
    let server = Query::new(format!(
        "SELECT current_setting('server_version_num')::integer AS number,
             current_setting('server_version') AS version,
             current_setting('server_encoding') AS encoding,
             {IS_THERE} AS exists, {HAS_TRIGGERS} AS has_triggers"
    ));
    let failed = |error| errors.translate("looking at the server", error);
    let rows = server.ask(client).await.map_err(failed)?;
    let row = rows.first().ok_or_else(|| errors.unsuitable("it does not say what it is"))?;
    suits(
        row.try_get("number").map_err(failed)?,
        row.try_get("version").map_err(failed)?,
        row.try_get("encoding").map_err(failed)?,
    )
    .map_err(|reason| errors.unsuitable(reason))?;
    if !row.try_get::<_, bool>("exists").map_err(failed)? {
        return Ok(None);
    }
    let (schema, settings) = settings(client, errors).await?;
    let is_complete = schema >= KNOWN && row.try_get("has_triggers").map_err(failed)?;
    Ok(is_complete.then_some(settings))
}

/// Makes the tables and triggers that are missing, as the only one that does.
pub(super) async fn migrate(
    client: &Client,
    server: &Server,
    errors: &Translator,
) -> Result<Settings, OpenError> {
    run(MIGRATIONS, client, server, errors).await
}

async fn run(
    steps: &[Migration],
    client: &Client,
    server: &Server,
    errors: &Translator,
) -> Result<Settings, OpenError> {
    let failed = |error| errors.translate("making the tables", error);
    // Should this process vanish, the others must not wait for ever.
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
         SET LOCAL lock_timeout = 50000; SET LOCAL idle_in_transaction_session_timeout = 10000;
         SELECT pg_advisory_xact_lock({MIGRATING})"
    );
    client.batch_execute(&begin).await.map_err(failed)?;
    // Another one may have made them while we waited.
    let state = Query::new(format!("SELECT {IS_THERE} AS exists, {HAS_TRIGGERS} AS has_triggers"));
    let rows = state.ask(client).await.map_err(failed)?;
    let is = |column| rows.first().is_some_and(|row| row.get(column));
    let (exists, has_triggers) = (is("exists"), is("has_triggers"));
    let there = if exists { settings(client, errors).await?.0 } else { 0 };
    for step in steps.iter().skip(usize::try_from(there).unwrap_or(0)) {
        client.batch_execute(step.sql).await.map_err(failed)?;
    }
    if !has_triggers {
        create_triggers(client, exists, errors).await?;
    }
    if there < steps.len() as i32 {
        written(there, steps, server).ask(client).await.map_err(failed)?;
    }
    let (_, settings) = settings(client, errors).await?;
    client.batch_execute("COMMIT").await.map_err(failed)?;
    Ok(settings)
}

/// Creates the triggers, or restores them in a store that `exists`. What was changed without them is
/// in no log, so every process drops what it has cached.
async fn create_triggers(
    client: &Client,
    exists: bool,
    errors: &Translator,
) -> Result<(), StoreError> {
    let created = client.batch_execute(TRIGGERS).await;
    if !exists {
        return created.map_err(|error| errors.translate("creating the triggers", error));
    }
    created.map_err(|error| {
        let error = errors.translate("restoring the triggers", error);
        errors.unsuitable(format!(
            "triggers on simple_security.api_keys are missing or disabled, so that a revocation would not hold everywhere, and they could not be restored: {error}. Start one process as the owner of the table"
        ))
    })?;
    tracing::warn!(
        "triggers on simple_security.api_keys in {} were missing or disabled, and were restored. \
         Changes that were made directly in the database without them are honoured from now on",
        errors.place()
    );
    Ok(())
}

/// Writes down which steps were made.
fn written(there: i32, steps: &[Migration], server: &Server) -> Query {
    let minimum_reader = steps.last().map_or(0, |migration| migration.minimum_reader);
    let query = if there == 0 {
        let wanted = Bounds::wanted(server);
        let microseconds = |duration: Duration| duration.as_micros() as i64;
        Query::new(
            "INSERT INTO simple_security.settings
                 (max_staleness, stale_if_error, schema, minimum_reader) VALUES ($1, $2, $3, $4)",
        )
        .with(microseconds(wanted.max_staleness), Type::INT8)
        .with(microseconds(wanted.stale_if_error), Type::INT8)
    } else {
        Query::new("UPDATE simple_security.settings SET schema = $1, minimum_reader = $2")
    };
    query.with(steps.len() as i32, Type::INT4).with(minimum_reader, Type::INT4)
}

/// The schema, and what is kept with it, unless it is one that this program cannot work with.
async fn settings(client: &Client, errors: &Translator) -> Result<(i32, Settings), OpenError> {
    let failed = |error| errors.translate("reading the settings", error);
    let query = Query::new(
        "SELECT schema, minimum_reader, store_id::text AS store_id, max_staleness, stale_if_error
         FROM simple_security.settings",
    );
    let rows = query.ask(client).await.map_err(failed)?;
    let Some(row) = rows.first() else {
        return Err(OpenError::NotMade { place: errors.place().to_owned() });
    };
    let schema: i32 = row.try_get("schema").map_err(failed)?;
    if schema == KNOWN
        && let Some(column) = missing_column(client).await.map_err(failed)?
    {
        let place = errors.place().to_owned();
        return Err(OpenError::UnknownSchema { place, column });
    }
    if row.try_get::<_, i32>("minimum_reader").map_err(failed)? > KNOWN {
        return Err(OpenError::NewerSchema {
            place: errors.place().to_owned(),
            found: schema.into(),
            known: KNOWN.into(),
        });
    }
    let settings = Settings {
        store_id: row.try_get("store_id").map_err(failed)?,
        bounds: Bounds {
            max_staleness: duration(row, "max_staleness").map_err(failed)?,
            stale_if_error: duration(row, "stale_if_error").map_err(failed)?,
        },
    };
    Ok((schema, settings))
}

/// A column of a key that the newest schema has and this database has not.
async fn missing_column(client: &Client) -> Result<Option<String>, tokio_postgres::Error> {
    let query = Query::new(
        "SELECT wanted FROM unnest($1) AS wanted WHERE wanted NOT IN (
             SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
             WHERE a.attrelid = 'simple_security.api_keys'::regclass AND NOT a.attisdropped)",
    );
    let columns: Vec<String> = rows::KEY.map(str::to_owned).into();
    let rows = query.with(columns, Type::TEXT_ARRAY).ask(client).await?;
    rows.first().map(|row| row.try_get("wanted")).transpose()
}

fn duration(row: &Row, column: &str) -> Result<Duration, tokio_postgres::Error> {
    let microseconds: i64 = row.try_get(column)?;
    Ok(Duration::from_micros(microseconds.try_into().unwrap_or(0)))
}

/// Whether the server is one that this was made for.
fn suits(number: i32, version: &str, encoding: &str) -> Result<(), String> {
    if number < OLDEST {
        return Err(format!("it is PostgreSQL {version}; use 14 or a later one"));
    }
    if encoding != "UTF8" {
        return Err(format!(
            "the database is encoded in {encoding}, which does not have all characters that a name may have; make one in UTF8"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use test_support::servers::postgres::Postgres;

    use super::*;
    use crate::store::Location;

    /// A step that no version has: it must find the keys of the first, and leave them.
    #[test]
    fn a_second_step_runs_once_and_keeps_the_keys() {
        let database_server = Postgres::shared();
        let url = database_server.fresh_database();
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(make_two_steps(&url));
    }

    async fn make_two_steps(url: &str) {
        let Ok(Location::Postgres(server)) = url.parse() else { panic!("{url}") };
        let (client, connection) =
            tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a connection");
        tokio::spawn(connection);
        let errors = Translator::new("a database".to_owned());
        let second =
            "ALTER TABLE simple_security.api_keys ADD COLUMN shelf text NOT NULL DEFAULT 'top'";
        let steps = [
            Migration { sql: MIGRATIONS[0].sql, minimum_reader: 1 },
            Migration { sql: second, minimum_reader: 1 },
        ];
        let first = migrate(&client, &server, &errors).await.expect("the first schema");
        let insert =
            "INSERT INTO simple_security.api_keys (id, digest, name, created_at, expires_at, never_expires)
            VALUES ('0123456789a', sha256('a key'), 'shop', 1, 2, false)";
        client.batch_execute(insert).await.expect("a key");
        let later = run(&steps, &client, &server, &errors).await.expect("the second step");
        assert_eq!(later.store_id, first.store_id, "it is the same store");
        // The column is there already: to make the step once more would be an error.
        run(&steps, &client, &server, &errors).await.expect("nothing to do");
        let query = "SELECT name || ' ' || shelf FROM simple_security.api_keys";
        let row = client.query_one(query, &[]).await.expect("one key");
        assert_eq!(row.get::<_, String>(0), "shop top");
        let (schema, _) =
            settings(&client, &errors).await.expect("a program of the first version works");
        assert_eq!(schema, 2);
        let unknown = "UPDATE simple_security.settings SET schema = 1;
            ALTER TABLE simple_security.api_keys RENAME COLUMN name TO other";
        client.batch_execute(unknown).await.expect("a schema that no release made");
        let error = look(&client, &errors).await.err().expect("an unknown schema");
        assert!(error.to_string().contains("no column name"), "{error}");
    }

    #[test]
    fn old_servers_and_other_encodings_are_refused() {
        assert!(suits(140_000, "14.0", "UTF8").is_ok());
        assert!(suits(170_002, "17.2", "UTF8").is_ok());
        let refused = suits(130_018, "13.18", "UTF8").expect_err("too old");
        assert!(refused.contains("13.18") && refused.contains("14"), "{refused}");
        assert!(suits(150_000, "15.0", "LATIN1").expect_err("no Unicode").contains("LATIN1"));
    }
}
