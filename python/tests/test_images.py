"""What the container images are made of, without a container engine.

What the Dockerfile runs, make or a test here runs too. The server's image has nothing in it but the
program: it is run in an empty folder that is its whole file system.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import proxies
import pytest
from clients import Connection
from program import DEADLINE, PROGRAM, running
from servers import EXAMPLES, TESTS, wait_until

PROJECT = TESTS.parents[1]
DOCKERFILE = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")
SECRET = "secret-of-the-test-of-images"
USER = 65532


def stage(name: str) -> str:
    """The lines of one stage of the Dockerfile."""
    found = re.search(
        rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM|\Z)", DOCKERFILE, re.DOTALL | re.MULTILINE
    )
    assert found, name
    return found[1]


def words(name: str, instruction: str) -> list[str]:
    """The list of words of CMD, ENTRYPOINT or HEALTHCHECK."""
    found = re.search(rf"^{instruction}\b.*?(\[.*\])$", stage(name), re.MULTILINE)
    assert found, instruction
    listed = json.loads(found[1])
    assert isinstance(listed, list)
    return listed


def variables(name: str) -> dict[str, str]:
    (line,) = re.findall(r"^ENV (.*)$", stage(name), re.MULTILINE)
    return dict(pair.split("=", 1) for pair in line.split())


def test_every_command_of_the_dockerfile_is_run_outside_too() -> None:
    """By make, or by the tests below; Debian's packages are what the README asks a machine for."""
    runs = [line.split() for line in re.findall(r"^RUN (.*)$", DOCKERFILE, re.MULTILINE)]
    targets = re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    for run in runs:
        if run[0] == "make":
            assert run[1] in targets
        else:
            assert run[0] in ("apt-get", "mkdir", "pip"), run


@pytest.mark.parametrize("copied", re.findall(r"^COPY (?!--)(\S+) ", DOCKERFILE, re.MULTILINE))
def test_what_is_copied_is_there(copied: str) -> None:
    assert (PROJECT / copied).exists()


def test_no_image_runs_as_root() -> None:
    for name in ("fastapi", "program"):
        assert f"USER {USER}:{USER}\n" in stage(name)


def test_the_server_runs_from_nothing(tmp_path: Path, canaries: set[str]) -> None:
    """In a file system of its own, as a user without rights; its health is asked as Docker does."""
    if os.geteuid() != 0:
        pytest.skip("only root may give a process a file system of its own")
    canaries.add(SECRET)
    root = tmp_path / "image"
    data = root / "data"
    data.mkdir(parents=True, mode=0o700)
    os.chown(data, USER, USER)
    shutil.copy(PROGRAM, root)
    for directory in (tmp_path, *tmp_path.parents[:2]):
        directory.chmod(directory.stat().st_mode | 0o011)

    def confined() -> None:
        os.chroot(root)
        os.chdir("/")
        os.setgroups([])
        os.setgid(USER)
        os.setuid(USER)

    port = proxies.free_port()
    environment = {
        name: value.replace("8081", str(port)) for name, value in variables("program").items()
    }
    command = words("program", "ENTRYPOINT") + words("program", "CMD")
    health = words("program", "HEALTHCHECK")

    def asked() -> int:
        return subprocess.run(
            health, env=environment, preexec_fn=confined, timeout=DEADLINE, check=False
        ).returncode

    assert asked() == 1
    with running(command, {**environment, "SIMPLE_SECURITY_SECRET": SECRET}, tmp_path, confined):
        wait_until(lambda: asked() == 0, DEADLINE, "the server's health")
        with closing(Connection(port)) as connection:
            body = {"name": "image"}
            issued = connection.request("POST", "/auth/keys", {"secret-key": SECRET}, body)
            key = issued.json["key"]
            canaries.add(key)
            assert connection.get("/verify", {"x-api-key": key}).status == 200
            assert connection.get("/verify", {"x-api-key": f"{key}x"}).status == 401
    assert asked() == 1
    assert data.joinpath("keys.db").stat().st_mode & 0o777 == 0o600


def test_the_example_app_is_installed_and_served(
    tmp_path: Path, database: Path, canaries: set[str]
) -> None:
    """By the commands of the Dockerfile, from the wheel and the pinned versions of the image."""
    canaries.add(SECRET)
    wheel = os.environ.get("SIMPLE_SECURITY_WHEEL")
    if wheel is None:
        pytest.skip("no wheel: `make test-python` builds one")
    if sys.version_info < (3, 11):
        pytest.skip("the versions are chosen for the Python of the image")
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    binaries = tmp_path / "venv" / "bin"
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    shutil.copy(wheel, wheels)
    (install,) = re.findall(r"^RUN (.*)$", stage("fastapi"), re.MULTILINE)

    def installed(requirements: str) -> bool:
        (wheels / "fastapi.txt").write_text(requirements)
        path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
        command = install.replace("/wheels", str(wheels))
        done = subprocess.run(command, shell=True, env={**os.environ, "PATH": path}, check=False)
        return done.returncode == 0

    pinned = (proxies.DEPLOY / "fastapi.txt").read_text()
    assert not installed(re.sub("sha256:.{8}", "sha256:00000000", pinned)), "of another hash"
    assert installed(pinned)
    command, *arguments = words("fastapi", "CMD")
    port = proxies.free_port()
    arguments = [argument.replace("8080", str(port)) for argument in arguments]
    environment = {
        **variables("fastapi"),
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(EXAMPLES),
        "FASTAPI_SIMPLE_SECURITY_SECRET": SECRET,
        "FASTAPI_SIMPLE_SECURITY_DB_LOCATION": str(database),
    }
    health = [word.replace("8080", str(port)) for word in words("fastapi", "HEALTHCHECK")]

    def healthy() -> bool:
        asked = subprocess.run(health, env=environment, capture_output=True, check=False)
        return asked.returncode == 0

    assert not healthy()
    with running([str(binaries / command), *arguments], environment, tmp_path, None):
        wait_until(healthy, DEADLINE, "the app's health")
        with closing(Connection(port)) as connection:
            secret = {"secret-key": SECRET}
            key = connection.get("/auth/new", secret).json
            canaries.add(key)
            assert connection.get("/secure", {"api-key": key}).status == 200
            assert connection.get("/secure").status == 403


def test_compose_keeps_its_promises() -> None:
    text = (PROJECT / "compose.yaml").read_text()
    for line in ("127.0.0.1:8080:8080", "./data:/data", "target: fastapi", "TEST_SECRET"):
        assert line in text
    assert "/data/" in variables("fastapi")["FASTAPI_SIMPLE_SECURITY_DB_LOCATION"]
    assert (PROJECT / "data" / ".gitignore").exists()
