"""A private PostgreSQL and a private Redis, each started when a test first asks for it.

Between them and the test lies a network that the test can make fail.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import servers

KINDS = ["postgres", "redis"]
DEADLINE = 60.0


@dataclass
class StoreServer:
    """A running server. `make` makes an empty place in it and gives back the end of its URL."""

    kind: str
    port: int
    make: Callable[[], str]


@dataclass
class Store:
    """A store that was made for one test, and the network before it."""

    kind: str
    server: StoreServer
    network: Network
    place: str

    @property
    def location(self) -> str:
        return self._url(self.network.port)

    @property
    def direct(self) -> str:
        """Where it is without the network that can fail."""
        return self._url(self.server.port)

    def _url(self, port: int) -> str:
        return f"{self.kind}://127.0.0.1:{port}/{self.place}"


@pytest.fixture(scope="session")
def postgres(database_directories: list[Path]) -> Iterator[StoreServer]:
    with _directory("postgres", database_directories) as (directory, user):
        data, port = directory / "data", free_port()
        # Debian keeps the programs of each version apart, and few of them in the path.
        programs = max(
            Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: int(each.parts[-2])
        )
        arguments = ["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"]
        subprocess.run(
            [programs / "initdb", *arguments, f"--pgdata={data}"],
            user=user,
            check=True,
            capture_output=True,
        )
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(directory),
            "fsync": "off",
            "max_connections": "200",
        }
        command = [str(programs / "postgres"), f"-D{data}", f"-p{port}"]
        command += [f"-c{name}={value}" for name, value in settings.items()]

        def ask(statement: str, database: str = "postgres") -> bool:
            url = f"postgres://postgres@127.0.0.1:{port}/{database}"
            told = subprocess.run(
                [programs / "psql", "--quiet", "--command", statement, url], capture_output=True
            )
            return told.returncode == 0

        numbers = count(1)

        def make() -> str:
            name = f"keys{next(numbers)}"
            assert ask(f"CREATE DATABASE {name}")
            return f"{name}?user=postgres"

        # An immediate end: nobody needs what is in it any more.
        with _running(command, directory, user, signal.SIGQUIT, lambda: ask("SELECT 1")):
            yield StoreServer("postgres", port, make)


@pytest.fixture(scope="session")
def redis(database_directories: list[Path]) -> Iterator[StoreServer]:
    with _directory("redis", database_directories) as (directory, _):
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(directory), "--databases", "1000", "--appendonly", "yes"]
        command += ["--appendfsync", "always", "--maxmemory-policy", "noeviction"]
        numbers = count()
        with _running(command, directory, None, signal.SIGTERM, lambda: _answers(port)):
            yield StoreServer("redis", port, lambda: str(next(numbers)))


@pytest.fixture(params=KINDS)
def store_server(request: pytest.FixtureRequest) -> StoreServer:
    server: StoreServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def new_store(store_server: StoreServer, database: Path) -> Iterator[Callable[[str | None], Store]]:
    """Makes a store with some bounds, as its URL names them; `None`: makes nothing at its place."""
    networks: list[Network] = []

    def make(bounds: str | None) -> Store:
        networks.append(Network(store_server.port))
        store = Store(store_server.kind, store_server, networks[-1], store_server.make())
        if bounds is not None:
            separator = "&" if "?" in store.direct else "?"
            program(database, "init", "--db-location", f"{store.direct}{separator}{bounds}")
        return store

    yield make
    for network in networks:
        network.close()


def program(database: Path, *arguments: str) -> str:
    """Runs the program that comes with the package; it must not fail."""
    source = "from fastapi_simple_security._command_line import main; main()"
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", source, *arguments],
        cwd=database.parent,
        env=servers.environment(database, None),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


class Network:
    """Carries bytes to a server and back, until it stalls or is cut."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._goes_on = threading.Event()
        self._goes_on.set()
        self._is_cut = False
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stall(self) -> None:
        """Nothing arrives any more, and no connection ends."""
        self._goes_on.clear()

    def cut(self) -> None:
        """All connections end, and new ones too."""
        self._is_cut = True
        self._end_all()

    def mend(self) -> None:
        """As it was in the beginning; what was on the way arrives."""
        self._is_cut = False
        self._goes_on.set()

    def close(self) -> None:
        # A thread that accepts is not woken by closing its socket.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._end_all()
        self._goes_on.set()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._server))
            except OSError:
                client.close()
                continue
            with self._lock:
                self._sockets |= {client, server}
            for source, sink in ((client, server), (server, client)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while carried := source.recv(65536):
                self._goes_on.wait()
                sink.sendall(carried)
        self._goes_on.wait()
        self._end(source, sink)

    def _end_all(self) -> None:
        with self._lock:
            self._end(*self._sockets)
            self._sockets.clear()

    @staticmethod
    def _end(*ended: socket.socket) -> None:
        for each in ended:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextmanager
def _directory(name: str, searched: list[Path]) -> Iterator[tuple[Path, str | None]]:
    """A directory of the user that a server runs as: PostgreSQL refuses to run as root."""
    user = "postgres" if name == "postgres" and os.getuid() == 0 else None
    # Not below that of pytest, which is closed to other users.
    directory = Path(tempfile.mkdtemp(prefix=f"simple-security-{name}-"))
    searched.append(directory)
    try:
        if user:
            shutil.chown(directory, user, user)
        yield directory, user
    finally:
        shutil.rmtree(directory)


@contextmanager
def _running(
    command: list[str],
    directory: Path,
    user: str | None,
    end: signal.Signals,
    answers: Callable[[], bool],
) -> Iterator[None]:
    log_file = directory / "server.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=directory,
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + DEADLINE
        while not answers():
            assert process.poll() is None, log_file.read_text()
            assert time.monotonic() < deadline, log_file.read_text()
            time.sleep(0.02)
        yield
    finally:
        process.send_signal(end)
        process.wait(DEADLINE)


def _answers(port: int) -> bool:
    """Whether a Redis is there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as asked:
            asked.sendall(b"PING\r\n")
            return asked.recv(7) == b"+PONG\r\n"
    except OSError:
        return False
