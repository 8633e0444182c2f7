"""Requests as bytes on a socket: what no HTTP client agrees to send."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class RawReply:
    """What came back until the server closed the connection, or stopped talking."""

    data: bytes

    @property
    def status(self) -> int | None:
        """The status of the first answer; `None`: the connection was closed without any."""
        words = self.data.split(b" ", 2)
        return int(words[1]) if words[0].startswith(b"HTTP/1.") and len(words) > 1 else None

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]


def send(port: int, request: bytes, *, ends: bool = False) -> RawReply:
    """Sends bytes on a connection of their own and reads all that comes back.

    With `ends` the server is told that no more will come: for what is no whole request. Some hang
    up then, also on a request that is whole.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            connection.sendall(request)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                received += piece
        except OSError as error:
            # Closed in the middle of what it does not want to read.
            if isinstance(error, TimeoutError):
                raise
    return RawReply(received)


def get(
    port: int, target: bytes, lines: Iterable[bytes] = (), host: bytes = b"localhost"
) -> RawReply:
    """A GET with these header lines, as they are."""
    head = [b"GET " + target + b" HTTP/1.1", b"Host: " + host, *lines, b"Connection: close"]
    return send(port, b"\r\n".join(head) + b"\r\n\r\n")
