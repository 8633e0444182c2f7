"""Four workers, and a change log that is evaded: triggers dropped, disabled, or not fired.

Whatever was done to the database, a revocation is either an error or it holds in every worker.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import servers
from clients import Admin, Connection, key_id
from network_stores import StoreServer, psql

SECRET = "secret-of-the-test-of-bypassed-logs"
DB_LOCATION = "FASTAPI_SIMPLE_SECURITY_DB_LOCATION"
WORKERS = 4
STORES = servers.TESTS.parents[1] / "crates/simple-security/src/store"

# Statements that are run directly in the database before the key is revoked; `{id}` is the key's.
SQLITE = {
    "nothing": "SELECT 1",
    "a trigger dropped": "DROP TRIGGER api_keys_update",
    "all triggers dropped": "DROP TRIGGER api_keys_update; DROP TRIGGER api_keys_insert;"
    " DROP TRIGGER api_keys_delete",
    "a trigger that does nothing": "DROP TRIGGER api_keys_update;"
    " CREATE TRIGGER api_keys_update AFTER UPDATE ON api_keys BEGIN SELECT 1; END",
    "the log emptied": "DELETE FROM key_changes",
    "revoked behind the triggers": "DROP TRIGGER api_keys_update;"
    " UPDATE api_keys SET revoked_at = 5 WHERE id = '{id}'; {update}",
    "deleted by a replacement": "INSERT OR REPLACE INTO api_keys"
    " (id, digest, name, created_at, expires_at, never_expires, revoked_at)"
    " SELECT id, zeroblob(32), name, created_at, expires_at, never_expires, revoked_at"
    " FROM api_keys WHERE id = '{id}'",
    # The last: what is built has no index.
    "the table rebuilt": "PRAGMA foreign_keys = OFF;"
    " CREATE TABLE rebuilt AS SELECT * FROM api_keys; DROP TABLE api_keys;"
    " ALTER TABLE rebuilt RENAME TO api_keys",
}
TABLE = "simple_security.api_keys"
POSTGRES = {
    "nothing": "SELECT 1",
    "a trigger dropped": f"DROP TRIGGER log_update ON {TABLE}",
    "a trigger disabled": f"ALTER TABLE {TABLE} DISABLE TRIGGER log_update",
    "all triggers disabled": f"ALTER TABLE {TABLE} DISABLE TRIGGER ALL",
    "sessions in the role of a replica": "ALTER DATABASE {database} SET session_replication_role ="
    " replica; SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = '{database}' AND pid <> pg_backend_pid()",
    "revoked behind the triggers": f"ALTER TABLE {TABLE} DISABLE TRIGGER log_update;"
    f" UPDATE {TABLE} SET revoked_at = 5 WHERE id = '{{id}}';"
    f" ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER log_update",
}
# What must be an error: the change log cannot record the revocation.
REJECTED = {
    "a trigger dropped",
    "all triggers dropped",
    "a trigger that does nothing",
    "the table rebuilt",
    "a trigger disabled",
    "all triggers disabled",
}


@dataclass
class Team:
    """Four workers on one store, and a way past them into it."""

    workers: list[Connection]
    admin: Admin
    run: Callable[[str], None]
    log: Callable[[], str]

    def statuses(self, key: str) -> set[int]:
        return {worker.secure(key).status for worker in self.workers}

    def revoke_behind(self, statements: str, case: str) -> None:
        """Runs the statements, then revokes a key that every worker has in its cache."""
        key = self.admin.new()
        assert self.statuses(key) == {200}
        self.run(statements.replace("{id}", key_id(key)))
        if case in REJECTED:
            assert self.try_to_revoke(key) == 503
            assert "did not record the change, so nothing was changed" in self.log()
            assert self.statuses(key) == {200}, "the error says that nothing was changed"
        else:
            # Connections that were cut are an outage of a moment.
            servers.wait_until(lambda: self.try_to_revoke(key) == 200, 10, "revoked")
            assert self.statuses(key) == {403}

    def try_to_revoke(self, key: str) -> int:
        query = {"api-key": key_id(key)}
        return self.admin.connection.get("/auth/revoke", {"secret-key": SECRET}, **query).status


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, database_directories: list[Path]) -> Path:
    database_directories.append(tmp_path_factory.mktemp("bypassed"))
    return database_directories[-1]


@pytest.fixture(scope="module")
def sqlite_team(directory: Path, canaries: set[str]) -> Iterator[Team]:
    database = directory / "keys.db"

    def run(statements: str) -> None:
        with closing(sqlite3.connect(database, timeout=10)) as connection:
            (update,) = connection.execute(
                "SELECT coalesce(max(sql), '') FROM sqlite_schema WHERE name = 'api_keys_update'"
            ).fetchone()
            connection.executescript(statements.replace("{update}", update))

    with servers.uvicorn(database, secret=SECRET, workers=WORKERS) as server:
        admin = server.admin(SECRET, canaries)
        yield Team(server.connect_to_every_worker(), admin, run, server.log)


@pytest.fixture(scope="module")
def postgres_team(postgres: StoreServer, directory: Path, canaries: set[str]) -> Iterator[Team]:
    name = next(postgres.names)
    postgres.empty(name)
    place = postgres.place(name)

    def run(statements: str) -> None:
        assert psql(place, statements.replace("{database}", name)), statements

    settings = {DB_LOCATION: f"{place}?max_staleness=0.5"}
    database = directory / "unused.db"
    with servers.uvicorn(database, secret=SECRET, workers=WORKERS, **settings) as server:
        admin = server.admin(SECRET, canaries)
        yield Team(server.connect_to_every_worker(), admin, run, server.log)


@pytest.mark.parametrize("case", SQLITE)
def test_sqlite(sqlite_team: Team, case: str) -> None:
    try:
        sqlite_team.revoke_behind(SQLITE[case], case)
    finally:
        sqlite_team.run((STORES / "sqlite/migrations/triggers.sql").read_text())


@pytest.mark.parametrize("case", POSTGRES)
def test_postgres(postgres_team: Team, case: str) -> None:
    try:
        postgres_team.revoke_behind(POSTGRES[case], case)
    finally:
        postgres_team.run("ALTER DATABASE {database} RESET session_replication_role")
        postgres_team.run((STORES / "postgres/migrations/triggers.sql").read_text())
