"""All keys, page by page, while keys are added and deleted: none twice, none lost."""

import hashlib
import os
import random
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import servers
from servers import Server

from fastapi_simple_security import SimpleSecurity

SEED = os.environ.get("SIMPLE_SECURITY_TEST_SEED", "1")
KEYS = 100_000
LIMIT = 500
SECRET = "secret-of-the-paging-test"
NOW = 1_795_500_000


def stored_id(number: int) -> str:
    """The ids of the keys are in no order of theirs."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:11]


def fill(database: Path) -> list[str]:
    """Writes the keys into a database that nobody has open: some of each second."""
    security = SimpleSecurity(secret=SECRET, db_location=database)
    security.open()
    security.close()
    ids = [stored_id(number) for number in range(KEYS)]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO api_keys (id, digest, name, created_at, expires_at, never_expires)"
            " VALUES (?, ?, ?, ?, ?, 0)",
            (
                (key_id, hashlib.sha256(key_id.encode()).digest(), f"number {number}", age, NOW * 2)
                for number, key_id in enumerate(ids)
                for age in [NOW - number // 7]
            ),
        )
    return ids


def pages(server: Server, **query: str) -> Iterator[dict[str, Any]]:
    """All pages, one after the other."""
    connection = server.connect()
    cursor: dict[str, str] = {}
    while True:
        answer = connection.get(
            "/auth/keys", {"secret-key": SECRET}, limit=str(LIMIT), **query, **cursor
        )
        assert answer.status == 200, answer.text
        page: dict[str, Any] = answer.json
        yield page
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


@pytest.mark.parametrize("serve", [servers.uvicorn, servers.axum])
def test_a_hundred_thousand_keys_while_others_come_and_go(
    database: Path, canaries: set[str], serve: Any
) -> None:
    print(f"SIMPLE_SECURITY_TEST_SEED={SEED}")
    draw = random.Random(SEED)
    ids = fill(database)
    # Every tenth may be deleted, the others stay.
    going = draw.sample(ids[::10], KEYS // 10)
    staying = set(ids) - set(going)
    added: list[str] = []
    deleted: list[str] = []
    done = threading.Event()
    failures: list[str] = []

    def write(connection: Any) -> None:
        while not done.is_set() and going:
            made = connection.request("POST", "/auth/keys", {"secret-key": SECRET}, {})
            gone = going.pop()
            left = connection.request("DELETE", f"/auth/keys/{gone}", {"secret-key": SECRET})
            if (made.status, left.status) != (201, 200):
                failures.append(f"{made.status} {left.status}")
                return
            added.append(made.json["id"])
            canaries.add(made.json["key"])
            deleted.append(gone)

    with serve(database, secret=SECRET) as server:
        writers = [threading.Thread(target=write, args=[server.connect()]) for _ in range(2)]
        for writer in writers:
            writer.start()
        try:
            met = Counter(key["id"] for page in pages(server) for key in page["keys"])
        finally:
            done.set()
            for writer in writers:
                writer.join()
        print(f"{len(met)} keys met, {len(added)} added and {len(deleted)} deleted meanwhile")
        assert not failures
        assert min(len(added), len(deleted)) > 20, "nothing happened meanwhile"
        assert [key_id for key_id, times in met.items() if times > 1] == [], "met twice"
        assert staying - met.keys() == set(), "lost"
        assert met.keys() <= set(ids) | set(added), "invented"
        again = [key["id"] for page in pages(server) for key in page["keys"]]
    assert set(again) == (set(ids) - set(deleted)) | set(added)
    assert len(again) == len(set(again))


@pytest.mark.parametrize("state", ["active", "revoked"])
def test_a_filter_that_finds_few_among_many(database: Path, state: str) -> None:
    fill(database)
    expected = [stored_id(number) for number in (7777, 77770, 77771, 77772)]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE api_keys SET revoked_at = 5 WHERE id = ?", [stored_id(7777)])
    with servers.uvicorn(database, secret=SECRET) as server:
        found = [
            key["id"]
            for page in pages(server, name="number 7777", state=state)
            for key in page["keys"]
        ]
    if state == "revoked":
        assert found == expected[:1]
    else:
        assert len(found) == 10
        assert set(expected[1:]) < set(found)
