"""The systemd units: what they say, and that the server runs by them, without a running systemd."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import proxies
import pytest
from clients import Connection
from program import DEADLINE, LISTENING, PROGRAM, running
from servers import wait_until

UNIT = proxies.DEPLOY / "simple-security.service"
SOCKET = proxies.DEPLOY / "simple-security.socket"
SECRET = "secret-of-the-test-of-systemd"


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
    # In tenths, of ten: 1.5 is better than nearly every unit that a distribution ships.
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
