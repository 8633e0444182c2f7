"""Hostile headers, queries and paths by raw sockets, against a real server of each face.

Whatever is sent: nobody without a good key gets a good answer, the server never fails, and what is
counted is what was let in.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import proxied
import proxies
import pytest
import raw
import servers
from clients import Admin, ResourceAdmin, key_id

SECRET = "secret-of-the-hostile-test"
# What a server or a face may say to who is not let in. `None`: it hangs up; 307: to the guarded
# path, spelt right; 501: a proxy to a method that it does not know.
REFUSALS = {None, 307, 400, 401, 403, 404, 405, 414, 431, 501}


@dataclass
class Face:
    """A running server, and how its guarded route reads a request."""

    name: str
    port: int
    admin: Admin
    keys: dict[str, str]
    reading: str
    let_in: int = 0
    path: bytes = b"/secure"

    @property
    def good(self) -> bytes:
        return self.keys["good"].encode()

    def expect(self, case: str, reply: raw.RawReply, good: bool, long: bool = False) -> None:
        assert b"x-injected" not in reply.data.lower().partition(b"\r\n\r\n")[0], case
        if good:
            self.let_in += 1
            assert reply.status == 200, f"{self.name}, {case}: {reply.data!r}"
        else:
            # What is too long for the auth server alone: it may hang up before the proxy reads why.
            hung_up = {500, 502, 503} if long and self.name in proxies.KINDS else set()
            assert reply.status in REFUSALS | hung_up, f"{self.name}, {case}: {reply.data!r}"
            assert b"secure endpoint" not in reply.body, f"{self.name}, {case}"


FACES = {
    "dependency": (partial(servers.uvicorn, app="fastapi_app:app"), "drop-in"),
    "middleware": (partial(servers.uvicorn, app="hostile_app:app"), "drop-in"),
    "axum": (servers.axum, "standard"),
    **{name: (partial(proxied.serve, name), "standard") for name in proxies.KINDS},
}
# uvicorn logs queries, and here keys are in parameters of other names, which nobody masks.
LOGS_QUERIES = {"dependency", "middleware"}


@pytest.fixture(scope="module", params=FACES)
def face(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    database_directories: list[Path],
    canaries: set[str],
) -> Iterator[Face]:
    directory = tmp_path_factory.mktemp("hostile")
    if request.param not in LOGS_QUERIES:
        database_directories.append(directory)
    serve, reading = FACES[request.param]
    with serve(directory / "keys.db", secret=SECRET) as server:
        admin = ResourceAdmin(server.connect(), SECRET, canaries)
        keys = {name: admin.new() for name in ("good", "second", "revoked")}
        admin.revoke(keys["revoked"])
        yield Face(request.param, server.port, admin, keys, reading)


@pytest.fixture(autouse=True)
def nothing_else_is_counted(face: Face) -> Iterator[None]:
    yield
    good = raw.get(face.port, face.path, [carried("api-key", face.good)])
    face.expect("it still answers", good, good=True)
    totals = face.admin.totals()
    assert totals[key_id(face.keys["good"])] == face.let_in
    assert totals[key_id(face.keys["second"])] == totals[key_id(face.keys["revoked"])] == 0


def carried(carrier: str, value: bytes) -> bytes:
    """The line of a header that carries a value."""
    if carrier == "bearer":
        return b"Authorization: Bearer " + value
    return carrier.encode() + b": " + value


# In the order in which the drop-in reading takes them.
CARRIERS = ("api-key", "X-API-Key", "bearer")


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_good_key(face: Face, carrier: str) -> None:
    reply = raw.get(face.port, face.path, [carried(carrier, face.good)])
    face.expect(carrier, reply, good=True)


def test_nothing(face: Face) -> None:
    face.expect("nothing", raw.get(face.port, face.path), good=False)


# --- More than one: which of them is meant cannot be told.


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("other", ["good", "second", "revoked", "empty", "garbage"])
@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["", "reversed"])
def test_the_same_header_twice(face: Face, carrier: str, other: str, order: slice) -> None:
    values = {"empty": b"", "garbage": b"x" * 36}
    second = values.get(other) if other in values else face.keys[other].encode()
    lines = [carried(carrier, face.good), carried(carrier, second or b"")][order]
    face.expect(f"{carrier}, {other}", raw.get(face.port, face.path, lines), good=False)


@pytest.mark.parametrize("spelling", [b"Api-Key", b"API-KEY", b"aPi-kEy"])
def test_the_same_header_in_two_spellings(face: Face, spelling: bytes) -> None:
    lines = [carried("api-key", face.good), spelling + b": " + face.good]
    face.expect(spelling.decode(), raw.get(face.port, face.path, lines), good=False)


def test_two_headers_that_are_both_read(face: Face) -> None:
    for one, other in (("api-key", "X-API-Key"), ("api-key", "bearer"), ("X-API-Key", "bearer")):
        for second in (face.good, face.keys["second"].encode(), b"x" * 36):
            lines = [carried(one, face.good), carried(other, second)]
            # The drop-in reading does not reach the other.
            good = face.reading == "drop-in"
            face.expect(f"{one}, {other}", raw.get(face.port, face.path, lines), good)


@pytest.mark.parametrize(
    "query",
    [
        b"api-key=%s&api-key=%s",
        b"api-key=%s&api-key=x",
        b"api-key=x&api-key=%s",
        b"api-key=&api-key=%s",
        b"api-key=%s&api%%2Dkey=%s",
        b"api-key=%s&a=1&b=2&api-key=",
    ],
)
def test_the_parameter_twice(face: Face, query: bytes) -> None:
    filled = query.replace(b"%s", face.good).replace(b"%%", b"%")
    reply = raw.get(face.port, face.path + b"?" + filled)
    face.expect(query.decode(), reply, good=False)


@pytest.mark.parametrize(
    "query",
    [
        b"API-KEY=%s",
        b"Api-Key=%s",
        b"api_key=%s",
        b"apikey=%s",
        b"api-key[]=%s",
        b"api-key%%00=%s",
        b"%%00api-key=%s",
        b"a=1;api-key=%s",
        b";api-key=%s",
        b"api-key=%s%%00",
        b"api-key=%s%%20",
        b"api-key=%s%%0a",
        b"api-key=%%00%s",
        b"api-key==%s",
        b"api-key=%s,%s",
        b"api-key=%s;",
        b"a=api-key=%s",
        b"?api-key=%s",
        b"%s",
        b"secret-key=secret-of-the-hostile-test",
    ],
)
def test_other_queries(face: Face, query: bytes) -> None:
    filled = query.replace(b"%s", face.good).replace(b"%%", b"%")
    reply = raw.get(face.port, face.path + b"?" + filled)
    face.expect(query.decode(), reply, good=False)


# --- Values that are no key.

VALUES = {
    "empty": b"",
    "one byte": b"x",
    "spaces": b"   ",
    "a tab": b"\t",
    "8 kB": b"x" * 8192,
    "60 kB": b"x" * 61440,
    "not UTF-8": b"\xff\xfe\xfd",
    "a surrogate in UTF-8": b"\xed\xa0\x80",
    "an overlong NUL": b"\xc0\x80",
    "a two-byte letter": "clé".encode(),
    "full-width letters": "\uff46\uff53\uff53\uff3f\uff41\uff42\uff43".encode(),
    "look-alikes": "f\u0455\u0455_\u0430b\u0441".encode(),
    "combining marks": "f\u0301ss_".encode(),
    "right to left": "\u202efss_\u202c".encode(),
    "quotes": b"\"'`",
    "SQL": b"' OR 1=1 --",
    "a path": b"../../etc/passwd",
    "a template": b"{{7*7}}${7*7}%n%s",
    "JSON": b'{"key": true}',
    "the prefix": b"fss_",
    "the secret of the administrator": SECRET.encode(),
}


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_values_that_are_no_key(face: Face, carrier: str, value: bytes) -> None:
    reply = raw.get(face.port, face.path, [carried(carrier, value)])
    face.expect(f"{carrier}: {value[:20]!r}", reply, good=False, long=len(value) > 16000)


AROUND = {
    "NUL after": b"%s\0",
    "NUL before": b"\0%s",
    "NUL within": b"%s\0%s",
    "a line end and a header": b"%s\r\nx-injected: 1",
    "a bare line feed": b"x\n%s",
    "a bare carriage return": b"%s\rx",
    "a folded line": b"x\r\n %s",
    "a comma": b"%s,",
    "two, by a comma": b"%s, %s",
    "quotes around": b'"%s"',
    "a space within": b"%s %s",
    "a semicolon": b"%s;",
    "percent-encoded": b"%%66%s",
    "a letter more": b"%sx",
    "a soft hyphen": b"%s\xc2\xad",
    "a no-break space": b"%s\xa0",
    "a byte order mark": b"\xef\xbb\xbf%s",
    "DEL": b"%s\x7f",
    "escape": b"\x1b[31m%s",
    "a scheme": b"Bearer %s",
    "another scheme": b"Basic %s",
    "a form": b"api-key=%s",
}


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_a_good_key_with_something_around(face: Face, carrier: str, around: bytes) -> None:
    value = around.replace(b"%s", face.good).replace(b"%%", b"%")
    lines = (
        carried(carrier, value).split(b"\r\n") if b"\r\n" in value else [carried(carrier, value)]
    )
    reply = raw.get(face.port, face.path, lines)
    # The injected line ends the value: what is left is a good key and one more header.
    good = around == AROUND["a line end and a header"]
    face.expect(f"{carrier}: {around!r}", reply, good)


@pytest.mark.parametrize("space", [b"", b" ", b"  ", b"\t", b" \t "])
def test_white_space_around_a_value_is_no_part_of_it(face: Face, space: bytes) -> None:
    """RFC 9110, section 5.5."""
    lines = [b"api-key:" + space + face.good + space]
    face.expect(repr(space), raw.get(face.port, face.path, lines), good=True)


@pytest.mark.parametrize(
    "line",
    [
        b"api-key : %s",
        b" api-key: %s",
        b"api_key: %s",
        b"api-key\t: %s",
        b"api-key\0: %s",
        b"x-api-key-id: %s",
        b"x-forwarded-api-key: %s",
        b"api-key",
        b": %s",
        b"Cookie: api-key=%s",
        b"Authorization: %s",
        b"Authorization: Basic %s",
        b"Authorization: Bearer",
        b"Authorization: Bearer%s",
        b"Authorization: ApiKey %s",
        b"Authorization: Bearer x %s",
        b"Proxy-Authorization: Bearer %s",
        b"secret-key: secret-of-the-hostile-test",
    ],
)
def test_other_header_lines(face: Face, line: bytes) -> None:
    reply = raw.get(face.port, face.path, [line.replace(b"%s", face.good)])
    face.expect(line.decode(), reply, good=False)


def test_a_thousand_headers(face: Face) -> None:
    lines = [b"x-%d: 1" % number for number in range(1000)]
    reply = raw.get(face.port, face.path, lines)
    face.expect("1,000 headers", reply, good=False, long=True)


def test_unknown_and_mistyped_keys_get_one_answer(face: Face) -> None:
    """Nobody can find out which keys there are."""
    good = face.good
    mistyped = good[:-1] + (b"1" if good.endswith(b"0") else b"0")
    answers = {
        (reply.status, reply.body)
        for value in (mistyped, good.upper(), good[:-1], b"fss_", b"x" * 36, b"x" * 300)
        for reply in [raw.get(face.port, face.path, [carried("api-key", value)])]
    }
    assert len(answers) == 1, answers


# --- Paths: a second spelling of a guarded path, or of an open one before it, opens nothing.

PATHS = [
    b"//secure",
    b"/./secure",
    b"/unsecured/../secure",
    b"/unsecured/..%2fsecure",
    b"/unsecured%2f..%2fsecure",
    b"/unsecured/%2e%2e/secure",
    b"/%2e/secure",
    b"/%73ecure",
    b"/secure%2f",
    b"/secure/",
    b"/secure/.",
    b"/secure;x",
    b"/secure;/unsecured",
    b"/secure?/unsecured",
    b"/secure#/unsecured",
    b"/secure%3f/unsecured",
    b"/secure%23/unsecured",
    b"/secure%00",
    b"/secure%00/unsecured",
    b"/secure%20",
    b"/SECURE",
    b"/secure\\",
    b"\\secure",
    b"/%5csecure",
    b"/secure%ff",
    b"/secure\xff",
    b"secure",
    b"*",
    b"/unsecured/secure",
    b"http://localhost/secure",
    b"http://localhost//secure",
    b"http://other.example/secure",
    b"HTTP://LOCALHOST/secure",
    b"//localhost/secure",
]


@pytest.mark.parametrize("path", PATHS)
def test_paths(face: Face, path: bytes) -> None:
    face.expect(path.decode("latin-1"), raw.get(face.port, path), good=False)


@pytest.mark.parametrize(
    "lines",
    [
        [b"X-Original-URI: /unsecured"],
        [b"X-Original-URL: /unsecured"],
        [b"X-Rewrite-URL: /unsecured"],
        [b"X-Forwarded-Uri: /unsecured"],
        [b"X-Forwarded-Prefix: /unsecured"],
        [b"X-HTTP-Method-Override: OPTIONS"],
        [b"X-Forwarded-For: 127.0.0.1"],
        [b"Forwarded: for=127.0.0.1;host=localhost;proto=https"],
        [b"Host: other.example"],
        [b"User-Agent: kube-probe/1.30"],
        [b"User-Agent: "],
        [b"Origin: http://localhost", b"Access-Control-Request-Method: GET"],
        [b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"],
        [b"Range: bytes=0-0"],
        [b"If-None-Match: *"],
        [b"Expect: 100-continue"],
    ],
    ids=lambda lines: lines[0].decode(),
)
def test_headers_that_others_have_trusted(face: Face, lines: list[bytes]) -> None:
    face.expect(repr(lines), raw.get(face.port, face.path, lines), good=False)


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "TRACE", "CONNECT", "get", "X" * 50])
def test_methods(face: Face, method: str) -> None:
    request = (
        f"{method} {face.path.decode()} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    face.expect(method, raw.send(face.port, request.encode()), good=False)


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /secure HTTP/1.0\r\n\r\n",
        b"GET /secure\r\n\r\n",
        b"GET /secure HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET  /secure HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /secure HTTP/1.1\nHost: localhost\n\n",
        b"GET /unsecured HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /secure HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n\r\nGET /secure HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\0" * 100,
        b"",
    ],
)
def test_request_lines(face: Face, request_line: bytes) -> None:
    reply = raw.send(face.port, request_line, ends=True)
    assert b"This is a secure endpoint" not in reply.data, request_line
    assert reply.status is None or reply.status < 500 or reply.status == 505, reply.data
