"""Real servers for the tests: started, asked over kept-alive connections, stopped by their own id.

All that a server writes lies in the directory of its database, where the leak search looks.
"""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from clients import Admin, Connection

TESTS = Path(__file__).parent
EXAMPLES = TESTS.parents[1] / "examples"

START_DEADLINE = 60.0
STOP_DEADLINE = 30.0
ADDRESS = re.compile(r"(?:[Rr]unning on|Listening at:|listening on) http://127\.0\.0\.1:(\d+)")
# What each worker of a server of Python says when it is ready; one in Rust only says where it is.
STARTED = "Application startup complete."
AXUM = TESTS.parents[1] / "target/debug/examples/axum"
OUR_SETTINGS = ("FASTAPI_SIMPLE_SECURITY_", "FAST_API_SIMPLE_SECURITY_")


@contextmanager
def uvicorn(
    database: Path,
    *,
    secret: str | None,
    workers: int = 1,
    app: str = "served_app:app",
    port: int = 0,
    options: Sequence[str] = ("--http=h11",),
    **settings: str,
) -> Iterator["Server"]:
    """An app under uvicorn, on a port of the kernel's choice unless one is named."""
    command = [sys.executable, "-m", "uvicorn", app, "--timeout-keep-alive", "120"]
    command += [f"--port={port}", f"--workers={workers}", *options]
    with _serve(command, database, workers, secret, settings) as server:
        yield server


@contextmanager
def gunicorn(
    database: Path, *, secret: str | None, workers: int = 2, **settings: str
) -> Iterator["Server"]:
    """`served_app` under gunicorn, which loads the app before it forks its workers."""
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "served_app:app",
        "--preload",
        "--bind=127.0.0.1:0",
    ]
    command += ["--worker-class=uvicorn.workers.UvicornWorker", f"--workers={workers}"]
    command += ["--access-logfile=-", "--keep-alive=120", "--no-control-socket"]
    with _serve(command, database, workers, secret, settings) as server:
        yield server


@contextmanager
def hypercorn(
    database: Path, *, secret: str | None, app: str, options: Sequence[str] = ()
) -> Iterator["Server"]:
    """An app under hypercorn."""
    command = [sys.executable, "-m", "hypercorn", app, "--bind=127.0.0.1:0", *options]
    with _serve(command, database, 0, secret, {}) as server:
        yield server


@contextmanager
def axum(database: Path, *, secret: str) -> Iterator["Server"]:
    """`examples/axum.rs`, which `make test-python` has built."""
    with _serve([str(AXUM), "0"], database, 0, secret, {}) as server:
        yield server


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    workers: int
    log_file: Path
    port: int = 0
    connections: list[Connection] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self) -> str:
        return self.log_file.read_text(errors="backslashreplace")

    def connect(self) -> Connection:
        """A connection that is closed, at the latest, when the server is left."""
        self.connections.append(Connection(self.port))
        return self.connections[-1]

    def admin(self, secret: str, canaries: set[str]) -> Admin:
        return Admin(self.connect(), secret, canaries)

    def connect_to_every_worker(self, each: int = 1) -> list[Connection]:
        """The kernel deals connections out as it likes, so more are opened until every worker has
        `each` of them; the surplus is closed."""
        dealt: dict[int, list[Connection]] = {}
        surplus: list[Connection] = []

        def every_worker_has_its_share() -> bool:
            connection = Connection(self.port)
            mine = dealt.setdefault(connection.get("/unsecured").worker, [])
            (mine if len(mine) < each else surplus).append(connection)
            return sum(map(len, dealt.values())) == self.workers * each

        wait_until(every_worker_has_its_share, 60, f"connections to {self.workers} workers")
        for connection in surplus:
            connection.close()
        chosen = [connection for mine in dealt.values() for connection in mine]
        self.connections += chosen
        return chosen

    def stop(self) -> None:
        """A clean stop, as a service manager asks for it."""
        self.process.terminate()
        try:
            code = self.process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self.fail("the server did not stop")
        if code not in (0, -signal.SIGTERM):
            self.fail(f"the server ended with {code}")

    def kill(self) -> None:
        """SIGKILL to the server and its workers; the process group is the server's own."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_DEADLINE)

    def fail(self, reason: str) -> NoReturn:
        raise AssertionError(f"{reason}; its log:\n{self.log()}")

    def started(self) -> bool:
        if self.process.poll() is not None:
            self.fail("the server ended before it was ready")
        log = self.log()
        address = ADDRESS.search(log)
        if address is None or log.count(STARTED) < self.workers:
            return False
        self.port = int(address[1])
        return True


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Waits for a condition, and fails when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.002)


def environment(database: Path, secret: str | None, **settings: str) -> dict[str, str]:
    """This process's environment with no settings of ours but these."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(OUR_SETTINGS)}
    kept["PYTHONPATH"] = os.pathsep.join([str(TESTS), str(EXAMPLES), kept.get("PYTHONPATH", "")])
    kept["FASTAPI_SIMPLE_SECURITY_DB_LOCATION"] = str(database)
    if secret is not None:
        kept["FASTAPI_SIMPLE_SECURITY_SECRET"] = secret
    return kept | settings


def stored_totals(database: Path) -> dict[str, int]:
    """The requests counted for each key id, in a file that nobody has open any more."""
    with closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute("SELECT id, total FROM key_usage"))


@contextmanager
def _serve(
    command: list[str], database: Path, workers: int, secret: str | None, settings: dict[str, str]
) -> Iterator[Server]:
    directory = database.parent
    log_file = directory / f"server-{len(list(directory.glob('server-*.log'))) + 1}.log"
    with log_file.open("xb") as log:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment(database, secret, **settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, workers, log_file)
    try:
        wait_until(server.started, START_DEADLINE, f"start of {command}")
        yield server
        if process.poll() is None:
            server.stop()
    finally:
        server.kill()
        for connection in server.connections:
            connection.close()
