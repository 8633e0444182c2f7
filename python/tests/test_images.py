"""What the container images and the systemd unit are made of, without a container engine.

What the Dockerfile runs, make or a test here runs too. The server's image has nothing in it but the
program: it is run in an empty folder that is its whole file system.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import proxies
import pytest
from clients import Connection
from program import DEADLINE, LISTENING, PROGRAM
from servers import EXAMPLES, TESTS, wait_until

PROJECT = TESTS.parents[1]
DOCKERFILE = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")
UNIT = proxies.DEPLOY / "simple-security.service"
SOCKET = proxies.DEPLOY / "simple-security.socket"
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


@contextmanager
def running(
    command: list[str], environment: dict[str, str], folder: Path, first: Callable[[], None] | None
) -> Iterator[Path]:
    log_file = folder / "run.log"
    with log_file.open("xb") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            preexec_fn=first,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield log_file
        process.terminate()
        assert process.wait(DEADLINE) in (0, -15), log_file.read_text()
    finally:
        process.kill()
        process.wait(DEADLINE)


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


# --- The systemd units.


def systemd_analyze(*arguments: str) -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("no systemd-analyze: install systemd")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_units_are_well_formed_and_tight(tmp_path: Path) -> None:
    # The program is not where it will be.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/simple-security", PROGRAM))
    said = systemd_analyze("verify", str(unit), str(shutil.copy(SOCKET, tmp_path)))
    assert UNIT.name not in said, said
    assert SOCKET.name not in said, said
    # In tenths, of ten: 1.5 is better than nearly all that a distribution ships.
    systemd_analyze("security", "--offline=true", "--threshold=15", str(UNIT))


def settings(unit: Path, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


def test_the_port_is_held_while_the_server_is_down() -> None:
    """By the socket unit, which the service requires, and which no failure of the service ends."""
    assert settings(UNIT, "Requires") == settings(UNIT, "Also") == [SOCKET.name]
    assert SOCKET.name in settings(UNIT, "After")
    assert settings(SOCKET, "WantedBy") == ["sockets.target"]
    (address,) = settings(SOCKET, "ListenStream")
    assert f"SIMPLE_SECURITY_LISTEN={address}" in settings(UNIT, "Environment")
    # A service that hits its start limit, or is triggered too often, takes its socket with it.
    assert settings(UNIT, "StartLimitIntervalSec") == ["0"]
    assert settings(SOCKET, "TriggerLimitIntervalSec") == ["0"]
    installed = re.search(r"enable --now (.*)$", UNIT.read_text(), re.MULTILINE)
    assert installed
    assert installed[1].split() == [SOCKET.name, UNIT.name]


@contextmanager
def activated(
    arguments: list[str], environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The unit's command, started by systemd's own program at the first connection."""
    found = shutil.which("systemd-socket-activate")
    if found is None:
        pytest.skip("no systemd-socket-activate: install systemd")
    passed = [f"--setenv={name}={value}" for name, value in environment.items()]
    (folder / "secret").write_text(SECRET + "\n")
    (folder / "secret").chmod(0o400)
    with (folder / "activated.log").open("xb") as log:
        process = subprocess.Popen(
            [found, *passed, *arguments, PROGRAM, "serve"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(DEADLINE)


def test_systemd_hands_the_port_over(tmp_path: Path, canaries: set[str]) -> None:
    """The first request starts the server, and is answered by it."""
    canaries.add(SECRET)
    port = proxies.free_port()
    environment = {
        "SIMPLE_SECURITY_LISTEN": "127.0.0.1:1",
        "SIMPLE_SECURITY_DB_LOCATION": str(tmp_path / "keys.db"),
        "SIMPLE_SECURITY_SECRET_FILE": str(tmp_path / "secret"),
    }
    log = tmp_path / "activated.log"
    with activated([f"--listen=127.0.0.1:{port}"], environment, tmp_path) as process:
        wait_until(lambda: "Listening on" in log.read_text(), DEADLINE, "the port")
        assert LISTENING.search(log.read_text()) is None
        with closing(Connection(port)) as connection:
            assert connection.get("/auth/keys", {"secret-key": SECRET}).status == 200
            assert connection.get("/verify").status == 401
        found = LISTENING.search(log.read_text())
        assert found is not None
        assert int(found[1]) == port
        process.terminate()
        assert process.wait(DEADLINE) == 0, log.read_text()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--listen=127.0.0.1:{}", "--listen=127.0.0.1:{}"], '"2" sockets are handed over'),
        (["--listen=127.0.0.1:{}", "--accept"], "the socket does not listen"),
        (["--listen=127.0.0.1:{}", "--datagram"], "fd 3 is not a valid tcp socket"),
    ],
)
def test_a_wrong_socket_unit_is_named(tmp_path: Path, wrong: list[str], said: str) -> None:
    ports = [proxies.free_port() for _ in wrong]
    environment = {"SIMPLE_SECURITY_DB_LOCATION": str(tmp_path / "keys.db")}
    log = tmp_path / "activated.log"
    arguments = [text.format(port) for text, port in zip(wrong, ports, strict=True)]
    with activated(arguments, environment, tmp_path):
        wait_until(lambda: "Listening on" in log.read_text(), DEADLINE, "the port")
        kind = socket.SOCK_DGRAM if "--datagram" in wrong else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as client:
            client.connect(("127.0.0.1", ports[0]))
            client.send(b"GET /verify HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: "error: LISTEN_FDS: " in log.read_text(), DEADLINE, "an error")
    assert said in log.read_text()
    assert not (tmp_path / "keys.db").exists()


def test_the_unit_starts_the_server(tmp_path: Path, canaries: set[str]) -> None:
    """Its command and variables, with the folders that systemd would make for it."""
    canaries.add(SECRET)
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "secret").chmod(0o400)
    (tmp_path / "simple-security").mkdir()
    filled = UNIT.read_text().replace("%S", str(tmp_path)).replace("%d", str(tmp_path))
    environment = dict(
        pair.split("=", 1) for pair in re.findall(r"^Environment=(.*)$", filled, re.MULTILINE)
    )
    environment["SIMPLE_SECURITY_LISTEN"] = "127.0.0.1:0"
    (command,) = re.findall(r"^ExecStart=\S+ (.*)$", filled, re.MULTILINE)
    with running([PROGRAM, *command.split()], environment, tmp_path, None) as log:
        wait_until(lambda: LISTENING.search(log.read_text()) is not None, DEADLINE, "its address")
        found = LISTENING.search(log.read_text())
        assert found is not None
        with closing(Connection(int(found[1]))) as connection:
            assert connection.get("/auth/keys", {"secret-key": SECRET}).status == 200
            assert connection.get("/auth/keys", {"secret-key": "another"}).status == 401
    assert (tmp_path / "simple-security" / "keys.db").exists()
