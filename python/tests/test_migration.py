"""Nothing is lost in a move: files of the old package, and what becomes of each row."""

import logging
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from guarded_app import GuardedApp
from old_package import OldRow, write_old_file

# What the old package could hold, by name. The UUIDs are fixed canaries.
ROWS = {
    "active": OldRow("11111111-5c1e-4c57-9f0e-1b7a3d5c9e01"),
    "used": OldRow(
        "22222222-5c1e-4c57-9f0e-1b7a3d5c9e02",
        latest_query_date="2023-07-14T09:08:07",
        total_queries=12345,
    ),
    "revoked": OldRow(
        "33333333-5c1e-4c57-9f0e-1b7a3d5c9e03",
        is_active=0,
        latest_query_date="2023-01-02T03:04:05",
        total_queries=7,
    ),
    "expired": OldRow(
        "44444444-5c1e-4c57-9f0e-1b7a3d5c9e04", expiration_date="2020-02-29T23:59:59"
    ),
    "never expires": OldRow(
        "55555555-5c1e-4c57-9f0e-1b7a3d5c9e05",
        never_expire=1,
        expiration_date="2021-01-01T00:00:00",
    ),
    "revoked, never expires": OldRow(
        "66666666-5c1e-4c57-9f0e-1b7a3d5c9e06", is_active=0, never_expire=1
    ),
    "to the end of time": OldRow(
        "77777777-5c1e-4c57-9f0e-1b7a3d5c9e07", expiration_date="9999-12-31T23:59:59"
    ),
    # 1.3.0 stored it, and then failed at each use of the key.
    "with a zone": OldRow(
        "88888888-5c1e-4c57-9f0e-1b7a3d5c9e08", expiration_date="2222-01-01T01:00:00+02:00"
    ),
}
WORKING = {"active", "used", "never expires", "to the end of time", "with a zone"}


@pytest.fixture(params=[True, False], ids=["with name", "without name"])
def with_name(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def moved(
    guard: Callable[..., GuardedApp], database: Path, canaries: set[str], with_name: bool
) -> GuardedApp:
    """An app on the file of the rows above."""
    rows = [replace(row, name=name) for name, row in ROWS.items()]
    canaries.update(str(row.api_key) for row in rows)
    write_old_file(database, rows, with_name=with_name)
    return guard()


def test_rows_are_taken_over(moved: GuardedApp, with_name: bool) -> None:
    expected = [
        (
            name if with_name else None,
            row.is_active == 1,
            row.never_expire == 1,
            "2221-12-31T23:00:00" if name == "with a zone" else row.expiration_date,
            row.latest_query_date,
            row.total_queries,
        )
        for name, row in ROWS.items()
    ]
    rows = moved.logs()
    found = [tuple(row.values())[1:] for row in rows]
    assert sorted(found, key=str) == sorted(expected, key=str)
    for row in rows:
        assert re.fullmatch(r"[0-9A-Za-z]{11}", row["api_key"])
    assert [row["total_queries"] for row in rows][:2] == [12345, 7]


@pytest.mark.parametrize("name", ROWS)
def test_keys_work_as_before(moved: GuardedApp, name: str, with_name: bool) -> None:
    row = ROWS[name]
    key = str(row.api_key)
    assert moved.accepts(key) == (name in WORKING)
    if name in WORKING:
        answer = moved.client.get("/secure-sync", params={"api-key": key}).json()
        assert answer["key"] == key
        assert answer["name"] == (name if with_name else "")
        assert moved.log_of(answer["id"])["total_queries"] == (row.total_queries or 0) + 2


def test_moved_keys_can_be_revoked_and_renewed_by_themselves(moved: GuardedApp) -> None:
    key, revoked = str(ROWS["active"].api_key), str(ROWS["revoked"].api_key)
    assert moved.accepts(key)
    assert (moved.revoke(key).status_code, moved.accepts(key)) == (200, False)
    answer = moved.renew(revoked, "2222-01-01")
    assert answer.json().startswith("This API key was revoked and has been reactivated. ")
    assert moved.accepts(revoked)


def test_new_keys_join_them(moved: GuardedApp) -> None:
    key = moved.new("new")
    assert moved.accepts(key)
    assert len(moved.logs()) == len(ROWS) + 1


def test_opened_again_nothing_changes(
    moved: GuardedApp, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = moved.logs()
    moved.security.close()
    content = dump(database)
    caplog.clear()
    caplog.set_level(logging.INFO, logger="fastapi_simple_security")
    assert moved.logs() == rows
    moved.security.close()
    assert dump(database) == content
    assert [record.getMessage() for record in caplog.records if "mov" in record.getMessage()] == []


def dump(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


def test_the_old_table_is_gone(moved: GuardedApp, database: Path) -> None:
    moved.security.open()
    moved.security.close()
    assert "fastapi_simple_security" not in "".join(dump(database))


def test_one_log_line_says_how_many_were_moved(
    guard: Callable[..., GuardedApp], database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_old_file(database, [OldRow(f"{number:036}") for number in range(4321)])
    caplog.set_level(logging.INFO, logger="fastapi_simple_security")
    guard(lifespan=True)
    lines = [record.getMessage() for record in caplog.records if "4321" in record.getMessage()]
    assert len(lines) == 1
    assert str(database) in lines[0]


def test_an_empty_old_table(guard: Callable[..., GuardedApp], database: Path) -> None:
    write_old_file(database, [])
    guarded = guard()
    assert guarded.logs() == []
    assert guarded.accepts(guarded.new())


@pytest.mark.parametrize("length", [1, 2, 31, 32, 54, 55, 56, 64, 254, 255])
def test_keys_of_one_to_255_bytes(
    guard: Callable[..., GuardedApp], database: Path, length: int
) -> None:
    key = "k" * length
    write_old_file(database, [OldRow(key)])
    guarded = guard()
    assert guarded.accepts(key)
    assert guarded.client.get("/secure", params={"api-key": key}).status_code == 200
    assert not guarded.accepts(key[:-1] + "K")
