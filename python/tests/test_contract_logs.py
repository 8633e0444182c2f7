"""The contract of `/logs`: its fields, their order, and the order of its rows."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from guarded_app import GuardedApp
from old_package import OldRow, write_old_file

FIELDS = [
    "api_key",
    "name",
    "is_active",
    "never_expire",
    "expiration_date",
    "latest_query_date",
    "total_queries",
]
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def test_no_keys(guarded: GuardedApp) -> None:
    answer = guarded.admin("logs")
    assert (answer.status_code, answer.json()) == (200, {"logs": []})


def test_fields_of_a_new_key(guarded: GuardedApp) -> None:
    key = guarded.new("bob")
    [row] = guarded.logs()
    assert list(row) == FIELDS
    assert DATE.fullmatch(row.pop("expiration_date"))
    assert row == {
        "api_key": key[4:15],
        "name": "bob",
        "is_active": True,
        "never_expire": False,
        "latest_query_date": None,
        "total_queries": 0,
    }


def test_fields_of_a_used_key(guarded: GuardedApp) -> None:
    key = guarded.new()
    before = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
    for path in ("/secure", "/secure-sync", "/secure"):
        assert guarded.use(key, path).status_code == 200
    [row] = guarded.logs()
    assert row["total_queries"] == 3
    assert DATE.fullmatch(row["latest_query_date"])
    used = datetime.fromisoformat(row["latest_query_date"])
    assert before <= used <= before + timedelta(minutes=1)


def test_the_row_of_a_key_that_never_expires_has_a_date(guarded: GuardedApp) -> None:
    guarded.new(never_expires=True)
    [row] = guarded.logs()
    assert row["never_expire"] is True
    assert DATE.fullmatch(row["expiration_date"])


def test_it_shows_no_key(guarded: GuardedApp) -> None:
    keys = [guarded.new(f"key {number}") for number in range(3)]
    for key in keys:
        assert guarded.accepts(key)
    text = guarded.admin("logs").text
    for key in keys:
        assert key[4:15] in text
        assert key[16:] not in text


def test_each_accepted_request_is_shown_at_once(guarded: GuardedApp) -> None:
    """Without waiting for a flush."""
    key = guarded.new()
    for total in range(1, 20):
        assert guarded.accepts(key)
        assert guarded.log_of(key)["total_queries"] == total


def test_last_used_first_and_never_used_last(
    guard: Callable[..., GuardedApp], database: Path
) -> None:
    write_old_file(
        database,
        [
            OldRow("a" * 36, latest_query_date=None, name="never used"),
            OldRow("b" * 36, latest_query_date="2021-05-01T00:00:00", name="long ago"),
            OldRow("c" * 36, latest_query_date="2023-05-01T00:00:00", name="later"),
            OldRow("d" * 36, latest_query_date=None, name="to be used"),
            OldRow("e" * 36, latest_query_date="2022-05-01T00:00:00", name="between"),
        ],
    )
    guarded = guard()
    assert guarded.accepts("d" * 36)
    guarded.new("new")
    names = [row["name"] for row in guarded.logs()]
    assert names[:4] == ["to be used", "later", "between", "long ago"]
    assert sorted(names[4:]) == ["never used", "new"]


def test_a_used_key_moves_to_the_top_also_when_its_count_is_flushed(
    guard: Callable[..., GuardedApp], database: Path
) -> None:
    write_old_file(
        database,
        [
            OldRow("f" * 36, latest_query_date="2023-05-01T00:00:00", name="first"),
            OldRow("g" * 36, latest_query_date="2022-05-01T00:00:00", name="second"),
        ],
    )
    guarded = guard()
    assert guarded.accepts("g" * 36)
    expected = guarded.logs()
    assert [row["name"] for row in expected] == ["second", "first"]
    guarded.security.close()
    assert guarded.logs() == expected


def test_revoked_and_expired_keys_are_listed(guarded: GuardedApp) -> None:
    revoked, expired = guarded.new_revoked(), guarded.new_expired()
    assert {row["api_key"]: row["is_active"] for row in guarded.logs()} == {
        revoked[4:15]: False,
        expired[4:15]: True,
    }


def test_many_keys_are_listed_in_full(guarded: GuardedApp) -> None:
    ids = {guarded.new()[4:15] for _ in range(100)}
    assert {row["api_key"] for row in guarded.logs()} == ids
