"""A database, an environment and an app for each test; and what the whole session leaves behind.

Every plaintext key and admin secret goes to `canaries`, every directory with a database to
`database_directories`, what the package logs to `package_log`: the last tests search the one in the
others. A test that writes plaintext into a file on purpose uses `tmp_path`, which is not searched.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

with warnings.catch_warnings():
    # Starlette 1.x prefers httpx2, which releases that FastAPI 0.112.4 brings do not know.
    warnings.filterwarnings(
        "ignore", message="Using `httpx` with `starlette.testclient` is deprecated"
    )
    # Starlette 0.38, of FastAPI 0.112.4, names a class of anyio by its old place.
    warnings.filterwarnings("ignore", message="The anyio.abc.BlockingPortal alias is deprecated")
    from fastapi.testclient import TestClient

from guarded_app import ADMIN_SECRET, GuardedApp, build_app

from fastapi_simple_security import SimpleSecurity, api_key_security

pytest_plugins = ["network_stores", "proxied"]

OUR_VARIABLES = ("FASTAPI_SIMPLE_SECURITY_", "FAST_API_SIMPLE_SECURITY_")


@pytest.fixture(scope="session")
def canaries() -> set[str]:
    """Plaintext keys and admin secrets, none of which may be found after the session."""
    return {ADMIN_SECRET}


@pytest.fixture(scope="session")
def database_directories() -> list[Path]:
    """Directories whose files must hold no canary. pytest keeps them until the session's end."""
    return []


@pytest.fixture(scope="session", autouse=True)
def package_log() -> Iterator[list[str]]:
    """All that the package has logged, with tracebacks."""
    lines: list[str] = []
    formatter = logging.Formatter("%(levelname)s %(message)s")

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(formatter.format(record))

    logger = logging.getLogger("fastapi_simple_security")
    collector = Collector()
    logger.addHandler(collector)
    yield lines
    logger.removeHandler(collector)


@pytest.fixture(autouse=True)
def unset_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No setting from outside or of the test before; the default instance starts anew."""
    for name in list(os.environ):
        if name.startswith(OUR_VARIABLES):
            monkeypatch.delenv(name)
    yield
    api_key_security.close()


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory, database_directories: list[Path]) -> Path:
    """Where this test's database goes; there is none yet."""
    directory = tmp_path_factory.mktemp("database")
    database_directories.append(directory)
    return directory / "keys.db"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, database: Path) -> pytest.MonkeyPatch:
    """A secret and a database by environment variables; returned for more of them."""
    monkeypatch.setenv("FASTAPI_SIMPLE_SECURITY_SECRET", ADMIN_SECRET)
    monkeypatch.setenv("FASTAPI_SIMPLE_SECURITY_DB_LOCATION", str(database))
    return monkeypatch


@pytest.fixture
def guard(
    environment: pytest.MonkeyPatch, canaries: set[str]
) -> Iterator[Callable[..., GuardedApp]]:
    """Makes an app with an instance of its own; `lifespan=True` runs the app's lifespan."""
    with ExitStack() as cleaning:

        def make(
            security: SimpleSecurity | None = None, *, lifespan: bool = False, **settings: Any
        ) -> GuardedApp:
            guarding = security or SimpleSecurity(**settings)
            cleaning.callback(guarding.close)
            app = build_app(guarding)
            client = TestClient(app)
            if lifespan:
                cleaning.enter_context(client)
            else:
                cleaning.callback(client.close)
            return GuardedApp(app, guarding, client, canaries)

        yield make


@pytest.fixture
def guarded(guard: Callable[..., GuardedApp]) -> GuardedApp:
    return guard()


@pytest.fixture
def default(guard: Callable[..., GuardedApp]) -> GuardedApp:
    """An app with the default instance, which is what the package's two old names are."""
    return guard(api_key_security)


@pytest.fixture
def run_script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python source in a process and an empty working directory of its own."""

    def run(source: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(OUR_VARIABLES)
        }
        return subprocess.run(
            [sys.executable, "-c", source, *arguments],
            cwd=tmp_path,
            env={**inherited, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
