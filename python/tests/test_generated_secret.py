"""No secret set: the processes of a database share a generated one while any of them lives."""

import re
from pathlib import Path

import servers
from clients import Connection
from servers import Server

VARIABLE = "FASTAPI_SIMPLE_SECURITY_SECRET"
SECRET = re.compile(r"[0-9A-Za-z_-]{16,}")


def test_workers_share_one_secret(database: Path, canaries: set[str]) -> None:
    with servers.uvicorn(database, secret=None, workers=4) as server:
        (secret,) = printed_secrets(server, canaries)
        for connection in server.connect_to_every_worker():
            assert opens(connection, secret)
            assert not opens(connection, f"not-{secret}")


def test_workers_of_a_preloaded_app_share_one_secret(database: Path, canaries: set[str]) -> None:
    with servers.gunicorn(database, secret=None, workers=2) as server:
        (secret,) = printed_secrets(server, canaries)
        for connection in server.connect_to_every_worker():
            assert opens(connection, secret)


def test_it_lives_as_long_as_any_server(database: Path, canaries: set[str]) -> None:
    with servers.uvicorn(database, secret=None) as first:
        (secret,) = printed_secrets(first, canaries)
        with servers.uvicorn(database, secret=None, workers=2) as second:
            assert not printed_secrets(second, canaries)
            assert all(opens(worker, secret) for worker in second.connect_to_every_worker())

            first.stop()
            with servers.uvicorn(database, secret=None) as third:
                assert not printed_secrets(third, canaries)
                assert opens(third.connect(), secret)


def test_the_next_start_makes_a_new_one(database: Path, canaries: set[str]) -> None:
    with servers.uvicorn(database, secret=None) as server:
        (first,) = printed_secrets(server, canaries)
    with servers.uvicorn(database, secret=None) as server:
        (second,) = printed_secrets(server, canaries)
        assert opens(server.connect(), second)
        assert not opens(server.connect(), first)
        server.kill()
    with servers.uvicorn(database, secret=None) as server:
        (third,) = printed_secrets(server, canaries)
        assert opens(server.connect(), third)
        assert not opens(server.connect(), second)


def test_a_set_secret_is_not_printed(database: Path, canaries: set[str]) -> None:
    secret = "secret-that-was-set-by-hand"
    canaries.add(secret)
    with servers.uvicorn(database, secret=secret) as server:
        assert not printed_secrets(server, canaries)
        assert opens(server.connect(), secret)


def printed_secrets(server: Server, canaries: set[str]) -> list[str]:
    """The secret of each line that names the variable: the longest word, but for that name."""
    lines = [line.replace(VARIABLE, "") for line in server.log().splitlines() if VARIABLE in line]
    secrets = [max(SECRET.findall(line), key=len) for line in lines]
    canaries.update(secrets)
    return secrets


def opens(connection: Connection, secret: str) -> bool:
    """Whether the admin routes take this secret; they refuse it in no other way than with 403."""
    status = connection.get("/auth/new", {"secret-key": secret}).status
    assert status in (200, 403), status
    return status == 200
