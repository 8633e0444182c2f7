"""Revoked means revoked, on every worker, for every request that begins after the answer."""

import hashlib
import os
import secrets
import string
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import servers
from clients import key_id
from hammering import Hammer
from servers import wait_until

WORKERS = 4
CONNECTIONS_EACH = 2
REVOCATIONS = int(os.environ.get("SIMPLE_SECURITY_REVOCATIONS", "40"))
RENEWALS = 20
INSERTIONS = 20

# The lease of a SQLite store, with a margin for clocks that tick apart; in seconds.
LEASE = 0.010 * 1.001 + 0.001

# Another program that adds keys, with a SQLite of its own; the store's triggers write the change
# log. For each id and digest on its input it says when the key was committed.
INSERT_KEYS = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
for line in sys.stdin:
    key_id, digest = line.split()
    database.execute(
        "INSERT INTO api_keys (id, digest, name, created_at, expires_at, never_expires)"
        " VALUES (?1, ?2, 'inserted', ?3, ?3 + 86400, 0)",
        (key_id, bytes.fromhex(digest), int(time.time())),
    )
    print(time.monotonic(), flush=True)
database.close()
"""


def test_a_revoked_key_is_refused_by_every_worker(database: Path, canaries: set[str]) -> None:
    """With a key that a worker just issued, and that the others accepted."""
    secret = "secret-of-the-revocation-test"
    with servers.uvicorn(database, secret=secret, workers=WORKERS) as server:
        admin = server.admin(secret, canaries)
        with Hammer(server.connect_to_every_worker(CONNECTIONS_EACH)) as hammer:
            for _ in range(REVOCATIONS):
                key = admin.new()
                hammer.expect(key, 200)
                hammer.after(admin.revoke, key, 403)
        hammer.report()


def test_a_renewed_key_is_accepted_by_every_worker(database: Path, canaries: set[str]) -> None:
    secret = "secret-of-the-renewal-test"
    with servers.uvicorn(database, secret=secret, workers=WORKERS) as server:
        admin = server.admin(secret, canaries)
        with Hammer(server.connect_to_every_worker(CONNECTIONS_EACH)) as hammer:
            key = admin.new()
            hammer.expect(key, 200)
            for _ in range(RENEWALS):
                hammer.after(admin.revoke, key, 403)
                hammer.after(admin.renew, key, 200)
        hammer.report()


def test_a_key_asked_for_before_it_exists(database: Path, canaries: set[str]) -> None:
    """Every worker knows the key as unknown when another program adds it."""
    secret = "secret-of-the-insertion-test"
    with (
        servers.uvicorn(database, secret=secret, workers=WORKERS) as server,
        other_program(database) as program,
    ):

        def insert(key: str) -> None:
            committed = commit(program, key)
            wait_until(lambda: time.monotonic() > committed + LEASE, 1, "the end of the lease")

        admin = server.admin(secret, canaries)
        with Hammer(server.connect_to_every_worker(CONNECTIONS_EACH)) as hammer:
            for _ in range(INSERTIONS):
                key = random_key()
                canaries.add(key)
                hammer.expect(key, 403)
                hammer.after(insert, key, 200)
                hammer.after(admin.revoke, key, 403)
        hammer.report()


@contextmanager
def other_program(database: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", INSERT_KEYS, str(database)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) as program:
        yield program


def commit(program: subprocess.Popen[str], key: str) -> float:
    """Has the program add the key; the time at which that was committed."""
    assert program.stdin is not None
    assert program.stdout is not None
    print(key_id(key), hashlib.sha256(key.encode()).hexdigest(), file=program.stdin)
    return float(program.stdout.readline())


def random_key() -> str:
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    drawn = "".join(secrets.choice(alphabet) for _ in range(44))
    body = f"fss_{drawn[:11]}_{drawn[11:]}"
    checksum, rest = "", zlib.crc32(body.encode())
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        checksum = alphabet[digit] + checksum
    return body + checksum
