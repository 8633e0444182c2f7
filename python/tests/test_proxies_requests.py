"""Requests that proxies read in their own ways: each arrives whole and checked, or not at all."""

import posixpath
import socket
import threading
import urllib.parse

import httpx
import pytest
import raw
import websockets.exceptions
import websockets.sync.client
from clients import key_id
from proxied import Behind
from servers import wait_until

MEGABYTE = 2**20


def checked(behind: Behind, request: bytes) -> raw.RawReply:
    """Sends bytes that hold no good key: whatever is answered, nothing arrives."""
    behind.application.taken()
    reply = raw.send(behind.port, request)
    assert not behind.application.taken(), reply.data
    assert reply.status is None or reply.status >= 400, reply.data
    return reply


# --- Bodies, sockets, versions.


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_passes_whole(behind: Behind, chunked: bool) -> None:
    body = bytes(range(256)) * (MEGABYTE // 256)
    content = (body[at : at + 65536] for at in range(0, len(body), 65536)) if chunked else body
    with httpx.Client(base_url=f"http://127.0.0.1:{behind.port}") as client:
        behind.application.taken()
        headers = {"x-api-key": behind.keys["good"]}
        assert client.post("/secure", content=content, headers=headers).status_code == 200
        (arrived,) = behind.application.taken()
        assert arrived.line.startswith(b"POST /secure HTTP/1.")
        assert arrived.body == body
        # A connection that is kept is as good as a new one, and forgets who asked before.
        assert client.post("/secure", content=b"more", headers=headers).status_code == 200
        assert client.post("/secure", content=b"more").status_code == 401
        assert len(behind.application.taken()) == 1


def test_a_body_without_a_key(behind: Behind) -> None:
    head = b"POST /secure HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: "
    checked(behind, head + b"%d\r\n\r\n" % MEGABYTE + b"x" * MEGABYTE)


def test_a_web_socket(behind: Behind) -> None:
    url = f"ws://127.0.0.1:{behind.port}/socket"
    behind.application.taken()
    for key in ("revoked", "expired"):
        with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
            connect(url, behind.keys[key])
        assert refused.value.response.status_code == 401
    assert not behind.application.taken()
    with connect(url, behind.keys["good"]):
        (arrived,) = behind.application.taken()
    assert arrived.values(b"X-Api-Key-Id") == [key_id(behind.keys["good"]).encode()]
    assert not arrived.values(b"X-API-Key")


def connect(url: str, key: str) -> websockets.sync.client.ClientConnection:
    return websockets.sync.client.connect(
        url, additional_headers={"X-API-Key": key}, compression=None, close_timeout=0
    )


@pytest.mark.parametrize("forged", ["x-api-key-id", "x_api_key_id", "x.api.key.id"])
def test_http_2_in_clear(behind: Behind, http_2_port: int, forged: str) -> None:
    with httpx.Client(
        http1=False, http2=True, base_url=f"http://127.0.0.1:{http_2_port}"
    ) as client:
        behind.application.taken()
        assert client.get("/secure", headers={forged: "forged"}).status_code == 401
        assert not behind.application.taken()
        key = ("api-key", behind.keys["good"])
        answer = client.get("/secure", headers=[key, (forged, "forged")])
        assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
        (arrived,) = behind.application.taken()
        assert b"forged" not in [value for _, value in arrived.headers]
        two_keys = 401 if behind.name == "nginx" else 400
        assert client.get("/secure", headers=[key, key]).status_code == two_keys
        assert not behind.application.taken()


# --- Sizes and speeds.


@pytest.mark.parametrize("place", ["a header", "many headers", "the target", "the key"])
def test_64_kilobytes(behind: Behind, place: str) -> None:
    good, long = b"api-key: " + behind.good, b"x" * 65536
    lines, target = [good], b"/secure"
    if place == "a header":
        lines.append(b"X-Long: " + long)
    elif place == "many headers":
        lines += [b"X-%d: %s" % (number, b"x" * 100) for number in range(600)]
    elif place == "the target":
        target += b"?" + long
    else:
        lines = [b"api-key: " + long]
    reply, arrived = behind.get(*lines, target=target)
    assert (reply.status == 200) == (len(arrived) == 1), reply.data[:300]
    assert reply.status in (None, 200, 400, 401, 414, 431, 500, 502, 503), reply.data[:300]


def test_slow_headers_do_not_hold_up_others(behind: Behind) -> None:
    """A client that sends a byte now and then gets its answer, and the others theirs meanwhile."""
    with socket.create_connection(("127.0.0.1", behind.port), timeout=10) as slow:
        for piece in (b"GET /secure HT", b"TP/1.1\r\nHo", b"st: localhost\r\napi-k", b"ey: "):
            slow.sendall(piece)
            assert behind.get(b"api-key: " + behind.good)[0].status == 200
        slow.sendall(behind.good + b"\r\nConnection: close\r\n\r\n")
        assert slow.recv(12) == b"HTTP/1.1 200"


def test_many_at_once(behind: Behind) -> None:
    """Nobody gets the answer, or the identity, that another one's key got."""
    wrong: list[object] = []
    admin = behind.auth_server.admin
    keys = [admin.new() for _ in range(4)] + [behind.keys["revoked"]] * 4
    behind.application.taken()

    def ask(key: str) -> None:
        expected = 401 if key == behind.keys["revoked"] else 200
        for _ in range(10):
            reply = raw.get(behind.port, b"/" + key_id(key).encode(), [b"api-key: " + key.encode()])
            if reply.status != expected:
                wrong.append(reply)

    threads = [threading.Thread(target=ask, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    arrived = behind.application.taken()
    assert len(arrived) == 40
    for request in arrived:
        assert request.values(b"X-Api-Key-Id")[0] in request.line


# --- Two readings of one request.

HEAD = b"Host: localhost\r\nConnection: close\r\n"
# In the place of %s stands the good key.
TWO_READINGS = {
    "absolute form": b"GET http://other.example/secure HTTP/1.1\r\n" + HEAD + b"\r\n",
    "authority form": b"CONNECT localhost:80 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "bare line feeds": b"GET /secure HTTP/1.1\nHost: localhost\nConnection: close\n\n",
    "a folded line": b"GET /secure HTTP/1.1\r\n" + HEAD + b"X-Other: 1\r\n api-key: %s\r\n\r\n",
    "a bare return": b"GET /secure HTTP/1.1\r\n" + HEAD + b"X-Other: 1\rapi-key: %s\r\n\r\n",
    "a bare feed in a header": b"GET /secure HTTP/1.1\r\n" + HEAD + b"X: 1\0api-key: %s\r\n\r\n",
    "no version": b"GET /secure\r\n\r\n",
    "two hosts": b"GET /secure HTTP/1.1\r\nHost: other\r\n" + HEAD + b"\r\n",
    "two lengths": b"POST /secure HTTP/1.1\r\n" + HEAD + b"Content-Length: 0\r\n"
    b"Content-Length: 46\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a length and chunks": b"POST /secure HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "spaced chunks": b"POST /secure HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding : chunked\r\n\r\n"
    b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an odd encoding": b"POST /secure HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: xchunked\r\n\r\n"
    b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a trailer": b"POST /secure HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n"
    b"Trailer: api-key\r\n\r\n0\r\napi-key: %s\r\n\r\n",
}


@pytest.mark.parametrize("request_", TWO_READINGS.values(), ids=TWO_READINGS)
def test_two_readings_without_a_key(behind: Behind, request_: bytes) -> None:
    checked(behind, request_.replace(b"%s", behind.good))


@pytest.mark.parametrize("request_", TWO_READINGS.values(), ids=TWO_READINGS)
def test_two_readings_with_a_key(behind: Behind, request_: bytes) -> None:
    """What the key is good for arrives, or nothing: no second request, and no forged identity."""
    key = b"api-key: " + behind.good
    forged = request_.replace(b"api-key: %s", b"X-Api-Key-Id: forged")
    line, end, rest = forged.partition(b"\n")
    behind.application.taken()
    reply = raw.send(behind.port, line + end + key + b"\r\n" + rest)
    arrived = behind.application.taken()
    assert (reply.status == 200) == (len(arrived) == 1), (reply, arrived)
    for request in arrived:
        assert request.line.split(b" ")[1].endswith(b"/secure")
        assert request.values(b"X-Api-Key-Id") == [key_id(behind.keys["good"]).encode()]


@pytest.mark.parametrize("smuggled", [b"Content-Length: 5\r\n", b"Transfer-Encoding : x\r\n", b""])
def test_a_second_request_behind_a_good_one(behind: Behind, smuggled: bytes) -> None:
    """What follows a request with a good key is checked for itself."""
    behind.application.taken()
    first = b"POST /first HTTP/1.1\r\nHost: localhost\r\napi-key: %s\r\n" % behind.good
    body = smuggled + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    second = b"GET /second HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    reply = raw.send(behind.port, first + body + second)
    assert not [one for one in behind.application.taken() if b"/second" in one.line], reply.data


PATHS = [
    *(b"//secure", b"/./secure", b"/a/../secure", b"/a/..%2fsecure", b"/a/%2e%2e/secure"),
    *(b"/secure%00", b"/%73ecure", b"/secure;x", b"/secure#a", b"/_verify", b"/_unavailable"),
    *(b"/verify", b"/verify/nginx", b"/healthz", b"/readyz", b"/docs", b"/auth/keys", b"*"),
]


@pytest.mark.parametrize("path", PATHS)
def test_paths(behind: Behind, path: bytes) -> None:
    """There is no way around the check, none to the auth server, and with a key none is changed
    into the path of another request."""
    head = b"GET %s HTTP/1.1\r\n" % path + HEAD
    checked(behind, head + b"\r\n")
    checked(behind, head + b"secret-key: x\r\n\r\n")
    reply = raw.send(behind.port, head + b"api-key: %s\r\n\r\n" % behind.good)
    arrived = behind.application.taken()
    assert (reply.status == 200) == (len(arrived) == 1), reply.data
    for request in arrived:
        target = request.line.split(b" ")[1]
        assert normalized(target) in (normalized(path), normalized(path.partition(b"#")[0]))


def normalized(path: bytes) -> str:
    """What a path stands for: Traefik passes that on, the others the path as it was sent."""
    return "/" + posixpath.normpath(urllib.parse.unquote(path.decode())).lstrip("/")


def test_a_client_that_leaves(behind: Behind) -> None:
    """Gone before its answer: nobody else gets it."""
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", behind.port)) as leaving:
            leaving.sendall(b"GET /left HTTP/1.1\r\nHost: x\r\napi-key: %s\r\n\r\n" % behind.good)
    wait_until(lambda: behind.get(b"X: 1")[0].status == 401, 5, "an answer of one's own")
