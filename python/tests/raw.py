"""Requests as bytes on a socket: what no HTTP client agrees to send."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

# Seconds of silence after which the end of a request is told, before and after its first answer.
FIRST_ANSWER, NEXT_PIECE = 3.0, 0.2
# Seconds to wait for the other side's end, and for an answer after one that said it was the last.
END, AFTER_CLOSE = 10.0, 0.05


@dataclass(frozen=True)
class RawReply:
    """What came back until the server closed the connection, or stopped talking."""

    data: bytes

    @property
    def status(self) -> int | None:
        """The status of the first final answer; `None`: the connection was closed without any."""
        rest = self.data
        while rest.startswith(b"HTTP/1.1 1") and not rest.startswith(b"HTTP/1.1 101"):
            rest = rest.partition(b"\r\n\r\n")[2]
        words = rest.split(b" ", 2)
        return int(words[1]) if words[0].startswith(b"HTTP/1.") and len(words) > 1 else None

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]


def send(port: int, request: bytes, *, ends: bool = False) -> RawReply:
    """Sends bytes on a connection of their own and reads all that comes back.

    With `ends` the server is told that no more will come: for what is no whole request. Some hang
    up then, also on a request that is whole; so without it they are told when nothing comes.
    """
    received = b""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        try:
            connection.sendall(request)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            for piece in pieces(connection):
                received += piece
        except OSError as error:
            # Closed in the middle of what it does not want to read.
            if isinstance(error, TimeoutError):
                raise
    return RawReply(received)


def converse(port: int, requests: Iterable[bytes]) -> RawReply:
    """Sends requests on one connection, each when the head of the answer before it has arrived, and
    leaves after the last head."""
    received = b""
    with (
        socket.create_connection(("127.0.0.1", port), FIRST_ANSWER) as connection,
        suppress(ConnectionError, TimeoutError),
    ):
        for request in requests:
            answered = len(received)
            connection.sendall(request)
            if b"\r\nconnection: close\r\n" in received.lower():
                connection.settimeout(AFTER_CLOSE)
            while b"\r\n\r\n" not in received[answered:]:
                if not (piece := connection.recv(65536)):
                    return RawReply(received)
                received += piece
    return RawReply(received)


def pieces(connection: socket.socket) -> Iterator[bytes]:
    connection.settimeout(FIRST_ANSWER)
    try:
        while piece := connection.recv(65536):
            yield piece
            connection.settimeout(NEXT_PIECE)
    except TimeoutError:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        connection.settimeout(END)
        while piece := connection.recv(65536):
            yield piece


def get(
    port: int, target: bytes, lines: Iterable[bytes] = (), host: bytes = b"localhost"
) -> RawReply:
    """A GET with these header lines, as they are."""
    head = [b"GET " + target + b" HTTP/1.1", b"Host: " + host, *lines, b"Connection: close"]
    return send(port, b"\r\n".join(head) + b"\r\n\r\n")
