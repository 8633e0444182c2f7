"""Fixtures: an application behind each proxy, and the auth server that its proxy asks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import program
import proxies
import pytest
import raw
import recorder
from clients import Connection

SECRET = "secret-of-the-test-of-proxies"
NAME = "Zoë & sons"
NAME_IN_HEADER = "Zo%C3%AB%20&%20sons"


@dataclass
class Behind:
    """An application behind one proxy."""

    name: str
    port: int
    auth_server: program.Program
    application: recorder.Application
    keys: dict[str, str]

    @property
    def good(self) -> bytes:
        return self.keys["good"].encode()

    def get(
        self, *lines: bytes, target: bytes = b"/secure"
    ) -> tuple[raw.RawReply, list[recorder.Arrived]]:
        """What the client saw, and what reached the application."""
        self.application.taken()
        return raw.get(self.port, target, lines), self.application.taken()


@pytest.fixture(scope="session")
def application() -> Iterator[recorder.Application]:
    with recorder.application() as running:
        yield running


@pytest.fixture(scope="session")
def auth_server(
    tmp_path_factory: pytest.TempPathFactory, database_directories: list[Path], canaries: set[str]
) -> Iterator[program.Program]:
    directory = tmp_path_factory.mktemp("auth_server")
    database_directories.append(directory)
    with program.serve(directory / "keys.db", SECRET, canaries) as running:
        yield running


@pytest.fixture(scope="session")
def proxied_keys(auth_server: program.Program) -> dict[str, str]:
    admin = auth_server.admin
    later = datetime.now(timezone.utc) + timedelta(days=1)
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    keys = {
        "good": admin.new(NAME, expires_at=f"{later:%Y-%m-%dT%H:%M:%SZ}"),
        "second": admin.new(),
        "revoked": admin.new(),
        "expired": admin.new(expires_at=f"{yesterday:%Y-%m-%dT%H:%M:%SZ}"),
    }
    admin.revoke(keys["revoked"])
    return keys


@pytest.fixture(scope="session")
def identity(auth_server: program.Program, proxied_keys: dict[str, str]) -> list[bytes]:
    """The names of the server's identity headers, as it sends them."""
    names = list(told_of(auth_server, proxied_keys["good"]))
    assert b"x-api-key-id" in names
    return names


def told_of(auth_server: program.Program, key: str) -> dict[bytes, bytes]:
    """The identity headers that the server sends for a key, and their values."""
    reply = raw.get(auth_server.port, b"/verify", [b"api-key: " + key.encode()])
    assert reply.status == 200, reply.data
    lines = reply.data.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    headers = (line.partition(b": ") for line in lines)
    return {name: value for name, _, value in headers if name.startswith(b"x-api-key-")}


@pytest.fixture(scope="module", params=proxies.KINDS)
def behind(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    auth_server: program.Program,
    application: recorder.Application,
    proxied_keys: dict[str, str],
) -> Iterator[Behind]:
    folder = tmp_path_factory.mktemp(request.param)
    with proxies.start(request.param, folder, auth_server.port, application.port) as proxy:
        yield Behind(request.param, proxy.port, auth_server, application, proxied_keys)


@pytest.fixture(scope="module")
def http_2_port(behind: Behind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The same proxy's port for HTTP/2 in clear text: nginx, as shipped, needs a line for it."""
    if behind.name != "nginx":
        yield behind.port
        return
    if proxies.nginx_version() < (1, 25, 1):
        pytest.skip("it has no directive http2")
    folder = tmp_path_factory.mktemp("nginx-http-2")
    ports = behind.auth_server.port, behind.application.port
    with proxies.start(behind.name, folder, *ports, proxies.with_snippet("http2 on;")) as proxy:
        yield proxy.port


@dataclass
class Guarded:
    """A proxy's port, and the way to the administrator's routes behind it."""

    port: int
    auth_server: program.Program

    def connect(self) -> Connection:
        return self.auth_server.connect()


@contextmanager
def serve(name: str, database: Path, *, secret: str) -> Iterator[Guarded]:
    """An application behind a proxy, and an auth server of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        program.serve(database, secret, set()) as auth_server,
        recorder.application() as application,
        proxies.start(name, Path(folder), auth_server.port, application.port) as proxy,
    ):
        yield Guarded(proxy.port, auth_server)
