"""What a move does to the file itself: no plaintext stays, and a failure leaves it as it was."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from guarded_app import ADMIN_SECRET, GuardedApp
from old_package import OldRow, insert_old_rows, write_old_file

from fastapi_simple_security import SecurityError

DB_LOCATION = "FASTAPI_SIMPLE_SECURITY_DB_LOCATION"

ROWS = [OldRow(f"moved-{number:06}-4d1c-8f5e-6a7b8c9d0e1f") for number in range(1000)]
DELETED = [OldRow(f"gone--{number:06}-4d1c-8f5e-6a7b8c9d0e1f") for number in range(1000)]


def traces(directory: Path) -> set[str]:
    """Files of a directory that hold a trace of a key above.

    Another process reads them: closing a file in this one would drop SQLite's locks on it.
    """
    found = subprocess.run(
        ["grep", "-rlaE", "(moved|gone-)-[0-9]{6}|4d1c-8f5e-6a7b", directory],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode in (0, 1), found.stderr
    return {Path(line).name for line in found.stdout.splitlines()}


def write_with_traces(path: Path) -> None:
    """An old file whose free pages hold deleted keys too."""
    write_old_file(path, [*ROWS, *DELETED])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM fastapi_simple_security WHERE api_key LIKE 'gone%'")
        connection.commit()
    assert b"gone--000999" in path.read_bytes()


def test_no_plaintext_stays(guard: Callable[..., GuardedApp], database: Path) -> None:
    write_with_traces(database)
    guarded = guard(lifespan=True)
    assert traces(database.parent) == set()
    assert guarded.accepts(str(ROWS[0].api_key))
    assert len(guarded.logs()) == len(ROWS)
    guarded.security.close()
    assert traces(database.parent) == set()


def test_no_plaintext_stays_of_a_file_with_a_write_ahead_log(
    guard: Callable[..., GuardedApp], database: Path, tmp_path: Path
) -> None:
    """Copied while another process had it open: the newest rows are in the log alone."""
    source = tmp_path / "source.db"
    write_with_traces(source)
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        insert_old_rows(connection, [OldRow("moved-999999-4d1c-8f5e-6a7b8c9d0e1f")])
        shutil.copy(source, database)
        shutil.copy(f"{source}-wal", f"{database}-wal")
    assert traces(database.parent) == {"keys.db", "keys.db-wal"}

    guarded = guard(lifespan=True)
    assert traces(database.parent) == set()
    assert guarded.accepts("moved-999999-4d1c-8f5e-6a7b8c9d0e1f")
    assert len(guarded.logs()) == len(ROWS) + 1
    guarded.security.close()
    assert traces(database.parent) == set()


def test_an_interrupted_cleaning_goes_on(guard: Callable[..., GuardedApp], database: Path) -> None:
    first = guard()
    key = first.new("kept")
    first.security.close()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE left_over (plaintext TEXT)")
        connection.executemany("INSERT INTO left_over VALUES (?)", [(row.api_key,) for row in ROWS])
        connection.execute("DROP TABLE left_over")
        connection.execute("INSERT INTO settings (name, value) VALUES ('plaintext_cleaning', '1')")
        connection.commit()
    assert "keys.db" in traces(database.parent)

    guarded = guard(lifespan=True)
    assert traces(database.parent) == set()
    assert guarded.accepts(key)
    guarded.security.close()
    with closing(sqlite3.connect(database)) as connection:
        marks = connection.execute("SELECT value FROM settings WHERE name = 'plaintext_cleaning'")
        assert marks.fetchall() in ([], [("0",)])


OTHERS = {
    "table": "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)",
    "empty table": "CREATE TABLE users_of_the_app (id INTEGER)",
    "view": "CREATE VIEW active AS SELECT * FROM fastapi_simple_security WHERE is_active",
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_file_with_other_tables_is_refused(
    guard: Callable[..., GuardedApp], tmp_path: Path, other: str
) -> None:
    """It is somebody's application database. It stays as it is, to the byte."""
    shared = tmp_path / "app.db"
    write_old_file(shared, ROWS)
    with closing(sqlite3.connect(shared)) as connection:
        connection.execute(OTHERS[other])
        connection.commit()
    before = shared.read_bytes()

    with pytest.raises(SecurityError) as caught:
        guard(db_location=shared).start()
    message = str(caught.value)
    assert "fastapi_simple_security" in message
    assert str(shared) in message
    answer = guard(db_location=shared).use(str(ROWS[0].api_key))
    assert answer.status_code == 503
    assert shared.read_bytes() == before


def test_the_refusal_names_the_variable_and_the_way_to_split(
    guard: Callable[..., GuardedApp], environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the two commands of SQLite's shell, which this machine may not have."""
    shared = tmp_path / "app.db"
    write_old_file(shared, ROWS)
    with closing(sqlite3.connect(shared)) as connection:
        connection.execute(OTHERS["table"])
        connection.commit()
    environment.setenv(DB_LOCATION, str(shared))
    with pytest.raises(SecurityError, match=DB_LOCATION) as caught:
        guard().start()
    message = str(caught.value)
    assert f'sqlite3 {shared} ".dump fastapi_simple_security" | sqlite3 keys.db' in message
    assert f'sqlite3 {shared} "PRAGMA secure_delete=ON; DROP TABLE' in message


MOVE_WITH_LITTLE_ROOM = """
import resource, signal, sys
from fastapi_simple_security import SecurityError, SimpleSecurity
limit, action, database, secret = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
# Python ignores this signal, and a write then fails; its default ends the process there and then.
signal.signal(signal.SIGXFSZ, signal.SIG_DFL if action == "killed" else signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
security = SimpleSecurity(secret=secret, db_location=database)
try:
    security.open()
except SecurityError as error:
    print("refused", error)
else:
    print("moved")
"""


def move_with_little_room(database: Path, room: int, action: str) -> str:
    """Opens the file in a process that cannot write a file larger than it, but for `room`."""
    limit = str(database.stat().st_size + room)
    finished = subprocess.run(
        [sys.executable, "-c", MOVE_WITH_LITTLE_ROOM, limit, action, database, ADMIN_SECRET],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in finished.stderr, finished.stderr
    return finished.stdout


@pytest.mark.parametrize("room", [0, 4096, 65536])
def test_a_failure_half_way_leaves_the_file_as_it_was(
    guard: Callable[..., GuardedApp], tmp_path: Path, room: int
) -> None:
    database = tmp_path / "keys.db"
    write_old_file(database, ROWS)
    before = database.read_bytes()
    said = move_with_little_room(database, room, "refused")
    assert said.startswith("refused"), said
    assert database.read_bytes() == before
    assert_all_moved(guard(db_location=database), ROWS)


@pytest.mark.parametrize("room", [0, 4096, 65536, 131072])
def test_a_death_half_way_loses_nothing(
    guard: Callable[..., GuardedApp], tmp_path: Path, room: int
) -> None:
    """Whatever the process had done by then, the next start has all keys, and no plaintext."""
    database = tmp_path / "keys.db"
    write_old_file(database, ROWS)
    said = move_with_little_room(database, room, "killed")
    assert said == ""
    guarded = guard(db_location=database)
    assert_all_moved(guarded, ROWS)
    assert traces(tmp_path) == set()


def assert_all_moved(guarded: GuardedApp, rows: Iterable[OldRow]) -> None:
    keys = [str(row.api_key) for row in rows]
    assert len(guarded.logs()) == len(keys)
    for key in keys[::97]:
        assert guarded.accepts(key)


def test_a_file_that_another_program_holds_is_left_as_it_was(
    guard: Callable[..., GuardedApp], tmp_path: Path
) -> None:
    """The old version still runs, in the middle of a write."""
    database = tmp_path / "keys.db"
    write_old_file(database, ROWS)
    before = database.read_bytes()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_WRITE, database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(SecurityError):
            guard(db_location=database).start()
        assert holder.stdin is not None
        holder.stdin.close()
    assert database.read_bytes() == before
    assert_all_moved(guard(db_location=database), ROWS)


HOLD_A_WRITE: Any = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""
