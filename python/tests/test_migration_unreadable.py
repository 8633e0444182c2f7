"""Rows of an old file that cannot be read: kept, revoked, and named in the log."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from guarded_app import GuardedApp
from old_package import OldRow, write_old_file

UNREADABLE = {
    "NULL key": OldRow(None),
    "another NULL key": OldRow(None, total_queries=3),
    "empty key": OldRow(""),
    "256 bytes": OldRow("unreadable-" + "m" * 245),
    "300 bytes in fewer letters": OldRow("unreadable-" + "é" * 145),
    "10 kB": OldRow("unreadable-" + "n" * 10_000),
    "no date": OldRow("unreadable-0d6f-4b8e-9a3c-1f5e7d9b0001", expiration_date=None),
    "empty date": OldRow("unreadable-0d6f-4b8e-9a3c-1f5e7d9b0002", expiration_date=""),
    "words": OldRow("unreadable-0d6f-4b8e-9a3c-1f5e7d9b0003", expiration_date="next week"),
    "no such day": OldRow("unreadable-0d6f-4b8e-9a3c-1f5e7d9b0004", expiration_date="2222-22-22"),
}


@pytest.fixture
def unreadable(
    guard: Callable[..., GuardedApp],
    database: Path,
    canaries: set[str],
    caplog: pytest.LogCaptureFixture,
) -> GuardedApp:
    rows = [replace(row, name=name) for name, row in UNREADABLE.items()]
    canaries.update(str(row.api_key) for row in rows if row.api_key)
    write_old_file(database, [*rows, OldRow("z" * 36, name="readable")])
    caplog.set_level(logging.INFO, logger="fastapi_simple_security")
    return guard()


def test_unreadable_rows_are_kept_revoked(unreadable: GuardedApp) -> None:
    rows = {row["name"]: row for row in unreadable.logs()}
    assert set(rows) == {*UNREADABLE, "readable"}
    for name in UNREADABLE:
        assert rows[name]["is_active"] is False
        datetime.fromisoformat(rows[name]["expiration_date"])
    assert rows["another NULL key"]["total_queries"] == 3
    assert unreadable.accepts("z" * 36)


def test_unreadable_rows_are_named_in_the_log_by_their_new_id(
    unreadable: GuardedApp, caplog: pytest.LogCaptureFixture
) -> None:
    rows = {row["name"]: row["api_key"] for row in unreadable.logs()}
    for name in UNREADABLE:
        assert rows[name] in caplog.text, name
    assert rows["readable"] not in caplog.text
    assert "unreadable-" not in caplog.text


def test_unreadable_keys_are_refused(unreadable: GuardedApp) -> None:
    for row in UNREADABLE.values():
        if row.api_key:
            answer = unreadable.client.get("/secure", params={"api-key": str(row.api_key)})
            assert answer.status_code == 403


def test_a_row_with_a_broken_date_can_be_renewed(unreadable: GuardedApp) -> None:
    [row] = [row for row in unreadable.logs() if row["name"] == "words"]
    assert unreadable.renew(row["api_key"], "2222-01-01").status_code == 200
    assert unreadable.accepts(str(UNREADABLE["words"].api_key))


def test_odd_rows_do_not_stop_the_move(guard: Callable[..., GuardedApp], tmp_path: Path) -> None:
    """SQLite takes any type in any column. No row is lost, whatever it holds."""
    database = tmp_path / "odd.db"
    write_old_file(database, [OldRow(f"key {number}") for number in range(8)])
    with closing(sqlite3.connect(database)) as connection:
        for number, change in enumerate(
            [
                "api_key = x'fffe'",
                "api_key = CAST(x'ff00fe' AS TEXT)",
                "is_active = NULL",
                "is_active = 'yes'",
                "total_queries = NULL",
                "total_queries = -5",
                "latest_query_date = 'long ago'",
                "name = x'ff', expiration_date = 12",
            ]
        ):
            connection.execute(
                f"UPDATE fastapi_simple_security SET {change} WHERE api_key = 'key {number}'"
            )
        connection.commit()
    guarded = guard(db_location=database)
    rows = guarded.logs()
    assert len(rows) == 8
    assert min(row["total_queries"] for row in rows) >= 0
    assert not guarded.accepts("key 2")
