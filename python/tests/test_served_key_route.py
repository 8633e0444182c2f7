"""The route class under a real server: a client is answered before it has sent a body."""

import socket
from pathlib import Path

import servers

SECRET = "the-admin-secret-of-the-route-class"


def test_a_client_that_sends_headers_alone_has_its_answer(
    database: Path, canaries: set[str]
) -> None:
    """Of a real server, which reads nothing before the app asks: no `100 Continue` either."""
    with servers.uvicorn(database, secret=SECRET, app="served_key_route:app") as server:
        key = server.admin(SECRET, canaries).new()
        assert first_status(server.port, "/by-class", "no key") == 403
        assert first_status(server.port, "/by-class", key) == 100
        assert first_status(server.port, "/by-dependency", "no key") == 100


def first_status(port: int, path: str, key: str) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            f"Content-Length: 50000000\r\nExpect: 100-continue\r\napi-key: {key}\r\n\r\n".encode()
        )
        return int(connection.recv(100).split()[1])
