"""A process that forks with counts pending: nothing is counted twice, lost, or left hanging."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
import servers
from clients import key_id
from guarded_app import ADMIN_SECRET, GuardedApp
from servers import stored_totals, wait_until

FORKING = Path(__file__).with_name("forking.py")
SEED = os.environ.get("SIMPLE_SECURITY_TEST_SEED", "1")
DEADLINE = 120.0

FLUSH_INTERVAL = 1.0

UNTIL_TOLD = """
print("held", flush=True)
sys.stdin.readline()
"""
LOCK_FILE = """
import fcntl, sys
lock = open(sys.argv[1] + "-write-lock", "a")
fcntl.flock(lock, fcntl.LOCK_EX)
"""
DATABASE_LOCK = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
database.execute("BEGIN IMMEDIATE")
"""


@pytest.fixture
def key(guarded: GuardedApp) -> str:
    """A key in `database`, which this process has left."""
    key = guarded.new()
    guarded.security.close()
    return key


@pytest.mark.parametrize(
    "scenario",
    [
        "forks_at_random_points",
        "children_that_never_asked",
        "child_outlives_the_use_of_its_parent",
        "multiprocessing_children",
    ],
)
def test_totals_are_those_of_parent_and_children(scenario: str, database: Path, key: str) -> None:
    with forking(scenario, database, key) as process:
        total = counted(process)
        assert stored(database, key) == total


@pytest.mark.parametrize("lock", [LOCK_FILE, DATABASE_LOCK], ids=["lock-file", "database"])
def test_fork_while_the_flusher_is_inside_its_transaction(
    lock: str, database: Path, key: str
) -> None:
    with forking("flusher_inside_its_transaction", database, key) as process:
        hear(process, "pending")
        with held(lock, database):
            one_flush_interval()
            tell(process)
            hear(process, "forking")
            # Either it forks now, or it waits for its flusher, which waits for this lock.
            select.select([output(process)], [], [], 0.5)
        hear(process, "forked")
        total = counted(process)
        assert stored(database, key) == total


def test_a_child_of_a_killed_parent_is_not_locked_out(database: Path, key: str) -> None:
    """Killed with the flusher inside, when it holds the lock file."""
    with forking("parent_killed_inside_its_transaction", database, key) as process:
        hear(process, "pending")
        with held(DATABASE_LOCK, database):
            wait_until(lambda: lock_file_is_held(database), 10, "the flusher has the lock file")
            process.kill()
            process.wait()
        of_the_child = counted(process)
        assert of_the_child <= stored(database, key) <= of_the_child + 20


def test_gunicorn_forks_after_the_first_use(database: Path, key: str) -> None:
    """--preload: the app has counted in the master when the workers are forked."""
    settings = {"REQUESTS_AT_IMPORT": "3", "KEY_AT_IMPORT": key}
    with servers.gunicorn(database, secret=ADMIN_SECRET, workers=2, **settings) as server:
        asked = 0
        for connection in server.connect_to_every_worker(each=2):
            for _ in range(10):
                assert connection.secure(key).status == 200
                asked += 1
        server.stop()
        assert stored(database, key) == 3 + asked


@contextmanager
def forking(
    scenario: str, database: Path, key: str, **settings: str
) -> Iterator[subprocess.Popen[str]]:
    print(f"seed {SEED}")
    with (database.parent / f"{scenario}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(FORKING), scenario, SEED],
            env=servers.environment(database, ADMIN_SECRET, KEY=key, **settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def held(lock: str, database: Path) -> Iterator[subprocess.Popen[str]]:
    """A lock of the store, held by another process."""
    command = [sys.executable, "-c", lock + UNTIL_TOLD, str(database)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        hear(holder, "held")
        yield holder
        tell(holder)


def lock_file_is_held(database: Path) -> bool:
    inode = os.stat(f"{database}-write-lock").st_ino
    return f":{inode} " in Path("/proc/locks").read_text()


def one_flush_interval() -> None:
    """A flusher that cannot end its transaction is inside it after that, and stays there."""
    begun = time.monotonic()
    wait_until(lambda: time.monotonic() > begun + 1.2 * FLUSH_INTERVAL, 10, "a flush interval")


def counted(process: subprocess.Popen[str]) -> int:
    """What the process, or its last child, says it counted; read to the end of them all."""
    words = output(process).read().split()
    assert words[:1] == ["counted"], f"no count but {words}; see the log beside the database"
    process.wait(DEADLINE)
    return int(words[1])


def stored(database: Path, key: str) -> int:
    return stored_totals(database)[key_id(key)]


def hear(process: subprocess.Popen[str], expected: str) -> None:
    assert output(process).readline().strip() == expected


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout
