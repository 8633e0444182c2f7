"""`security.verify` and `security.flush`: a key that comes by another way than a request."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastapi import Depends, FastAPI
from guarded_app import ADMIN_SECRET
from servers import stored_totals

from fastapi_simple_security import (
    ApiKey,
    IssuedKey,
    KeyRejected,
    SecurityError,
    SimpleSecurity,
)

Verify = Callable[[Any], ApiKey]


@pytest.fixture
def security(database: Path) -> Iterator[SimpleSecurity]:
    security = SimpleSecurity(secret=ADMIN_SECRET, db_location=database)
    yield security
    security.close()


@pytest.fixture(params=["blocking", "asyncio", "trio"])
def verify(security: SimpleSecurity, request: pytest.FixtureRequest) -> Verify:
    if request.param == "blocking":
        return security.verify
    if request.param == "trio":
        pytest.importorskip("trio")
    return lambda text: anyio.run(security.verify_async, text, backend=request.param)


def issued(security: SimpleSecurity, canaries: set[str], **named: Any) -> tuple[IssuedKey, str]:
    issued = security.keys.issue(**named)
    assert issued.key is not None
    canaries.add(issued.key)
    return issued, issued.key


def test_a_good_key_is_accepted_and_counted(
    security: SimpleSecurity, canaries: set[str], verify: Verify
) -> None:
    expires_at = datetime(2222, 1, 31, tzinfo=timezone.utc)
    key, text = issued(security, canaries, name="alice", owner="acme", expires_at=expires_at)
    for number in range(1, 4):
        verified = verify(text)
        assert type(verified) is ApiKey
        assert verified == text
        assert (verified.id, verified.name, verified.owner) == (key.id, "alice", "acme")
        assert verified.expires_at == expires_at
        assert text not in repr(verified)
        # An ApiKey is a str, and verifying it is another use of the key.
        assert verify(verified) == text
        assert security.keys.get(key.id).usage.total == 2 * number


def test_it_opens_the_store(security: SimpleSecurity, canaries: set[str], verify: Verify) -> None:
    _, text = issued(security, canaries)
    security.close()
    assert verify(text) == text
    assert security._engine.is_open


MALFORMED = [
    "",
    " ",
    "short",
    "x" * 256,
    "x" * 10_240,
    "\ud800" * 40,
    "half a pair \udfff" * 3,
    "fss_11111111111_000000000000000000000000000000000000000",
]


@pytest.mark.parametrize("text", MALFORMED)
def test_what_cannot_be_a_key_is_rejected(verify: Verify, text: str) -> None:
    with pytest.raises(KeyRejected) as caught:
        verify(text)
    assert caught.value.reason in ("malformed", "unknown")
    assert caught.value.key_id is None
    if len(text) > 200 or text in ("", MALFORMED[-1]) or not text.isascii():
        assert caught.value.reason == "malformed"


@pytest.mark.parametrize("text", ["x" * 40, "é" * 40, "8d0f5c3a-1b7e-4f29-a6d4-2e9c7b5a3f10"])
def test_an_unknown_key_is_rejected(verify: Verify, text: str) -> None:
    for _ in range(2):
        with pytest.raises(KeyRejected) as caught:
            verify(text)
        assert (caught.value.reason, caught.value.key_id) == ("unknown", None)


def test_the_reason_is_for_logs(
    security: SimpleSecurity, canaries: set[str], verify: Verify
) -> None:
    revoked, revoked_text = issued(security, canaries)
    security.keys.revoke(revoked.id)
    past = datetime.now(timezone.utc) - timedelta(seconds=2)
    expired, expired_text = issued(security, canaries, expires_at=past)
    for key, text, reason in (
        (revoked, revoked_text, "revoked"),
        (expired, expired_text, "expired"),
    ):
        with pytest.raises(KeyRejected) as caught:
            verify(text)
        error = caught.value
        assert (error.reason, error.key_id) == (reason, key.id)
        assert isinstance(error, SecurityError)
        assert str(error) == (
            f"key {key.id} is {reason} (the reason is for logs: do not send it to a client)"
        )
        assert security.keys.get(key.id).usage.total == 0, "a rejected key is not counted"
    with pytest.raises(KeyRejected, match=r"^the key is unknown \("):
        verify("x" * 40)


def test_no_exception_has_the_key(
    security: SimpleSecurity, canaries: set[str], verify: Verify
) -> None:
    key, text = issued(security, canaries)
    security.keys.revoke(key.id)
    for presented in (text, text[:-1] + "~", "unknown-" * 5, text + "x" * 10_240, text + "\ud800"):
        with pytest.raises(KeyRejected) as caught:
            verify(presented)
        error = caught.value
        shown = [str(error), repr(error), repr(error.args), repr(vars(error))]
        shown += traceback.format_exception(type(error), error, error.__traceback__)
        for each in shown:
            assert presented[:20] not in each.replace("'unknown-' * 5", "")
        assert error.__cause__ is None
        assert error.__context__ is None


@pytest.mark.parametrize("value", [None, b"x" * 40, bytearray(40), 5, True, ["x" * 40], ...])
def test_only_a_str_can_be_a_key(verify: Verify, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"^a key to verify is a str, not {type(value).__name__}$"):
        verify(value)


def test_flush_writes_all_counts(
    security: SimpleSecurity, canaries: set[str], database: Path
) -> None:
    key, text = issued(security, canaries)
    for number in range(1, 4):
        security.verify(text)
        if number % 2:
            security.flush()
        else:
            anyio.run(security.flush_async)
        # Read by another connection, which knows nothing of what is counted and not written.
        assert stored_totals(database)[key.id] == number


def test_flush_opens_nothing(security: SimpleSecurity, database: Path) -> None:
    security.flush()
    anyio.run(security.flush_async)
    assert not database.exists()


@pytest.mark.parametrize("name", ["verify", "verify_async", "flush", "flush_async"])
def test_it_is_not_a_dependency(security: SimpleSecurity, name: str) -> None:
    """FastAPI would take `text` from the query, and the header of the request would not count."""
    app = FastAPI()

    def route() -> None: ...

    with pytest.raises(TypeError, match=f"the method {name} is not a dependency and checks no key"):
        app.get("/", dependencies=[Depends(getattr(security, name))])(route)
