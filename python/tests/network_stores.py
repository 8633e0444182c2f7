"""A private PostgreSQL and a private Redis, each started when a test first asks for it.

Between them and the test lies a network that the test can make fail.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
import servers
from guarded_app import GuardedApp

from fastapi_simple_security import _core

Done = TypeVar("Done")

KINDS = ["postgres", "redis"]
DEADLINE = 60.0

# How late a change is known everywhere. So long each change of a test waits.
SHORT = "max_staleness=0.5"
# While such a store does not answer, what is known may be used for half of it at least.
LONG = "max_staleness=4"


@dataclass
class StoreServer:
    """A running server, and what empties one of its databases, or makes an empty one; `clear` takes
    the store out of one that was used, which is faster."""

    port: int
    url: str
    empty: Callable[[str], None]
    names: Iterator[str]
    clear: Callable[[str], None]
    used: list[str] = field(default_factory=list)

    def place(self, name: str, port: int | None = None) -> str:
        """Where one of its databases is, through another port than its own if one is given."""
        return self.url.format(name=name, port=port or self.port)


@dataclass
class Store:
    """A store that was made for one test, and the network before it."""

    server: StoreServer
    network: Network
    name: str

    @property
    def location(self) -> str:
        return self.server.place(self.name, self.network.port)

    @property
    def direct(self) -> str:
        """Where it is without the network that can fail."""
        return self.server.place(self.name)

    def empty(self) -> None:
        self.server.empty(self.name)


# Puts a network before a database of a server.
Reach = Callable[[StoreServer, str], Store]
# Makes a store with bounds as its URL names them; `None`: leaves the place empty.
NewStore = Callable[[str | None], Store]


@pytest.fixture(scope="session")
def postgres(database_directories: list[Path]) -> Iterator[StoreServer]:
    with _directory("postgres", database_directories) as (directory, user):
        data = directory / "data"
        initdb, server = (
            _program("postgresql", name, folders=_postgres_folders())
            for name in ("initdb", "postgres")
        )
        arguments = ["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"]
        subprocess.run(
            [initdb, *arguments, f"--pgdata={data}"],
            user=user,
            check=True,
            capture_output=True,
        )
        port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(directory),
            "fsync": "off",
            "max_connections": "200",
        }
        command = [server, f"-D{data}", f"-p{port}"]
        command += [f"-c{name}={value}" for name, value in settings.items()]

        def ask(statement: str, name: str = "postgres") -> bool:
            return psql(f"postgres://postgres@127.0.0.1:{port}/{name}", statement)

        def empty(name: str) -> None:
            assert ask(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            assert ask(f"CREATE DATABASE {name}")

        def clear(name: str) -> None:
            assert ask("DROP SCHEMA IF EXISTS simple_security CASCADE", name)

        url = "postgres://postgres@127.0.0.1:{port}/{name}"
        # An immediate end: nobody needs what is in it any more.
        with _running(command, directory, user, signal.SIGQUIT, lambda: ask("SELECT 1")):
            names = (f"keys{number}" for number in count())
            yield StoreServer(port, url, empty, names, clear)


@pytest.fixture(scope="session")
def redis(database_directories: list[Path]) -> Iterator[StoreServer]:
    with _directory("redis", database_directories) as (directory, _):
        port = free_port()
        server = _program("redis-server", "redis-server", "valkey-server")
        command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--dir", str(directory), "--databases", "1000", "--appendonly", "yes"]
        command += ["--appendfsync", "always", "--maxmemory-policy", "noeviction"]

        def empty(name: str) -> None:
            assert _ask_redis(port, f"SELECT {name}", "FLUSHDB") == ["+OK", "+OK"]

        def is_there() -> bool:
            with suppress(OSError):
                return _ask_redis(port, "PING") == ["+PONG"]
            return False

        url = "redis://127.0.0.1:{port}/{name}"
        with _running(command, directory, None, signal.SIGTERM, is_there):
            yield StoreServer(port, url, empty, map(str, count()), empty)


@pytest.fixture(params=KINDS)
def store_server(request: pytest.FixtureRequest) -> StoreServer:
    server: StoreServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def reach() -> Iterator[Reach]:
    networks: list[Network] = []

    def make(server: StoreServer, name: str) -> Store:
        networks.append(Network(server.port))
        return Store(server, networks[-1], name)

    yield make
    for network in networks:
        network.close()


@pytest.fixture
def new_store(store_server: StoreServer, reach: Reach) -> Iterator[NewStore]:
    taken: list[str] = []

    def make(bounds: str | None) -> Store:
        if store_server.used:
            taken.append(store_server.used.pop())
            store_server.clear(taken[-1])
        else:
            taken.append(next(store_server.names))
            store_server.empty(taken[-1])
        store = reach(store_server, taken[-1])
        if bounds is not None:
            init(store, bounds)
        return store

    yield make
    store_server.used += taken


@pytest.fixture(scope="session")
def issued() -> dict[str, tuple[str, list[str]]]:
    """The store of `lasting` on each server, and its keys."""
    return {}


@pytest.fixture
def lasting(
    store_server: StoreServer,
    reach: Reach,
    guard: Callable[..., GuardedApp],
    issued: dict[str, tuple[str, list[str]]],
) -> tuple[Store, list[str]]:
    """A store with long bounds and its keys, which are issued once, as it takes so long."""
    if store_server.url not in issued:
        made = reach(store_server, next(store_server.names))
        made.empty()
        init(made, LONG)
        guarded = guard(db_location=made.direct)
        issued[store_server.url] = (made.name, in_parallel(guarded.new, 5))
    name, keys = issued[store_server.url]
    return reach(store_server, name), keys


@pytest.fixture
def store(new_store: NewStore) -> Store:
    return new_store(SHORT)


def init(store: Store, bounds: str) -> None:
    """What the program of the package does, without the time that its start takes."""
    assert _core.main(["init", "--db-location", f"{store.direct}?{bounds}"]) == 0


def psql(place: str, statements: str) -> bool:
    """Runs SQL directly in a database; whether it could."""
    program = _program("postgresql", "psql", folders=_postgres_folders())
    running = [program, "--quiet", "--set=ON_ERROR_STOP=1", "--command", statements, place]
    return subprocess.run(running, capture_output=True).returncode == 0


def in_parallel(make: Callable[[], str], times: int) -> list[str]:
    """Makes keys, each of which waits until all processes know of it."""
    with ThreadPoolExecutor(times) as threads:
        return [made.result() for made in [threads.submit(make) for _ in range(times)]]


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
        self._is_cut = False
        self._ends: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._goes_on, self._listening = self._do(self._begin())
        self.port: int = self._listening.sockets[0].getsockname()[1]

    def stall(self) -> None:
        """Nothing arrives any more, and no connection ends."""
        self._do(self._set(goes_on=False, is_cut=False))

    def cut(self) -> None:
        """All connections end, and new ones too."""
        self._do(self._set(goes_on=True, is_cut=True))

    def mend(self) -> None:
        """As it was in the beginning; what was on the way arrives."""
        self._do(self._set(goes_on=True, is_cut=False))

    def close(self) -> None:
        self.cut()
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Done]) -> Done:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE)

    async def _begin(self) -> tuple[asyncio.Event, asyncio.Server]:
        goes_on = asyncio.Event()
        goes_on.set()
        return goes_on, await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=200)

    async def _set(self, *, goes_on: bool, is_cut: bool) -> None:
        self._is_cut = is_cut
        if goes_on:
            self._goes_on.set()
        else:
            self._goes_on.clear()
        if is_cut:
            for end in self._ends:
                end.transport.abort()

    async def _end(self) -> None:
        # Whom asyncio is accepting when the server closes it never closes: its assertion that there
        # is a server fails, unseen. So no more are accepted, all end, and then the server.
        for listening in self._listening.sockets:
            self._loop.remove_reader(listening.fileno())
        # One that is accepted has a task that makes another.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.gather(*others, return_exceptions=True)
        self._listening.close()
        # The ends that were given up last are closed in the next round of the loop.
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        with suppress(OSError):
            if not self._is_cut:
                to_read, to_write = await asyncio.open_connection("127.0.0.1", self._server)
                self._ends.add(to_write)
                await asyncio.gather(self._carry(reader, to_write), self._carry(to_read, writer))
                self._ends.remove(to_write)
        self._ends.remove(writer)
        writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while carried := await reader.read(65536):
                await self._goes_on.wait()
                writer.write(carried)
                await writer.drain()
        await self._goes_on.wait()
        writer.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _postgres_folders() -> list[Path]:
    """Debian keeps the programs of each version apart, and few of them in the path."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    return sorted(versions, key=lambda folder: int(folder.parts[-2]), reverse=True)


def _program(package: str, *names: str, folders: Iterable[Path] = ()) -> str:
    """The first of these programs that there is: in one of the folders, or in the path."""
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)])
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    pytest.fail(
        f"there is no {' or '.join(names)}: install it as root, on Debian and Ubuntu by"
        f" `apt-get install {package}`, as `make test` does"
    )


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


def _ask_redis(port: int, *commands: str) -> list[str]:
    """The answer to each command that is answered by one line."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as asked:
        asked.sendall("".join(f"{command}\r\n" for command in commands).encode())
        lines = asked.makefile()
        return [lines.readline().strip() for _ in commands]
