"""Processes that share a store on a network: they obey alike, and count exactly."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import servers
import test_fork
import websockets.exceptions
import websockets.sync.client
from clients import Connection, key_id
from guarded_app import GuardedApp
from hammering import Hammer
from network_stores import Store, in_parallel
from servers import wait_until

DB_LOCATION = "FASTAPI_SIMPLE_SECURITY_DB_LOCATION"
REQUESTS = 100
# How late a flush may come on a busy machine, in seconds.
FLUSHED = 20.0


@pytest.fixture
def guarded(guard: Callable[..., GuardedApp], store: Store) -> GuardedApp:
    return guard(db_location=store.location)


def test_two_workers_obey_and_count(
    guarded: GuardedApp, store: Store, database: Path, canaries: set[str]
) -> None:
    settings = {DB_LOCATION: store.location}
    with servers.uvicorn(database, secret=guarded.secret, workers=2, **settings) as server:
        admin = server.admin(guarded.secret, canaries)
        connections = server.connect_to_every_worker(2)
        with Hammer(connections) as hammer:
            for _ in range(2):
                key = admin.new()
                hammer.expect(key, 200)
                hammer.after(admin.revoke, key, 403)
                hammer.after(admin.renew, key, 200)
        hammer.report()

        keys = in_parallel(guarded.new, 3)

        def client(connection: Connection) -> Counter[str]:
            answered: Counter[str] = Counter()
            for number in range(REQUESTS):
                key = keys[number % len(keys)]
                answered[key_id(key)] += connection.secure(key).status == 200
            return answered

        with ThreadPoolExecutor(len(connections)) as clients:
            expected = sum(clients.map(client, connections), Counter[str]())
        assert expected.total() == REQUESTS * len(connections)

        def totals() -> dict[str, int]:
            return {key: admin.totals()[key] for key in expected}

        wait_until(lambda: totals() == expected, FLUSHED, f"totals {expected}")
        url = f"ws://127.0.0.1:{server.port}/ws"
        with websockets.sync.client.connect(f"{url}?api-key={keys[0]}") as connected:
            assert connected.recv() == key_id(keys[0])
        with pytest.raises(websockets.exceptions.InvalidStatus):
            websockets.sync.client.connect(f"{url}?api-key={'x' * 36}")
        # What was counted last is not lost.
        server.stop()
    expected[key_id(keys[0])] += 1
    stored = {row["api_key"]: row["total_queries"] for row in guarded.logs()}
    assert {key: stored[key] for key in expected} == expected


def test_forks_under_load(guarded: GuardedApp, store: Store, database: Path) -> None:
    key = guarded.new()
    # Each child connects anew.
    settings = {DB_LOCATION: store.location, "ROUNDS": "10"}
    with test_fork.forking("forks_at_random_points", database, key, **settings) as process:
        total = test_fork.counted(process)
    assert guarded.log_of(key)["total_queries"] == total


def test_gunicorn_forks_after_the_first_use(
    guarded: GuardedApp, store: Store, database: Path
) -> None:
    key = guarded.new()
    settings = {DB_LOCATION: store.location, "REQUESTS_AT_IMPORT": "3", "KEY_AT_IMPORT": key}
    with servers.gunicorn(database, secret=guarded.secret, workers=2, **settings) as server:
        for connection in server.connect_to_every_worker():
            for _ in range(10):
                assert connection.secure(key).status == 200
        server.stop()
    assert guarded.log_of(key)["total_queries"] == 23


def test_a_client_that_leaves_while_it_waits(
    guarded: GuardedApp, store: Store, database: Path, canaries: set[str]
) -> None:
    """Its change holds, and the server goes on."""
    key = guarded.new()
    settings = {DB_LOCATION: store.location}
    with servers.uvicorn(database, secret=guarded.secret, **settings) as server:
        for verb in ("revoke", "renew"):
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                lines = [
                    f"POST /auth/keys/{key_id(key)}/{verb}?wait=true HTTP/1.1",
                    "host: a",
                    f"secret-key: {guarded.secret}",
                ]
                connection.sendall("\r\n".join([*lines, "", ""]).encode())
                is_active = verb == "renew"
                wait_until(lambda: guarded.accepts(key) is is_active, FLUSHED, verb)  # noqa: B023
            # It has left before its response.
        assert server.connect().secure(key).status == 200
        server.stop()
        assert "Traceback" not in server.log()
