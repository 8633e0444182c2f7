"""Bodies for the resource API over real servers: too long, or from clients without the secret."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import program
import pytest
import servers
from clients import ResourceAdmin
from guarded_app import ADMIN_SECRET

MAX_LENGTH = 65_536
HUGE = 50_000_000
CLIENTS = 8
CREDENTIALS = ["nothing", "a good key", "a wrong secret"]
# What the process may grow by, in kB, while 400 MB are offered to it.
GROWTH = 30_000


@dataclass
class Adapter:
    name: str
    port: int
    pid: int
    key: str


@contextmanager
def serve_program(database: Path, secret: str) -> Iterator[program.Program]:
    with program.serve(database, secret, set()) as server:
        yield server


ADAPTERS = {
    "FastAPI, uvicorn with h11": partial(servers.uvicorn, app="fastapi_app:app"),
    "FastAPI, uvicorn with httptools": partial(
        servers.uvicorn, app="fastapi_app:app", options=["--http=httptools"]
    ),
    "FastAPI, hypercorn": partial(servers.hypercorn, app="fastapi_app:app"),
    "FastAPI behind the middleware": partial(servers.uvicorn, app="hostile_app:app"),
    "axum": servers.axum,
    "the server": serve_program,
}


@pytest.fixture(scope="module", params=ADAPTERS)
def adapter(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    database_directories: list[Path],
    canaries: set[str],
) -> Iterator[Adapter]:
    directory = tmp_path_factory.mktemp("bodies")
    database_directories.append(directory)
    with ADAPTERS[request.param](directory / "keys.db", secret=ADMIN_SECRET) as server:
        key = ResourceAdmin(server.connect(), ADMIN_SECRET, canaries).new()
        yield Adapter(request.param, server.port, server.process.pid, key)


def issue(adapter: Adapter, body: object, headers: dict[str, str]) -> tuple[int, bytes]:
    """A simple client: sends all of the body, and then reads the response."""
    connection = http.client.HTTPConnection("127.0.0.1", adapter.port, timeout=30)
    try:
        sent = {"content-type": "application/json", **headers}
        connection.request("POST", "/auth/keys", body, sent)  # type: ignore[arg-type]
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("length", [MAX_LENGTH + 1, 1_000_000])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_that_is_too_long_is_413(adapter: Adapter, length: int, is_chunked: bool) -> None:
    body = b"{}".ljust(length)
    parts = (body[at : at + 10_000] for at in range(0, length, 10_000))
    secret = {"secret-key": ADMIN_SECRET}
    status, text = issue(adapter, parts if is_chunked else body, secret)
    assert (status, b"The body has more than 65536 bytes" in text) == (413, True)
    assert issue(adapter, b"{}".ljust(MAX_LENGTH), secret)[0] == 201


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_no_body_is_waited_for_without_the_secret(adapter: Adapter, credential: str) -> None:
    """The response arrives before any of the body is sent, and no `100 Continue` before it."""
    lines = [
        "POST /auth/keys HTTP/1.1",
        "host: a",
        "content-type: application/json",
        f"content-length: {HUGE}",
        *header(adapter, credential),
    ]
    # hypercorn tells every client to go on, whatever its app will say.
    if "hypercorn" not in adapter.name:
        lines.append("expect: 100-continue")
    with socket.create_connection(("127.0.0.1", adapter.port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        assert connection.recv(12) == b"HTTP/1.1 401"


def test_huge_bodies_without_the_secret_take_no_memory(adapter: Adapter) -> None:
    offers = [
        partial(send_as_much_as_is_taken, adapter, CREDENTIALS[number % len(CREDENTIALS)])
        for number in range(CLIENTS)
    ]
    offers[0]()
    before = peak(adapter.pid)
    threads = [threading.Thread(target=offer) for offer in offers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert peak(adapter.pid) - before < GROWTH
    assert issue(adapter, b"{}", {"secret-key": ADMIN_SECRET})[0] == 201


def send_as_much_as_is_taken(adapter: Adapter, credential: str) -> None:
    lines = [
        "POST /auth/keys HTTP/1.1",
        "host: a",
        "content-type: application/json",
        f"content-length: {HUGE}",
        *header(adapter, credential),
    ]
    part = bytes(1_000_000)
    with (
        # hypercorn neither reads on nor closes.
        socket.create_connection(("127.0.0.1", adapter.port), timeout=2) as connection,
        suppress(OSError),
    ):
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        for _ in range(HUGE // len(part)):
            connection.sendall(part)


def header(adapter: Adapter, credential: str) -> list[str]:
    kinds: dict[str, list[str]] = {
        "nothing": [],
        "a good key": [f"api-key: {adapter.key}"],
        "a wrong secret": ["secret-key: wrong"],
    }
    return kinds[credential]


def peak(pid: int) -> int:
    """The most memory that a process has had, in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])
