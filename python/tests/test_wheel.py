"""The wheel, installed by pip into clean virtual environments of the oldest and newest CPython."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import servers

PACKAGE = Path(__file__).parents[1]
OLDEST_SUPPORTED = (3, 10)
SECRET = "secret-of-the-wheel-test"
# What a new virtual environment holds already.
INSTALLERS = {"pip", "setuptools"}

TWO_LINES = """
import json
from asgi_client import ask
from fastapi import Depends, FastAPI
from fastapi_simple_security import api_key_router, api_key_security

app = FastAPI()
app.include_router(api_key_router, prefix="/auth")

@app.get("/secure", dependencies=[Depends(api_key_security)])
def secure() -> None: ...

def admin(route):
    status, body = ask(app, f"/auth/{route}", secret="secret-of-the-wheel-test")
    assert status == 200, (route, status, body)
    return json.loads(body)

def secured():
    return ask(app, "/secure", key=key)[0]

key = admin("new?name=wheel")
statuses = [secured()]
admin(f"revoke?api-key={key}")
statuses.append(secured())
renewed = admin(f"renew?api-key={key}&expiration-date=2130-W01-1")
statuses.append(secured())
print(json.dumps({"key": key, "statuses": statuses, "renewed": renewed}))
"""

# /proc/self/fd also lists the descriptor that reads it.
IMPORT_ALONE = """
import json, os
import fastapi, fastapi.security

def held():
    return [len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task")), os.listdir(".")]

before = held()
import fastapi_simple_security
print(json.dumps([before, held()]))
"""


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel, and what FastAPI alone would have brought."""

    python: Path
    directory: Path
    of_fastapi: set[str]

    def pip(self, *arguments: str) -> str:
        return run([str(self.python), "-m", "pip", "--disable-pip-version-check", *arguments])

    def python_says(self, source: str) -> Any:
        database = self.directory / "keys.db"
        environment = servers.environment(database, SECRET, PYTHONPATH=str(servers.TESTS))
        command = [str(self.python), "-W", "error", "-c", source]
        return json.loads(run(command, cwd=self.directory, env=environment))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one that the Makefile has built, or a new one."""
    if built := os.environ.get("SIMPLE_SECURITY_WHEEL"):
        return Path(built).resolve(strict=True)
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "maturin", "build", "--release", "--out", str(directory)]
    run(command, cwd=PACKAGE)
    (wheel,) = directory.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def environments(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory, database_directories: list[Path]
) -> Iterator[dict[str, Future[Installed]]]:
    """Both at the same time, as it takes so long."""
    pythons = interpreters()
    with ThreadPoolExecutor(2) as threads:
        made = {}
        for age, version in {"oldest": min(pythons), "newest": max(pythons)}.items():
            print(f"{age} CPython here: {version}, {pythons[version]}")
            directory = tmp_path_factory.mktemp("installed")
            database_directories.append(directory)
            environment = tmp_path_factory.mktemp("environment")
            made[age] = threads.submit(install, wheel, pythons[version], environment, directory)
        yield made


@pytest.fixture(params=["oldest", "newest"])
def installed(
    request: pytest.FixtureRequest, environments: dict[str, Future[Installed]]
) -> Installed:
    return environments[request.param].result()


def install(wheel: Path, python: Path, environment: Path, directory: Path) -> Installed:
    run([str(python), "-m", "venv", str(environment)])
    bare = Installed(environment / "bin" / "python", directory, set())
    report = json.loads(bare.pip("install", "--quiet", "--dry-run", "--report", "-", "fastapi"))
    bare.pip("install", "--quiet", str(wheel))
    names = {package["metadata"]["name"].lower() for package in report["install"]}
    return Installed(bare.python, directory, names)


def test_nothing_but_fastapi_is_drawn_in(installed: Installed) -> None:
    listed = json.loads(installed.pip("list", "--format", "json"))
    names = {package["name"].lower() for package in listed} - INSTALLERS
    assert names == installed.of_fastapi | {"fastapi-simple-security"}
    installed.pip("check")


def test_the_two_lines_work(installed: Installed, canaries: set[str]) -> None:
    said = installed.python_says(TWO_LINES)
    canaries.update({SECRET, said["key"]})
    assert said["statuses"] == [200, 403, 200]
    # A date that Python 3.10 itself cannot read.
    assert said["renewed"] == (
        "This API key was revoked and has been reactivated. "
        "The new expiration date for the API key is 2130-01-02T00:00:00"
    )


def test_the_program_is_installed(installed: Installed, canaries: set[str]) -> None:
    program = installed.python.with_name("fastapi-simple-security")
    environment = servers.environment(installed.directory / "keys.db", SECRET)
    key = run([str(program), "keys", "issue", "--name", "shell"], env=environment).strip()
    canaries.add(key)
    assert key[4:15] in run([str(program), "keys", "list"], env=environment)


def test_the_import_opens_nothing_and_starts_no_thread(installed: Installed) -> None:
    before, after = installed.python_says(IMPORT_ALONE)
    assert after == before


def interpreters() -> dict[tuple[int, ...], Path]:
    """Every CPython of this machine that the package supports and that makes environments."""
    candidates = [
        *Path.home().glob(".pyenv/versions/*/bin/python3"),
        *Path("/usr/bin").glob("python3.[0-9]*"),
        *(Path(folder, "python3") for folder in os.environ["PATH"].split(os.pathsep)),
    ]
    ask = "import sys, ensurepip, venv; print(sys.implementation.name, *sys.version_info[:3])"
    found: dict[tuple[int, ...], Path] = {}
    for candidate in candidates:
        if not os.access(candidate, os.X_OK):
            continue
        result = subprocess.run([candidate, "-c", ask], capture_output=True, text=True, check=False)
        match result.stdout.split():
            case ["cpython", *numbers] if tuple(map(int, numbers)) >= OLDEST_SUPPORTED:
                found[tuple(map(int, numbers))] = candidate
    return found


def run(command: list[str], **options: Any) -> str:
    result: subprocess.CompletedProcess[str] = subprocess.run(
        command, capture_output=True, text=True, timeout=600, check=False, **options
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout
