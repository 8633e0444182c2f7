"""Every accepted request is counted, once: under threads, under workers, and after a stop."""

import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import servers
from clients import Admin, key_id
from servers import Server, stored_totals, wait_until

SCALE = float(os.environ.get("SIMPLE_SECURITY_TEST_SCALE", "1"))
THREADS = 8
REQUESTS = round(500 * SCALE)
KEYS = 3

FLUSH_INTERVAL = 1.0
# How late a flush may come on a busy machine.
SLACK = 1.0


@pytest.mark.parametrize("workers", [1, 4])
def test_totals_are_exact(workers: int, database: Path, canaries: set[str]) -> None:
    secret = "secret-of-the-count-test"
    with servers.uvicorn(database, secret=secret, workers=workers) as server:
        admin = server.admin(secret, canaries)
        keys = [admin.new() for _ in range(KEYS)]

        answered = hammer(server, keys)
        reached = {key_id(key): answered[key] for key in keys}
        assert sum(reached.values()) == THREADS * REQUESTS

        wait_until(lambda: admin.totals() == reached, FLUSH_INTERVAL + SLACK, f"totals {reached}")
        stays([Admin(one, secret, canaries) for one in server.connect_to_every_worker()], reached)
        server.stop()
        assert stored_totals(database) == reached


@pytest.mark.parametrize("workers", [1, 4])
def test_a_clean_stop_loses_nothing(workers: int, database: Path, canaries: set[str]) -> None:
    """Stopped right after the last answer, with the last counts still pending."""
    secret = "secret-of-the-stop-test"
    with servers.uvicorn(database, secret=secret, workers=workers) as server:
        key = server.admin(secret, canaries).new()
        answered = hammer(server, [key])
        server.stop()
        assert stored_totals(database) == {key_id(key): answered[key]}


def test_a_killed_server_loses_at_most_the_last_interval(
    database: Path, canaries: set[str]
) -> None:
    secret = "secret-of-the-kill-test"
    with (
        servers.uvicorn(database, secret=secret, workers=1) as killed,
        servers.uvicorn(database, secret=secret, workers=1) as other,
    ):
        admin = other.admin(secret, canaries)
        key = admin.new()
        first = hammer(killed, [key])[key]
        wait_until(flushed(admin, key, first), FLUSH_INTERVAL + SLACK, f"{first} seen by the other")
        second = hammer(killed, [key])[key]
        killed.kill()
        after = admin.totals()[key_id(key)]
        assert first <= after <= first + second


def hammer(server: Server, keys: list[str]) -> Counter[str]:
    """THREADS clients ask REQUESTS times each; the requests answered 200, by key."""

    def client(number: int) -> Counter[str]:
        answered: Counter[str] = Counter()
        connection = server.connect()
        for request in range(REQUESTS):
            key = keys[(number + request) % len(keys)]
            answered[key] += connection.secure(key).status == 200
        return answered

    with ThreadPoolExecutor(THREADS) as clients:
        return sum(clients.map(client, range(THREADS)), Counter())


def stays(admins: list[Admin], reached: dict[str, int]) -> None:
    """Any worker that is asked, for two more flush intervals, shows the same totals."""
    end = time.monotonic() + 2 * FLUSH_INTERVAL
    while time.monotonic() < end:
        for admin in admins:
            assert admin.totals() == reached


def flushed(admin: Admin, key: str, total: int) -> Callable[[], bool]:
    return lambda: admin.totals().get(key_id(key)) == total
