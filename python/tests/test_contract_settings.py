"""The contract of the settings: where each is read, when, and what it does."""

import logging
import re
import stat
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from guarded_app import DENIED, NOT_PRESENTED, GuardedApp

SECRET = "FASTAPI_SIMPLE_SECURITY_SECRET"
DB_LOCATION = "FASTAPI_SIMPLE_SECURITY_DB_LOCATION"
EXPIRATION = "FASTAPI_SIMPLE_SECURITY_AUTOMATIC_EXPIRATION"
MISSPELT_EXPIRATION = "FAST_API_SIMPLE_SECURITY_AUTOMATIC_EXPIRATION"
KEY_PREFIX = "FASTAPI_SIMPLE_SECURITY_KEY_PREFIX"
REFUSAL_STATUS = "FASTAPI_SIMPLE_SECURITY_REFUSAL_STATUS"


def test_an_instance_reads_the_environment_at_first_use_too(
    guard: Callable[..., GuardedApp], environment: pytest.MonkeyPatch
) -> None:
    guarded = guard()
    environment.setenv(KEY_PREFIX, "later")
    assert guarded.new().startswith("later_")


def test_arguments_come_before_the_environment(
    guard: Callable[..., GuardedApp], environment: pytest.MonkeyPatch, database: Path
) -> None:
    for variable in (SECRET, DB_LOCATION, EXPIRATION, KEY_PREFIX, REFUSAL_STATUS):
        environment.setenv(variable, "")
    guarded = guard(
        secret="a-secret-given-by-argument",
        db_location=database,
        automatic_expiration=1,
        key_prefix="given",
        refusal_status=401,
    )
    guarded.secret = "a-secret-given-by-argument"
    guarded.canaries.add(guarded.secret)
    key = guarded.new()
    assert key.startswith("given_")
    assert days_left(guarded, key) == 1
    assert guarded.client.get("/secure").status_code == 401
    assert database.exists()


@pytest.mark.parametrize("variable", [EXPIRATION, MISSPELT_EXPIRATION])
@pytest.mark.parametrize("days", [1, 30, 36500])
def test_automatic_expiration(
    guard: Callable[..., GuardedApp], environment: pytest.MonkeyPatch, variable: str, days: int
) -> None:
    environment.setenv(variable, str(days))
    guarded = guard()
    key = guarded.new()
    assert days_left(guarded, key) == days
    guarded.renew(key, "2222-01-01")
    guarded.renew(key)
    assert days_left(guarded, key) == days


def days_left(guarded: GuardedApp, key: str) -> int:
    """To the nearest day."""
    expires = datetime.fromisoformat(guarded.log_of(key)["expiration_date"])
    left = expires - datetime.now(timezone.utc).replace(tzinfo=None)
    return round(left / timedelta(days=1))


def test_key_prefix(guard: Callable[..., GuardedApp], environment: pytest.MonkeyPatch) -> None:
    """Keys issued under another prefix stay good, by header and by id."""
    before = guard()
    old_key = before.new()
    before.security.close()
    environment.setenv(KEY_PREFIX, "acme_live")
    guarded = guard()
    key = guarded.new()
    assert re.fullmatch(r"acme_live_[0-9A-Za-z]{11}_[0-9A-Za-z]{39}", key)
    assert guarded.accepts(key)
    assert guarded.accepts(old_key)
    assert guarded.revoke(old_key).status_code == 200
    assert guarded.revoke(key).status_code == 200
    assert not guarded.accepts(key)
    assert not guarded.accepts(old_key)


@pytest.mark.parametrize(
    ("headers", "detail"),
    [({}, NOT_PRESENTED), ({"api-key": "x"}, DENIED)],
    ids=["nothing", "nothing good"],
)
def test_refusal_status(
    guard: Callable[..., GuardedApp],
    environment: pytest.MonkeyPatch,
    headers: dict[str, str],
    detail: str,
) -> None:
    answer = guard().client.get("/secure", headers=headers)
    assert answer.status_code == 403
    assert "www-authenticate" not in answer.headers

    environment.setenv(REFUSAL_STATUS, "401")
    answer = guard().client.get("/secure", headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"detail": detail})
    assert answer.headers["www-authenticate"] == "APIKey"


def test_refusal_status_of_a_repeated_key(guard: Callable[..., GuardedApp]) -> None:
    guarded = guard(refusal_status=401)
    key = guarded.new()
    answer = guarded.client.get("/secure", headers=[("api-key", key), ("api-key", key)])
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "APIKey")
    assert guarded.accepts(key)


def test_db_location_as_a_url(guard: Callable[..., GuardedApp], database: Path) -> None:
    guarded = guard(db_location=f"sqlite:///{database}")
    key = guarded.new()
    guarded.security.close()
    assert database.exists()
    assert guard(db_location=database).accepts(key)


def test_db_location_as_a_path_or_a_text(guard: Callable[..., GuardedApp], database: Path) -> None:
    key = guard(db_location=database).new()
    assert guard(db_location=str(database)).accepts(key)


def test_files_are_for_their_owner_alone(guarded: GuardedApp, database: Path) -> None:
    guarded.accepts(guarded.new())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in database.parent.iterdir()}
    assert {"keys.db", "keys.db-wal", "keys.db-shm"} <= set(modes)
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("secret", ["TEST_SECRET", "x", "fifteen letters"])
def test_a_short_secret_warns_and_works(
    guard: Callable[..., GuardedApp],
    environment: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    secret: str,
) -> None:
    environment.setenv(SECRET, secret)
    guarded = guard(lifespan=True)
    guarded.secret = secret
    assert guarded.accepts(guarded.new())
    [warning] = warnings_about_the_secret(caplog)
    # A single letter is in every text.
    assert secret == "x" or secret not in warning


def test_a_secret_that_is_long_enough_does_not_warn(
    guard: Callable[..., GuardedApp],
    environment: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    environment.setenv(SECRET, "sixteen-letters!")
    guard(lifespan=True)
    assert warnings_about_the_secret(caplog) == []


def warnings_about_the_secret(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("fastapi_simple_security")
        and record.levelno == logging.WARNING
        and SECRET in record.getMessage()
    ]


def test_a_new_secret_holds_from_the_next_start(
    guard: Callable[..., GuardedApp], environment: pytest.MonkeyPatch
) -> None:
    guarded = guard()
    key = guarded.new()
    guarded.security.close()
    environment.setenv(SECRET, "another-secret-canary-2pX9")
    answer = guarded.client.get("/auth/logs", headers={"secret-key": guarded.secret})
    assert answer.status_code == 403
    guarded.secret = "another-secret-canary-2pX9"
    guarded.canaries.add(guarded.secret)
    assert guarded.accepts(key)
    assert len(guarded.logs()) == 1
