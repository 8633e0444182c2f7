"""The shared vectors, through the FastAPI package. Their form: `tests/vectors/README.md`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
import zlib
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import middleware_app
import pytest
from guarded_app import DENIED, NOT_PRESENTED, GuardedApp, request_raw
from old_package import OldRow, write_old_file
from servers import wait_until

from fastapi_simple_security import ConfigurationError

VECTORS = Path(__file__).parents[2] / "tests" / "vectors"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LEGACY = "0b6c1b9e-52f7-4c1d-8a4e-6f9d3c2b1a07"


def read(file: str) -> Any:
    return json.loads((VECTORS / file).read_text(encoding="utf-8"))


KEYS = read("keys.json")
REQUESTS = read("requests.json")
DATES = read("dates.json")["dates"]
NAMES = read("names.json")["names"]
FACES = ["dependency", "middleware"]


@pytest.fixture
def legacy(database: Path, canaries: set[str]) -> str:
    """A live key in an old file at the place of the database."""
    canaries.add(LEGACY)
    write_old_file(database, [OldRow(LEGACY, name="legacy")])
    return LEGACY


def placeholders(keys: dict[str, str]) -> dict[str, str]:
    live = keys["live"]
    percent = "".join(f"%{byte:02X}" for byte in live.encode())
    return {
        **keys,
        **REQUESTS["fixed_keys"],
        "wrong_checksum": live[:-1] + ("1" if live[-1] == "0" else "0"),
        "live_id": live[4:15],
        "live_cut": live[:-1],
        "live_upper": live.upper(),
        "legacy_upper": keys["legacy"].upper(),
        "live_percent": percent,
        "live_percent_twice": percent.replace("%", "%25"),
        "10kB": "x" * 10_000,
    }


def fill(text: str, values: dict[str, str]) -> bytes:
    return re.sub(r"{(\w+)}", lambda found: values[found[1]], text).encode("latin-1")


def behind(face: str, guarded: GuardedApp) -> GuardedApp:
    """The app that is asked: its routes ask for the key themselves, or a middleware does."""
    if face == "dependency":
        return guarded
    return dataclasses.replace(guarded, app=middleware_app.build_app(guarded.security))


def answer_to(case: dict[str, Any], guarded: GuardedApp, values: dict[str, str]) -> tuple[Any, ...]:
    answer = request_raw(
        guarded.app,
        "/secure",
        query=fill(case["query"], values),
        headers=[(name.encode(), fill(value, values)) for name, value in case["headers"]],
    )
    body = json.loads(answer.body)
    if case["outcome"] == "unavailable":
        return case["case"], answer.status, None, None
    return case["case"], answer.status, body.get("detail"), body.get("key")


def expected_of(case: dict[str, Any], values: dict[str, str]) -> tuple[Any, ...]:
    expected = REQUESTS["drop_in"][case["outcome"]]
    key = values[case["key"]] if case["key"] else None
    return case["case"], expected["status"], expected["detail"], key


def issue_all(guarded: GuardedApp, legacy: str) -> dict[str, str]:
    return placeholders(
        {
            "live": guarded.new("live"),
            "second": guarded.new("second"),
            "revoked": guarded.new_revoked(),
            "expired": guarded.new_expired(),
            "legacy": legacy,
        }
    )


@pytest.mark.parametrize("face", FACES)
def test_requests(guard: Callable[..., GuardedApp], legacy: str, face: str) -> None:
    guarded = behind(face, guard())
    values = issue_all(guarded, legacy)
    cases = [case for case in REQUESTS["cases"] if case["store"] == "up"]
    answers = [answer_to(case, guarded, values) for case in cases]
    assert answers == [expected_of(case, values) for case in cases]

    totals = {row["name"]: row["total_queries"] for row in guarded.logs() if row["name"]}
    verified = [case["key"] for case in cases if case["outcome"] == "verified"]
    assert totals == {key: verified.count(key) for key in ("live", "second", "legacy")}


@pytest.mark.parametrize("face", FACES)
def test_requests_while_the_store_is_gone(
    guard: Callable[..., GuardedApp], legacy: str, database: Path, face: str
) -> None:
    guarded = behind(face, guard())
    values = issue_all(guarded, legacy)
    database.rename(database.with_name("moved-away.db"))
    # What was read before may serve until its lease ends.
    wait_until(lambda: guarded.use(values["unknown"]).status_code == 503, 5, "the end of the lease")
    cases = [case for case in REQUESTS["cases"] if case["store"] == "down"]
    answers = [answer_to(case, guarded, values) for case in cases]
    assert answers == [expected_of(case, values) for case in cases]


@pytest.mark.parametrize("vector", KEYS["keys"], ids=lambda vector: vector["key"])
def test_key_parts(vector: dict[str, Any]) -> None:
    key = vector["key"]
    body, checksum = key[:-6], key[-6:]
    assert zlib.crc32(body.encode()) == vector["crc32"]
    assert checksum == vector["checksum"] == base62(vector["crc32"])
    assert key.startswith(f"{vector['prefix']}_{vector['id']}_")
    assert hashlib.sha256(key.encode()).hexdigest() == vector["sha256"]


def base62(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = ALPHABET[rest] + digits
    return digits.rjust(6, "0")


def test_key_texts_agree_with_the_pattern() -> None:
    for vector in KEYS["texts"]:
        matches = re.fullmatch(KEYS["pattern"].strip("^$"), vector["text"]) is not None
        assert matches == (vector["form"] in ("ours", "checksum")), vector


def test_issued_keys_are_well_formed(guarded: GuardedApp) -> None:
    for _ in range(20):
        key = guarded.new()
        assert re.fullmatch(KEYS["pattern"].strip("^$"), key)
        assert key[-6:] == base62(zlib.crc32(key[:-6].encode()))


def test_key_texts_are_refused_as_keys_never_issued(guarded: GuardedApp) -> None:
    for vector in KEYS["texts"]:
        answer = guarded.client.get("/secure", params={"api-key": vector["text"]})
        detail = DENIED if vector["text"] else NOT_PRESENTED
        assert (answer.status_code, answer.json()) == (403, {"detail": detail}), vector


def test_key_texts_as_keys_of_the_old_package(
    guard: Callable[..., GuardedApp], tmp_path: Path
) -> None:
    """What may be a key of the old package works after the move, the rest stays revoked."""
    database = tmp_path / "old.db"
    texts = [vector for vector in KEYS["texts"] if vector["form"] not in ("shape", "checksum")]
    write_old_file(database, [OldRow(vector["text"]) for vector in texts])
    guarded = guard(db_location=database)
    for vector in texts:
        answer = guarded.client.get("/secure", params={"api-key": vector["text"]})
        works = vector["form"] in ("ours", "other")
        assert answer.status_code == (200 if works else 403), vector
    assert len(guarded.logs()) == len(texts)


@pytest.mark.parametrize("prefix", KEYS["prefixes_accepted"])
def test_accepted_prefixes(guard: Callable[..., GuardedApp], prefix: str) -> None:
    guarded = guard(key_prefix=prefix)
    key = guarded.new()
    assert re.fullmatch(prefix + r"_[0-9A-Za-z]{11}_[0-9A-Za-z]{39}", key)
    assert key[-6:] == base62(zlib.crc32(key[:-6].encode()))
    assert guarded.accepts(key)


@pytest.mark.parametrize("prefix", KEYS["prefixes_refused"])
def test_refused_prefixes(guard: Callable[..., GuardedApp], prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="key_prefix"):
        guard(key_prefix=prefix).start()


def test_dates(guarded: GuardedApp) -> None:
    key = guarded.new()

    def stored(text: str) -> Any:
        before = guarded.log_of(key)
        answer = guarded.renew(key, text)
        if answer.status_code == 422:
            assert answer.json()["detail"][0]["loc"] == ["query", "expiration-date"]
            assert guarded.log_of(key) == before
            return None
        date = guarded.log_of(key)["expiration_date"]
        expected = f"The new expiration date for the API key is {date}"
        assert (answer.status_code, answer.json()) == (200, expected)
        return date

    assert [(vector["text"], stored(vector["text"])) for vector in DATES] == [
        (vector["text"], vector["stored"]) for vector in DATES
    ]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="reads fewer forms of dates")
def test_date_vectors_are_what_python_reads() -> None:
    for vector in DATES:
        try:
            date = datetime.fromisoformat(vector["text"])
            if date.tzinfo is not None:
                date = date.astimezone(timezone.utc).replace(tzinfo=None)
            stored = date.isoformat(timespec="seconds")
        except (ValueError, OverflowError):
            stored = None
        assert stored == vector["stored"], vector["text"]


def test_names(guarded: GuardedApp) -> None:
    def accepted(name: str) -> bool:
        before = guarded.logs()
        answer = guarded.admin("new", name=name)
        if answer.status_code == 422:
            assert answer.json()["detail"][0]["loc"] == ["query", "name"]
            assert guarded.logs() == before
            return False
        assert answer.status_code == 200, answer.text
        guarded.canaries.add(answer.json())
        assert guarded.log_of(answer.json())["name"] == (name or None)
        return True

    assert [(vector["name"], accepted(vector["name"])) for vector in NAMES] == [
        (vector["name"], vector["accepted"]) for vector in NAMES
    ]
