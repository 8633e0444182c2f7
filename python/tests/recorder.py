"""The application behind a proxy: records each request byte by byte, and agrees to everything.

It switches to any protocol that `Upgrade` names, opens a tunnel for `CONNECT`, and records what
arrives through one. Under `/ignore` it switches to none.
"""

import base64
import hashlib
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from io import BufferedIOBase
from typing import Any

GREETING = b"This is a secure endpoint"
WEB_SOCKET_ID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


@dataclass(frozen=True)
class Arrived:
    """One request that reached the application. Names of headers are as they were spelt."""

    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)

    @property
    def is_tunnelled(self) -> bool:
        """It is no request, but bytes that arrived through a tunnel; they are the body."""
        return not self.line

    def values(self, name: bytes) -> list[bytes]:
        return [value for spelt, value in self.headers if spelt.lower() == name.lower()]


class Application(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.port: int = self.server_address[1]
        self._arrived: list[Arrived] = []

    def note(self, request: Arrived) -> None:
        self._arrived.append(request)

    def taken(self) -> list[Arrived]:
        """What arrived since the last look."""
        arrived, self._arrived = self._arrived, []
        return arrived


class Conversation(socketserver.StreamRequestHandler):
    """One connection, kept alive as proxies like it, or a tunnel that echoes one piece."""

    server: Application
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while (request := read(self.rfile)) is not None:
            self.server.note(request)
            if answer := switched(request):
                self.wfile.write(answer)
                self.tunnel()
                return
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GREETING)
            is_head = request.line.startswith(b"HEAD ")
            self.wfile.write(head if is_head else head + GREETING)

    def tunnel(self) -> None:
        with suppress(ConnectionError):
            if piece := self.rfile.read1(65536):
                self.server.note(Arrived(b"", [], piece))
                self.wfile.write(piece)


def switched(request: Arrived) -> bytes | None:
    """The answer that turns the connection into a tunnel, if this request gets one."""
    method, _, target = request.line.partition(b" ")
    if method == b"CONNECT":
        return b"HTTP/1.1 200 OK\r\n\r\n"
    protocols = request.values(b"Upgrade")
    if not protocols or target.startswith(b"/ignore"):
        return None
    lines = [b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade"]
    lines += [b"Upgrade: " + protocol for protocol in protocols]
    for key in request.values(b"Sec-WebSocket-Key"):
        accept = base64.b64encode(hashlib.sha1(key + WEB_SOCKET_ID).digest())
        lines.append(b"Sec-WebSocket-Accept: " + accept)
    return b"\r\n".join([*lines, b"", b""])


def read(stream: BufferedIOBase) -> Arrived | None:
    try:
        line = stream.readline().rstrip(b"\r\n")
        if not line:
            return None
        request = Arrived(line, fields(stream), b"")
        return replace(request, **content(request, stream))
    except ConnectionError:
        return None


def fields(stream: BufferedIOBase) -> list[tuple[bytes, bytes]]:
    """Header lines, or trailers, as far as the empty line."""
    found = []
    while pair := stream.readline().rstrip(b"\r\n"):
        name, _, value = pair.partition(b":")
        found.append((name, value.strip()))
    return found


def content(request: Arrived, stream: BufferedIOBase) -> dict[str, Any]:
    """The body, and what follows it."""
    if request.values(b"Transfer-Encoding"):
        body = b""
        while size := int(stream.readline().split(b";")[0], 16):
            body += stream.read(size)
            stream.readline()
        return {"body": body, "trailers": fields(stream)}
    lengths = request.values(b"Content-Length")
    return {"body": stream.read(int(lengths[0])) if lengths else b""}


@contextmanager
def application() -> Iterator[Application]:
    with Application() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
