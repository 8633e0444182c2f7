"""The middleware under a real server: bytes that no client sends, starts and stops."""

import socket
from pathlib import Path

import pytest
import servers
from test_middleware_paths import SPELLINGS, assert_health_or_refused


def test_no_bytes_open_a_guarded_route(database: Path, canaries: set[str]) -> None:
    """Through uvicorn, which decodes and cuts as it does."""
    secret = "secret-of-the-paths-test"
    with servers.uvicorn(database, secret=secret, app="served_middleware:app") as server:
        opened = 0
        for spelling in SPELLINGS:
            for path in ("/health", "/HEALTH", "/%68ealth", "/secure", "/health "):
                for host in ("Host: localhost", "Host: localhost\r\nHost: other", "Host: /health"):
                    answer = exchange(server.port, f"GET {spelling.format(path)} HTTP/1.1", host)
                    status = int(answer.split(b" ", 2)[1])
                    body = answer.partition(b"\r\n\r\n")[2]
                    assert_health_or_refused(status, body)
                    opened += status == 200
        # Plainly, with a query, and with what one server's parser cuts off.
        assert opened >= 6
        key = server.admin(secret, canaries).new()
        assert server.connect().get("/secure", {"api-key": key}).status == 200


def exchange(port: int, line: str, host: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        request = f"{line}\r\n{host}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("latin-1"))
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def test_a_served_app_with_a_wrong_open_path_does_not_start(database: Path) -> None:
    with (
        pytest.raises(AssertionError, match="ended before it was ready") as failed,
        servers.uvicorn(database, secret="a secret of a test", app="served_middleware:wrong"),
    ):
        raise AssertionError("started")
    assert "ERROR:    open_paths: '/health' is no list: write a list" in str(failed.value)
    assert "Application startup failed" in str(failed.value)


def test_a_server_stops_without_losing_a_count(database: Path, canaries: set[str]) -> None:
    secret = "secret-of-the-lifespan-test"
    with servers.uvicorn(database, secret=secret, app="served_middleware:app") as server:
        key = server.admin(secret, canaries).new()
        connection = server.connect()
        for _ in range(50):
            assert connection.get("/secure", {"api-key": key}).status == 200
        server.stop()
    assert servers.stored_totals(database) == {key[4:15]: 50}


def test_a_served_app_with_a_wrong_setting_does_not_start(database: Path) -> None:
    with (
        pytest.raises(AssertionError, match="ended before it was ready") as failed,
        servers.uvicorn(database, secret="", app="served_middleware:app"),
    ):
        raise AssertionError("started")
    assert "ERROR:    FASTAPI_SIMPLE_SECURITY_SECRET: " in str(failed.value)


def test_the_middleware_itself_may_be_served(database: Path, canaries: set[str]) -> None:
    """Handed to the server by hand: it is the app. The admin routes are not known then."""
    secret = "secret-of-the-lifespan-test"
    with servers.uvicorn(database, secret=secret, app="served_middleware:by_hand") as server:
        connection = server.connect()
        assert connection.get("/health").status == 200
        assert connection.get("/secure").status == 403
        assert connection.get("/auth/logs", {"secret-key": secret}).status == 403
