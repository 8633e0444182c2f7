"""No request turns a connection into a tunnel to the application, except for a WebSocket.

What is sent through a tunnel is not checked: it can carry a forged identity, ask for other paths,
and outlive the key. The application agrees to everything (`recorder.py`), and each case is tried
without a key and with a good one, because an attacker may be a customer.
"""

import concurrent.futures

import pytest
import raw
import raw_http2
import recorder
from clients import key_id
from proxied import Behind

SMUGGLED = b"""GET /smuggled HTTP/1.1\r
Host: localhost\r
X-Api-Key-Id: forged\r
Connection: close\r
\r
"""
SETTINGS = b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"


def lines(*upgrades: bytes, connection: bytes = b"Connection: Upgrade") -> list[bytes]:
    return [*(b"Upgrade: " + upgrade for upgrade in upgrades), connection]


OTHER_PROTOCOLS = {
    "h2c": [
        *lines(b"h2c", connection=b"Connection: Upgrade, HTTP2-Settings"),
        SETTINGS,
    ],
    "H2C": lines(b"H2C"),
    "h2c without settings": lines(b"h2c"),
    "h2c without Connection": [b"Upgrade: h2c", SETTINGS],
    "h2c in lower case": [b"upgrade: h2c", b"connection: upgrade"],
    "h2c among other tokens": lines(b"h2c", connection=b"Connection: keep-alive,\tUpgrade"),
    "h2c in two Connection lines": [*lines(b"h2c"), b"Connection: HTTP2-Settings", SETTINGS],
    "TLS": lines(b"TLS/1.2"),
    "TLS or HTTP": lines(b"TLS/1.0, HTTP/1.1"),
    "another": lines(b"foo"),
    "a version of HTTP": lines(b"HTTP/2.0"),
    "empty": lines(b""),
    "a WebSocket of some version": lines(b"websocket/13"),
    "a WebSocket with a parameter": lines(b"websocket;h2c"),
    "a WebSocket in quotes": lines(b'"websocket"'),
    "longer than a WebSocket": lines(b"websockets"),
}
WEB_SOCKETS = (b"websocket", b"WebSocket", b"WEBSOCKET", b"wEbSoCkEt", b"  websocket  ")
HANDSHAKE = [b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]


def request(target: bytes, headers: list[bytes], method: bytes = b"GET") -> bytes:
    return b"\r\n".join(
        [method + b" " + target + b" HTTP/1.1", b"Host: localhost", *headers, b"", b""]
    )


@pytest.fixture(params=["without a key", "with a good key"])
def key(request: pytest.FixtureRequest, behind: Behind) -> list[bytes]:
    return [b"api-key: " + behind.good] if request.param == "with a good key" else []


def check(behind: Behind, key: list[bytes], reply: raw.RawReply) -> None:
    """Nothing arrived but the one request that was checked, with the identity of its key."""
    arrived = behind.application.taken()
    assert len(arrived) <= len(key), (reply, arrived)
    for one in arrived:
        check_request(behind, one)
    if not key:
        assert reply.status is None or reply.status >= 400, reply


def check_request(behind: Behind, one: recorder.Arrived) -> None:
    assert not one.is_tunnelled, one
    assert one.line.split(b" ")[1] in (b"/secure", b"/ignore"), one
    assert one.values(b"X-Api-Key-Id") == [key_id(behind.keys["good"]).encode()], one
    assert one.values(b"Upgrade") in ([], [b"websocket"]), one


@pytest.mark.parametrize("headers", OTHER_PROTOCOLS.values(), ids=OTHER_PROTOCOLS)
def test_another_protocol(behind: Behind, key: list[bytes], headers: list[bytes]) -> None:
    behind.application.taken()
    reply = raw.converse(behind.port, [request(b"/secure", [*headers, *HANDSHAKE, *key]), SMUGGLED])
    check(behind, key, reply)
    assert reply.status != 101, reply.data


@pytest.mark.parametrize("first", [b"websocket", b"h2c", b"foo"])
@pytest.mark.parametrize("second", [b"websocket", b"h2c", b"foo"])
@pytest.mark.parametrize("separator", [b",", b"\r\nUpgrade: "])
def test_two_protocols(
    behind: Behind, key: list[bytes], first: bytes, second: bytes, separator: bytes
) -> None:
    """Of a WebSocket and another protocol the WebSocket alone may be passed on: HAProxy drops h2c
    from a list, Traefik reads the first line."""
    behind.application.taken()
    upgrade = [*lines(first + separator + second), *HANDSHAKE]
    reply = raw.converse(behind.port, [request(b"/secure", [*upgrade, *key]), SMUGGLED])
    if reply.status == 101:
        assert key
        assert b"websocket" in (first, second)
        arrived, _ = behind.application.taken()
        assert arrived.values(b"Upgrade") == [b"websocket"]
    else:
        check(behind, key, reply)


@pytest.mark.parametrize("spelling", WEB_SOCKETS)
def test_a_web_socket_in_every_spelling(behind: Behind, key: list[bytes], spelling: bytes) -> None:
    """The control: that tunnel is opened, for a good key alone."""
    behind.application.taken()
    handshake = request(b"/socket", [*lines(spelling), *HANDSHAKE, *key])
    reply = raw.converse(behind.port, [handshake, SMUGGLED])
    arrived = behind.application.taken()
    assert reply.status == (101 if key else 401), reply.data
    assert [one.is_tunnelled for one in arrived] == ([False, True] if key else [])
    if key:
        assert arrived[1].body
        assert reply.data.endswith(arrived[1].body)
        assert arrived[0].values(b"X-Api-Key-Id") == [key_id(behind.keys["good"]).encode()]


def test_a_web_socket_that_the_application_rejects(behind: Behind, key: list[bytes]) -> None:
    behind.application.taken()
    handshake = request(b"/ignore", [*lines(b"websocket"), *HANDSHAKE, *key])
    check(behind, key, raw.converse(behind.port, [handshake, SMUGGLED]))


@pytest.mark.parametrize("target", [b"localhost:80", b"/secure", b"http://localhost/secure", b"*"])
def test_connect(behind: Behind, key: list[bytes], target: bytes) -> None:
    behind.application.taken()
    reply = raw.converse(behind.port, [request(target, key, b"CONNECT"), SMUGGLED])
    assert reply.status is None or reply.status >= 400, reply.data
    assert not behind.application.taken()


# --- The same over HTTP/2, where CONNECT may name a protocol (RFC 8441).

CONNECT = ((b":method", b"CONNECT"), (b":authority", b"localhost"))
EXTENDED = (*CONNECT, (b":scheme", b"http"), (b":path", b"/secure"))


def over_http_2(
    behind: Behind, port: int, key: list[bytes], *headers: tuple[bytes, bytes]
) -> raw_http2.Reply:
    keys = [(b"api-key", line.partition(b": ")[2]) for line in key]
    return raw_http2.exchange(port, [*headers, *keys], SMUGGLED, waits=True)


def test_connect_over_http_2(behind: Behind, http_2_port: int, key: list[bytes]) -> None:
    behind.application.taken()
    reply = over_http_2(behind, http_2_port, key, *CONNECT)
    assert reply.status is None or reply.status >= 400, reply
    assert not behind.application.taken()


def test_another_protocol_over_http_2(behind: Behind, http_2_port: int, key: list[bytes]) -> None:
    """All at the same time, because Envoy takes a second to close a connection."""

    def ask(protocol: bytes) -> raw_http2.Reply:
        return over_http_2(behind, http_2_port, key, *EXTENDED, (b":protocol", protocol))

    protocols = [b"h2c", b"foo", b"TLS/1.2", b"connect-udp", b"WebSockets", b"websocket, h2c", b""]
    behind.application.taken()
    with concurrent.futures.ThreadPoolExecutor(len(protocols)) as pool:
        replies = list(pool.map(ask, protocols))
    arrived = behind.application.taken()
    assert len(arrived) == len([reply for reply in replies if reply.status == 200]), replies
    assert key or not arrived
    for one in arrived:
        check_request(behind, one)


def test_a_web_socket_over_http_2(behind: Behind, http_2_port: int, key: list[bytes]) -> None:
    """It works where the proxy offers it, and else is rejected."""
    behind.application.taken()
    headers = [*EXTENDED, (b":protocol", b"websocket"), (b"sec-websocket-version", b"13")]
    reply = over_http_2(behind, http_2_port, key, *headers)
    arrived = behind.application.taken()
    if key and reply.offers_web_sockets:
        assert reply.status == 200, reply
        assert [one.is_tunnelled for one in arrived] == [False, True]
        check_request(behind, arrived[0])
    else:
        assert reply.status is None or reply.status >= 400, reply
        assert not arrived
