"""How long after a revocation a key is last accepted: on workers of one machine, and on several."""

import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from figures import Aim, Plan, Section, Table
from load import ROOT

sys.path.insert(0, str(ROOT / "python/tests"))

import servers

WORKERS, CONNECTIONS_EACH = 4, 2
MACHINES = re.compile(
    r"(\w+), (\d+) keys revoked on (\d+) processes under load( without hints)?: 0 accepted after "
    r"effective_by; last acceptance after the commit p50 ([\d.]+) ms, p99 ([\d.]+) ms, maximum "
    r"([\d.]+) ms"
)
TEXT = """SQLite: four workers of uvicorn, asked over eight connections without a pause; from the
moment the call that revokes was sent to the begin of the last request that was let in, and
whether any that began after its answer was. PostgreSQL and Redis: three processes, from the
commit on, as `make test-machines` measures it; there a key that is revoked must be refused from
`effective_by` on, which is at most 2 seconds later."""


def measure(plan: Plan) -> Section:
    """Revokes under load."""
    delays, late = _by_workers(plan.of(20, 300))
    delays.sort()
    rows = [
        [
            f"SQLite, {WORKERS} workers",
            str(len(delays)),
            f"{statistics.median(delays):.1f}",
            f"{delays[int((len(delays) - 1) * 0.99)]:.1f}",
            f"{delays[-1]:.1f}",
            str(late),
        ]
    ]
    if plan.full:
        rows += _by_machines()
    headings = ["", "keys", "p50, ms", "p99, ms", "maximum, ms", "accepted after the bound"]
    aim = Aim("accepted after a revocation has returned, SQLite", "exactly 0", str(late), late == 0)
    return Section("Revocation", TEXT, [Table(headings, rows)], [aim])


def _by_workers(number: int) -> tuple[list[float], int]:
    """Milliseconds from sending each revocation to the last acceptance, and how many came late."""
    secret = "only for this measurement"  # noqa: S105
    delays, late = [], 0
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "keys.db"
        with servers.uvicorn(database, secret=secret, workers=WORKERS) as server:
            admin = server.admin(secret, set())
            connections = server.connect_to_every_worker(CONNECTIONS_EACH)
            for _ in range(number):
                key, stop = admin.new(), threading.Event()
                accepted: list[float] = []

                def ask(connection: "servers.Connection") -> None:
                    while not stop.is_set():  # noqa: B023, it is joined within the loop
                        began = time.monotonic()
                        if connection.secure(key).status == 200:  # noqa: B023
                            accepted.append(began)  # noqa: B023

                threads = [threading.Thread(target=ask, args=(each,)) for each in connections]
                for thread in threads:
                    thread.start()
                servers.wait_until(lambda: len(accepted) > 40, 60, "requests that are let in")  # noqa: B023
                sent = time.monotonic()
                admin.revoke(key)
                answered = time.monotonic()
                # Those that are under way, and more.
                time.sleep(0.02)
                stop.set()
                for thread in threads:
                    thread.join()
                delays.append(max(0.0, max(accepted) - sent) * 1e3)
                late += sum(began > answered for began in accepted)
    return delays, late


def _by_machines() -> list[list[str]]:
    """What the campaign on PostgreSQL and Redis prints of its revocations."""
    command = ["cargo", "test", "--locked", "--release", "-p", "simple-security"]
    command += ["--test", "machines", "--", "--nocapture", "revoked_keys"]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603, all of it is written here
    found = MACHINES.findall(run.stdout)
    if not found:
        raise SystemExit(run.stdout)
    return [
        [f"{kind}, {processes} processes{hints}", keys, p50, p99, maximum, "0"]
        for kind, keys, processes, hints, p50, p99, maximum in found
    ]
