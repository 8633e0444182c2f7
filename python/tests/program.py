"""`simple-security serve`, as a process of its own."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clients import Connection, ResourceAdmin, key_id
from servers import TESTS, wait_until

BUILT = TESTS.parents[1] / "target" / "tested" / "static" / "simple-security"
PROGRAM = os.environ.get("SIMPLE_SECURITY_PROGRAM", str(BUILT))
LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
DEADLINE = 30.0


class Admin(ResourceAdmin):
    """The resource API of the server, with what it alone is asked for."""

    def new(self, name: str = "", expires_at: str | None = None, owner: str = "") -> str:
        new = {"name": name, "expires_at": expires_at, "owner": owner}
        key = self._send("POST", "", new)["key"]
        assert isinstance(key, str)
        self._canaries.add(key)
        return key

    def add(self, key: str) -> str:
        """Takes in a key from elsewhere; gives back its id."""
        added = self._send("POST", "", {"key": key})["id"]
        assert isinstance(added, str)
        self._canaries.add(key)
        return added

    def shown(self, key: str) -> Any:
        return self._send("GET", f"/{key_id(key)}")


@dataclass
class Program:
    """A running auth server."""

    port: int
    database: Path
    admin: Admin
    process: subprocess.Popen[bytes]
    connections: list[Connection]

    def connect(self) -> Connection:
        """A connection that is closed when the server is left."""
        self.connections.append(Connection(self.port))
        return self.connections[-1]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(DEADLINE)

    def keys(self, *arguments: str) -> str:
        """`simple-security keys` on the same database; gives back what it printed."""
        done = subprocess.run(
            [PROGRAM, "keys", *arguments, "--db-location", str(self.database)],
            env=environment(None),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def environment(secret: str | None) -> dict[str, str]:
    """This process's environment with no settings of ours but the secret."""
    kept = {n: text for n, text in os.environ.items() if not n.startswith("SIMPLE_SECURITY_")}
    return kept if secret is None else {**kept, "SIMPLE_SECURITY_SECRET": secret}


@contextmanager
def serve(database: Path, secret: str, canaries: set[str]) -> Iterator[Program]:
    """The auth server on a port of the kernel's choice; its log lies beside the database."""
    log_file = database.with_name(f"{database.stem}-serve.log")
    with log_file.open("xb") as log:
        process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--db-location", str(database)],
            env=environment(secret),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def port() -> int | None:
        written = log_file.read_text(errors="backslashreplace")
        assert process.poll() is None, f"the program ended before it listened: {written}"
        found = LISTENING.search(written)
        return int(found[1]) if found else None

    connections: list[Connection] = []
    try:
        wait_until(lambda: port() is not None, DEADLINE, "start of the program")
        listening = port()
        assert listening is not None
        connections.append(Connection(listening))
        admin = Admin(connections[0], secret, canaries)
        yield Program(listening, database, admin, process, connections)
    finally:
        for connection in connections:
            connection.close()
        process.terminate()
        try:
            process.wait(DEADLINE)
        finally:
            process.kill()


@contextmanager
def running(
    command: list[str], environment: dict[str, str], folder: Path, first: Callable[[], None] | None
) -> Iterator[Path]:
    """A process of any command, which `first` prepares; its log lies in the folder."""
    log_file = folder / "run.log"
    with log_file.open("xb") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            preexec_fn=first,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield log_file
        process.terminate()
        assert process.wait(DEADLINE) in (0, -15), log_file.read_text()
    finally:
        process.kill()
        process.wait(DEADLINE)
