//! PgBouncer in transaction mode: each transaction gets any of its connections to the server.

use std::process::Stdio;

use tempfile::TempDir;

use super::postgres::{Postgres, USER};
use super::process::{Running, ending_with_us, folder_with, free_port, give, missing};
use super::waiting::until_open;

/// A pooler with two connections for all clients.
pub struct Pgbouncer {
    _folder: TempDir,
    port: u16,
    running: Option<Running>,
}

impl Pgbouncer {
    /// Starts a pooler in front of a server.
    pub fn before(server: &Postgres) -> Self {
        // Not everybody has this folder in the path.
        let found = folder_with(&["pgbouncer"], vec!["/usr/sbin".into()]);
        let program = found.unwrap_or_else(|| missing("PgBouncer", "pgbouncer")).join("pgbouncer");
        let folder = TempDir::new().expect("a folder");
        give(folder.path(), USER);
        let port = free_port();
        let settings = folder.path().join("settings");
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
             default_pool_size = 2\n",
            server.port()
        );
        // With `any`, whoever asks is the user that the first line names.
        std::fs::write(&settings, text).expect("the settings");
        give(&settings, USER);
        let mut command = ending_with_us(&program, Some(USER));
        command.arg(&settings).stdout(Stdio::null()).stderr(Stdio::null());
        let running = Some(Running::start(command));
        until_open(port);
        Self { _folder: folder, port, running }
    }

    /// Returns the port it listens on, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Pgbouncer {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end("-KILL");
        }
    }
}
