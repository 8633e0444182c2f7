"""The application behind a proxy: it notes each request as its bytes were, and answers all."""

import base64
import hashlib
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

GREETING = b"This is a secure endpoint"
WEB_SOCKET_ID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


@dataclass(frozen=True)
class Arrived:
    """One request that reached the application. Names of headers are as they were spelt."""

    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

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
    """One connection, kept alive as proxies like it; after an upgrade, an echo of one piece."""

    server: Application
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while (request := read(self.rfile)) is not None:
            self.server.note(request)
            if key := request.values(b"Sec-WebSocket-Key"):
                self.echo(key[0])
                return
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GREETING)
            is_head = request.line.startswith(b"HEAD ")
            self.wfile.write(head if is_head else head + GREETING)

    def echo(self, key: bytes) -> None:
        accept = base64.b64encode(hashlib.sha1(key + WEB_SOCKET_ID).digest())
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
        self.wfile.write(b"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n" % accept)
        self.wfile.write(self.request.recv(100))


def read(stream: IO[bytes]) -> Arrived | None:
    try:
        line = stream.readline().rstrip(b"\r\n")
        if not line:
            return None
        headers = []
        while pair := stream.readline().rstrip(b"\r\n"):
            name, _, value = pair.partition(b":")
            headers.append((name, value.strip()))
        request = Arrived(line, headers, b"")
        return Arrived(line, headers, body_of(request, stream))
    except ConnectionError:
        return None


def body_of(request: Arrived, stream: IO[bytes]) -> bytes:
    if request.values(b"Transfer-Encoding"):
        body = b""
        while size := int(stream.readline().split(b";")[0], 16):
            body += stream.read(size)
            stream.readline()
        stream.readline()
        return body
    lengths = request.values(b"Content-Length")
    return stream.read(int(lengths[0])) if lengths else b""


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
