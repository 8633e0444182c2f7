"""Imports keys from the command line, lists them by pages, exports them, and says what it took.

`make bench-import` runs it with a million keys and the program built for release. For each command
it prints how long it took, how long of that it was computing, and the most memory that it had; and
for how long others could not write meanwhile: the longest time between two keys that a second
program made.
"""

import hashlib
import itertools
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "target/release/simple-security"
KEYS = int(os.environ.get("SIMPLE_SECURITY_KEYS", "1000000"))


def main() -> int:
    """Measures; 1 when what comes out is not what went in."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, first, second = folder / "keys.csv", folder / "first.jsonl", folder / "second.jsonl"
        write_source(source)
        print(f"{KEYS} keys, {source.stat().st_size / 1e6:.0f} MB of CSV")
        database = folder / "keys.db"
        run("issue", database, "keys", "issue")
        run("check", database, "keys", "import", str(source))
        waited = waits(database)
        run("import", database, "keys", "import", str(source), "--yes")
        print(f"{'others waited':16} {waited():6.1f} s")
        print(f"{'database':16} {database.stat().st_size / 1e6:6.0f} MB")
        run("list --all", database, "keys", "list", "--all")
        run("export", database, "keys", "export", "--output", str(first))
        copy = folder / "copy.db"
        run("import export", copy, "keys", "import", str(first), "--yes")
        run("export again", copy, "keys", "export", "--output", str(second))
        same = digest(first) == digest(second)
        print(f"both exports are {'the same' if same else 'NOT THE SAME'}")
        return int(not same)


def write_source(path: Path) -> None:
    """Keys in plain text, as another system would hand them over."""
    with path.open("w") as file:
        file.write("key,name,total,last_used_at\n")
        for number in range(KEYS):
            key = hashlib.sha256(b"%d" % number).hexdigest()
            file.write(f"{key},customer {number},{number},2026-01-31T12:00:00Z\n")


def run(what: str, database: Path, *arguments: str) -> None:
    """Runs the program, and prints its time and the most memory it had."""
    started = time.monotonic()
    process = subprocess.Popen(  # noqa: S603, all of it is written here
        [PROGRAM, *arguments],
        env={"SIMPLE_SECURITY_DB_LOCATION": str(database)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if status != 0:
        raise SystemExit(f"{what}: ended with {os.waitstatus_to_exitcode(status)}")
    computing = usage.ru_utime + usage.ru_stime
    memory = usage.ru_maxrss / 1024
    print(f"{what:16} {seconds:6.1f} s {computing:6.1f} s  {memory:5.0f} MB", flush=True)


def waits(database: Path) -> Callable[[], float]:
    """Issues keys again and again beside what is measured, until the answer is asked for."""
    done = threading.Event()
    made = [time.monotonic()]
    command = [PROGRAM, "keys", "issue"]
    environment = {"SIMPLE_SECURITY_DB_LOCATION": str(database)}

    def issue() -> None:
        while not done.is_set():
            issued = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603
            if issued.returncode == 0:
                made.append(time.monotonic())
            done.wait(0.05)

    thread = threading.Thread(target=issue)
    thread.start()

    def stop() -> float:
        done.set()
        thread.join()
        return max(later - before for before, later in itertools.pairwise(made))

    return stop


def digest(path: Path) -> str:
    """A digest of all that a file holds."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
