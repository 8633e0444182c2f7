"""Settings that are wrong: refused at the start by name, 503 per call where no lifespan runs."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from guarded_app import ADMIN_PATHS, GuardedApp

from fastapi_simple_security import ConfigurationError, SecurityError, StoreUnavailable

SECRET = "FASTAPI_SIMPLE_SECURITY_SECRET"
DB_LOCATION = "FASTAPI_SIMPLE_SECURITY_DB_LOCATION"
EXPIRATION = "FASTAPI_SIMPLE_SECURITY_AUTOMATIC_EXPIRATION"
MISSPELT_EXPIRATION = "FAST_API_SIMPLE_SECURITY_AUTOMATIC_EXPIRATION"
KEY_PREFIX = "FASTAPI_SIMPLE_SECURITY_KEY_PREFIX"
REFUSAL_STATUS = "FASTAPI_SIMPLE_SECURITY_REFUSAL_STATUS"

WRONG = [
    (SECRET, ""),
    *((EXPIRATION, days) for days in ("0", "-1", "36501", "1.5", "x", "", "99999999999999999999")),
    (MISSPELT_EXPIRATION, "0"),
    (MISSPELT_EXPIRATION, "fifteen"),
    (KEY_PREFIX, ""),
    (KEY_PREFIX, "Upper"),
    (KEY_PREFIX, "a-b"),
    (REFUSAL_STATUS, ""),
    (REFUSAL_STATUS, "200"),
    (REFUSAL_STATUS, "unauthorized"),
    (DB_LOCATION, ""),
    (DB_LOCATION, "postgresql:///keys"),
    (DB_LOCATION, "postgres://localhost/keys?sslmode=prefer"),
    (DB_LOCATION, "redis://localhost?max_staleness=0"),
    (DB_LOCATION, "mysql://localhost/keys"),
    (DB_LOCATION, "https://localhost/keys"),
]


def test_the_errors_have_one_base() -> None:
    assert issubclass(ConfigurationError, SecurityError)
    assert issubclass(StoreUnavailable, SecurityError)
    assert issubclass(SecurityError, Exception)


@pytest.mark.parametrize(("variable", "value"), WRONG)
def test_the_start_is_refused(
    guard: Callable[..., GuardedApp], environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environment.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        guard().start()
    assert variable in str(caught.value)


@pytest.mark.parametrize(("variable", "value"), WRONG)
def test_each_call_is_refused(
    guard: Callable[..., GuardedApp],
    environment: pytest.MonkeyPatch,
    database: Path,
    variable: str,
    value: str,
) -> None:
    environment.setenv(variable, value)
    guarded = guard()
    assert_unavailable(guarded, variable)
    assert guarded.client.get("/unsecured").status_code == 200
    assert list(database.parent.iterdir()) == []


def assert_unavailable(guarded: GuardedApp, variable: str) -> None:
    """Admin routes and secured ones; by 503, whatever is sent."""
    headers = {"secret-key": guarded.secret, "api-key": "x" * 36}
    for path in (*ADMIN_PATHS, "/secure", "/secure-sync"):
        answer = guarded.client.get(path, headers=headers)
        assert answer.status_code == 503, path
        assert variable in answer.json()["detail"]
        assert answer.headers["retry-after"] == "1"
        if path.startswith("/auth"):
            assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("secret", ""),
        ("automatic_expiration", 0),
        ("automatic_expiration", 36501),
        ("key_prefix", "A"),
        ("refusal_status", 404),
        ("db_location", ""),
        ("db_location", "postgresql:///keys"),
    ],
)
def test_arguments_are_reported_when_opened(
    guard: Callable[..., GuardedApp], argument: str, value: object
) -> None:
    """Not by the constructor, which runs while the app is imported."""
    guarded = guard(**{argument: value})
    with pytest.raises(ConfigurationError, match=argument):
        guarded.security.open()


def test_corrected_settings_work_at_the_next_call(
    guard: Callable[..., GuardedApp], environment: pytest.MonkeyPatch
) -> None:
    environment.setenv(EXPIRATION, "0")
    guarded = guard()
    assert_unavailable(guarded, EXPIRATION)
    environment.setenv(EXPIRATION, "7")
    assert guarded.accepts(guarded.new())


def a_folder(path: Path) -> None:
    path.mkdir()


def a_text_file(path: Path) -> None:
    path.write_text("Dear diary, " * 500)


def a_short_file(path: Path) -> None:
    path.write_text("hello")


def a_torn_database(path: Path) -> None:
    someone_elses(path)
    path.write_bytes(path.read_bytes()[:5000])


def someone_elses(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
        connection.executemany("INSERT INTO users (name) VALUES (?)", [("x" * 100,)] * 100)
        connection.commit()


def marked_as_someone_elses(path: Path) -> None:
    someone_elses(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 1")


@pytest.mark.parametrize(
    "make",
    [
        a_folder,
        a_text_file,
        a_short_file,
        a_torn_database,
        someone_elses,
        marked_as_someone_elses,
    ],
)
def test_a_location_that_holds_something_else(
    guard: Callable[..., GuardedApp], database: Path, make: Callable[[Path], None]
) -> None:
    """Each is its own clear error, and what is there stays as it is."""
    make(database)
    before = contents(database)
    with pytest.raises(SecurityError, match=DB_LOCATION):
        guard().start()
    assert_unavailable(guard(), DB_LOCATION)
    assert contents(database) == before


def contents(path: Path) -> bytes | list[Path]:
    return path.read_bytes() if path.is_file() else list(path.iterdir())


@pytest.mark.parametrize("where", ["/proc/keys.db", "no/such/folder/keys.db"])
def test_a_location_that_cannot_be_written(
    guard: Callable[..., GuardedApp], environment: pytest.MonkeyPatch, where: str
) -> None:
    """`/proc` refuses new files to the superuser too."""
    environment.setenv(DB_LOCATION, where)
    with pytest.raises(SecurityError, match=DB_LOCATION):
        guard().start()
    assert_unavailable(guard(), DB_LOCATION)
