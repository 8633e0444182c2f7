//! PostgreSQL.

use std::sync::Mutex;

use super::Kind;
use crate::servers::hand::Hand;
use crate::servers::postgres::Postgres;
use crate::servers::process::run;

/// Its clients are no superusers, so that limits hold for them.
const USER: &str = "application";

/// See the module.
pub struct OnPostgres {
    server: Postgres,
    /// The database that was made last.
    database: Mutex<String>,
}

impl OnPostgres {
    pub fn start() -> Self {
        let server = Postgres::start();
        let made = Self { server, database: Mutex::new(String::new()) };
        made.by_hand(&format!("CREATE ROLE {USER} LOGIN PASSWORD '{USER}'"));
        made
    }

    fn by_hand(&self, statements: &str) {
        Hand::on(&self.server.url("postgres")).run(statements);
    }

    fn copy(&self, from: &str, to: &str) {
        let folder = self.server.folder();
        run(std::process::Command::new("rm").arg("-rf").arg(folder.join(to)));
        run(std::process::Command::new("cp").arg("-a").args([folder.join(from), folder.join(to)]));
    }
}

impl Kind for OnPostgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn make_store(&self) -> String {
        let url = self.server.fresh_database();
        let database = url.rsplit('/').next().expect("a database").to_owned();
        self.by_hand(&format!("ALTER DATABASE {database} OWNER TO {USER}"));
        *self.database.lock().expect("the database") = database;
        crate::bounded(&url.replace("postgres@", &format!("{USER}:{USER}@")))
    }

    fn port(&self) -> u16 {
        self.server.port()
    }

    fn kill(&self) {
        self.server.kill();
    }

    fn start(&self) {
        self.server.restart();
    }

    fn cut_connections(&self) {
        self.by_hand(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'"
        ));
    }

    fn refuse_connections(&self, refuse: bool) {
        let limit = if refuse { 0 } else { -1 };
        self.by_hand(&format!("ALTER ROLE {USER} CONNECTION LIMIT {limit}"));
        if refuse {
            self.cut_connections();
        }
    }

    fn keep_copy(&self) {
        self.copy("data", "copy");
    }

    fn put_copy_back(&self) {
        self.copy("copy", "data");
    }

    fn put_empty(&self) {
        let database = self.database.lock().expect("the database").clone();
        self.start();
        self.by_hand(&format!("DROP DATABASE {database} WITH (FORCE)"));
        self.by_hand(&format!("CREATE DATABASE {database} OWNER {USER}"));
        self.kill();
    }
}
