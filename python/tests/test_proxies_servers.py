"""Application servers that agree to tunnels, behind each proxy.

hypercorn switches to HTTP/2 in clear text where it is not configured otherwise. waitress passes
CONNECT on to the application, which answers 200 as to any method.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h2.config
import h2.connection
import program
import proxies
import pytest
import raw
import websockets.sync.client
from clients import key_id
from servers import TESTS, wait_until
from test_proxies_tunnels import SMUGGLED

COMMANDS = {
    "hypercorn": ["hypercorn", "printing_apps:asgi", "--bind=127.0.0.1:%d"],
    "waitress": ["waitress", "--listen=127.0.0.1:%d", "printing_apps:wsgi"],
}
KEPT = b"Host: localhost\r\nX-Api-Key-Id: forged\r\napi-key: %s\r\n"
CONNECT = b"CONNECT localhost:80 HTTP/1.1\r\n" + KEPT + b"\r\n"
UPGRADE = b"GET /secure HTTP/1.1\r\n" + KEPT + b"Connection: Upgrade, HTTP2-Settings\r\n"
UPGRADE += b"Upgrade: h2c\r\nHTTP2-Settings: %s\r\n\r\n"
DEADLINE = 30.0


@dataclass
class Server:
    port: int
    log: Path

    def requests(self) -> list[tuple[str, str | None]]:
        """Path and identity of each request so far."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{"]
        return [(line["path"], line["identity"]) for line in lines]


@contextmanager
def start(name: str, log: Path) -> Iterator[Server]:
    port = proxies.free_port()
    command = [part % port if "%d" in part else part for part in COMMANDS[name]]
    with log.open("xb") as written:
        process = subprocess.Popen(
            [proxies.INSTALLED / "bin" / "python", "-m", *command],
            cwd=TESTS,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
        )

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return raw.get(port, b"/started").status == 200
        except ConnectionRefusedError:
            return False

    try:
        wait_until(answers, DEADLINE, f"start of {name}")
        yield Server(port, log)
    finally:
        process.kill()
        process.wait(DEADLINE)


@pytest.fixture(scope="module", params=COMMANDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Server]]:
    with start(request.param, tmp_path_factory.mktemp(request.param) / "log") as running:
        yield request.param, running


def attack(name: str, key: str) -> Iterator[bytes]:
    """What a client with a key sends, piece by piece; the second is for the tunnel."""
    if name == "waitress":
        yield CONNECT % key.encode()
        yield SMUGGLED
        return
    client = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    yield UPGRADE % (key.encode(), client.initiate_upgrade_connection())
    head = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"localhost")]
    client.send_headers(3, [*head, (b":path", b"/smuggled"), (b"x-api-key-id", b"forged")], True)
    client.close_connection()
    yield client.data_to_send()


def test_the_attack_without_a_proxy(server: tuple[str, Server]) -> None:
    """The control: the server takes the forged request out of the tunnel."""
    name, running = server
    raw.converse(running.port, attack(name, "key"))
    wait_until(lambda: ("/smuggled", "forged") in running.requests(), 5, "the forged request")


@pytest.mark.parametrize("proxy_name", proxies.KINDS)
def test_the_attack_through_a_proxy(
    server: tuple[str, Server], proxy_name: str, tmp_path: Path, auth_server: program.Program
) -> None:
    name, running = server
    key = auth_server.admin.new()
    with proxies.start(proxy_name, tmp_path, auth_server.port, running.port) as proxy:
        before = len(running.requests())

        def pieces() -> Iterator[bytes]:
            first, second = attack(name, key)
            yield first
            # In a tunnel that is open a revocation would change nothing.
            auth_server.admin.revoke(key)
            yield second

        raw.converse(proxy.port, pieces())
        assert set(running.requests()[before:]) <= {("/secure", key_id(key))}

        good = auth_server.admin.new()
        headers = {"X-API-Key": good, "X-Api-Key-Id": "forged"}
        if name == "hypercorn":
            url = f"ws://127.0.0.1:{proxy.port}/socket"
            with websockets.sync.client.connect(url, additional_headers=headers) as web_socket:
                assert web_socket.recv() == b"This is a secure endpoint"
            assert running.requests()[-1] == ("/socket", key_id(good))
        else:
            lines = [f"{header}: {value}".encode() for header, value in headers.items()]
            assert raw.get(proxy.port, b"/plain", lines).status == 200
            assert running.requests()[-1] == ("/plain", key_id(good))
