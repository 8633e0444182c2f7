"""FastAPI over uvicorn: our dependency and our middleware, and the rivals."""

import os
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path

from figures import Aim, Plan, Plot, Section, Table, at_least, exactly_one, in_turn, ratio, shown
from load import (
    BENCH,
    ROOT,
    Run,
    ask_exactly,
    free_port,
    load,
    require_no_failure,
    running,
    wait_for,
)

PROGRAM = ROOT / "target/release/simple-security"
SECRET = "only for this measurement"  # noqa: S105
OURS = ("plain", "empty", "dependency", "middleware")
NAMES = {
    "plain": "plain route",
    "empty": "one empty dependency",
    "dependency": "ours as dependency",
    "middleware": "ours as middleware",
    "1.3.0": "fastapi_simple_security 1.3.0",
    "keyshield": "keyshield 2.0.1",
    "keyshield-0": "keyshield 2.0.1, delay 0",
}
EACH, CLIENTS = 250, 8
CONNECTIONS = 32
RIVAL_CONNECTIONS = 8
PROCESSES = 3
# The package 1.3.0 and ours, of one plain file each: how often a key was used.
TOTAL = {
    "1.3.0": "SELECT sum(total_queries) FROM fastapi_simple_security",
    "ours": "SELECT sum(total) FROM key_usage",
}

TEXT = """One app with one route for each, all on the same FastAPI and uvicorn (with uvloop and
httptools, without an access log), each in one process on one core; `wrk` asks them in turn from
the other core, over 32 connections; the rivals, and ours beside them, over 8. Of ours, and of
what it is compared with, there are three processes each, asked in turn: one process of the same app
is up to 4 % faster or slower than another, for as long as it lives. The ratios are of
requests in a second of the server's CPU time, which on a quiet machine is what its core answers in
a second; the ratio to 1.3.0, which waits for its disk, is of requests in a second.

32 connections, because between 56 and 72 of them even the plain app begins to hold so many
objects at once (700) that Python looks for garbage with every turn of the event loop, and once in
a second or so it looks through all objects there are, for some 20 ms. A handful of objects a
request decides where that begins, so at 64 connections this would compare thresholds."""


@dataclass(frozen=True)
class Server:
    """An app that is served."""

    name: str
    port: int
    process: int
    key: str
    database: Path

    def load(self, seconds: int = 1, connections: int = CONNECTIONS) -> Run:
        """One run."""
        header, key = _credentials(self.name, self.key)
        return load(
            f"http://127.0.0.1:{self.port}/",
            key,
            [self.process],
            header=header,
            seconds=seconds,
            connections=connections,
        )

    def counted(self) -> int | None:
        """How often its key was used, by its database, once nothing is written any more."""
        kind = "1.3.0" if self.name == "1.3.0" else "ours"
        before = -1
        while True:
            with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
                [(total,)] = database.execute(TOTAL[kind])
            if total == before:
                return int(total or 0)
            before = total
            # Ours writes what it has counted once in a second.
            time.sleep(1.5)


def measure(plan: Plan) -> Section:
    """Serves all and asks them in turn."""
    with ExitStack() as stack:
        enter = stack.enter_context
        servers = {name: enter(_serving(name)) for name in NAMES}
        processes = {
            name: cycle([servers[name], *(enter(_serving(name)) for _ in range(1, PROCESSES))])
            for name in OURS
        }
        ours = {name: partial(_load_next, each) for name, each in processes.items()}
        taken = in_turn(ours, plan.of(9, 31))
        # Longer, for some of them answer a few times in a second, and over fewer connections, for
        # their requests wait for each other's writes.
        rivals = {
            name: partial(server.load, 2, RIVAL_CONNECTIONS)
            for name, server in servers.items()
            if name not in OURS or name == "dependency"
        }
        beside = in_turn(rivals, plan.of(2, 9))
        for name in OURS:
            require_no_failure(taken[name], NAMES[name])
        counts = {name: _count(servers[name]) for name in ("dependency", "middleware", "1.3.0")}
    section = Section("FastAPI over uvicorn", TEXT)
    section.tables += [_table(taken, counts), _table(beside, counts)]
    section.aims += _aims(taken, beside, counts)
    bars = [
        (NAMES[name], statistics.median(run.per_second for run in (beside | taken)[name]))
        for name in NAMES
    ]
    title = "FastAPI over uvicorn, one core: requests in a second"
    section.plots.append(Plot("served", title, "", bars, logarithmic=True))
    return section


def _load_next(servers: Iterator[Server]) -> Run:
    """One run of the process whose turn it is."""
    return next(servers).load()


def _count(server: Server) -> tuple[int, int]:
    """How many of a fixed number of requests were counted, and how many answered."""
    before = server.counted() or 0
    header, key = _credentials(server.name, server.key)
    answered = ask_exactly(server.port, "/", {header: key}, EACH, CLIENTS)
    return (server.counted() or 0) - before, answered


def _table(taken: dict[str, list[Run]], counts: dict[str, tuple[int, int]]) -> Table:
    rows = []
    for name, runs in taken.items():
        answered, failed = sum(run.answered for run in runs), sum(run.failed for run in runs)
        counted = counts.get(name)
        rows.append(
            [
                NAMES[name],
                shown(statistics.median(run.per_second for run in runs)),
                _times(run.p50 for run in runs),
                _times(run.p99 for run in runs),
                _times(run.cpu_per_request for run in runs),
                f"{counted[0]} / {counted[1]}" if counted else "it counts none",
                f"{failed} of {answered + failed}",
            ]
        )
        if name in ("plain", "empty"):
            rows[-1][5] = ""
    headings = ["", "requests / s", "p50, ms", "p99, ms", "CPU / request, µs", "counted / answered"]
    note = (
        f"Counted / answered is of {EACH * CLIENTS} requests more, by {CLIENTS} clients at once. "
        "1.3.0 writes back the count it has read, so requests at the same time are counted as one."
    )
    return Table([*headings, "failed"], rows, note)


def _times(numbers: Iterator[float]) -> str:
    return shown(statistics.median(numbers))


def _aims(
    taken: dict[str, list[Run]], beside: dict[str, list[Run]], counts: dict[str, tuple[int, int]]
) -> list[Aim]:
    rate = {name: [run.per_cpu_second for run in runs] for name, runs in taken.items()}
    by_clock = {name: [max(run.per_second, 0.1) for run in runs] for name, runs in beside.items()}
    return [
        at_least(
            "FastAPI over uvicorn, ours as dependency / one empty dependency",
            0.97,
            ratio(rate["dependency"], rate["empty"]),
        ),
        at_least(
            "FastAPI over uvicorn, ours as middleware / plain",
            0.97,
            ratio(rate["middleware"], rate["plain"]),
        ),
        at_least(
            "ours / 1.3.0, requests in a second",
            20,
            ratio(by_clock["dependency"], by_clock["1.3.0"]),
        ),
        exactly_one("counted / answered, FastAPI, dependency", *counts["dependency"]),
        exactly_one("counted / answered, FastAPI, middleware", *counts["middleware"]),
    ]


def _credentials(name: str, key: str) -> tuple[str, str]:
    """The header, and what is in it."""
    return ("authorization", f"Bearer {key}") if name.startswith("keyshield") else ("api-key", key)


@contextmanager
def _serving(name: str) -> Iterator[Server]:
    """One app on a port of its own."""
    environment_name = name.removesuffix("-0") if name not in OURS else "ours"
    python = BENCH / f".venv-{environment_name}/bin/python"
    module = {"1.3.0": "dependency", "keyshield": "keyshield_app", "keyshield-0": "keyshield_app"}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        database, key_file, port = folder / "keys.db", folder / "key", free_port()
        environment = os.environ | {
            "DATABASE": str(database),
            "FASTAPI_SIMPLE_SECURITY_DB_LOCATION": str(database),
            "FASTAPI_SIMPLE_SECURITY_SECRET": SECRET,
            "KEY_FILE": str(key_file),
            "KEYSHIELD_DELAY": "0" if name == "keyshield-0" else "",
        }
        key = _issue(name, python, environment)
        command = [str(python), "-m", "uvicorn", f"{module.get(name, name)}:app", f"--port={port}"]
        command += ["--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=warning"]
        command.append(f"--app-dir={BENCH / 'apps'}")
        with (
            (folder / "log").open("w") as log,
            running(command, environment=environment, log=log, folder=folder) as process,
        ):
            wait_for(port, process, folder / "log")
            if name.startswith("keyshield"):
                key = key_file.read_text()
            yield Server(name, port, process.pid, key, database)


def _issue(name: str, python: Path, environment: dict[str, str]) -> str:
    """A key that never expires. keyshield's app makes its own."""
    if name.startswith("keyshield"):
        return ""
    make = "from fastapi_simple_security._sqlite_access import sqlite_access as s; "
    make += "print(s.create_key('bench', True))"
    ours = [str(PROGRAM), "keys", "issue", "--db-location", environment["DATABASE"]]
    command = [str(python), "-W", "ignore", "-c", make] if name == "1.3.0" else ours
    made = subprocess.run(  # noqa: S603, all of it is written here
        command, env=environment, capture_output=True, text=True, check=True
    )
    return made.stdout.split()[0]
