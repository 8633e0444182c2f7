"""Who is let in through each proxy, and what then reaches the application."""

import pytest
import raw
import raw_http2
from clients import key_id
from proxied import NAME_IN_HEADER, Behind

CARRIERS = {
    "bearer": b"Authorization: Bearer ",
    "X-API-Key": b"X-API-Key: ",
    "api-key": b"api-key: ",
}
IDENTITY = (b"X-Api-Key-Id", b"X-Api-Key-Name", b"X-Api-Key-Expires-At")
CREDENTIALS = (b"Authorization", b"X-API-Key", b"api-key")


@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS)
def test_a_good_key(behind: Behind, carrier: bytes) -> None:
    """The application sees whose key it was, and not the key."""
    reply, arrived = behind.get(carrier + behind.good, b"X-Other: kept", target=b"/secure?a=1")
    assert reply.status == 200, reply.data
    assert reply.body.endswith(b"This is a secure endpoint")
    (request,) = arrived
    assert request.line.startswith(b"GET /secure?a=1 HTTP/1.")
    shown = behind.auth_server.admin.shown(behind.keys["good"])
    assert [request.values(name) for name in IDENTITY] == [
        [key_id(behind.keys["good"]).encode()],
        [NAME_IN_HEADER.encode()],
        [shown["expires_at"].encode()],
    ]
    assert not any(request.values(name) for name in CREDENTIALS)
    assert request.values(b"X-Other") == [b"kept"]
    assert behind.good not in b"".join(b"%s:%s" % header for header in request.headers)


def test_a_key_without_name_and_date(behind: Behind) -> None:
    """No header is left out: a proxy that copies only what is there would let the client's pass."""
    key = behind.keys["second"].encode()
    forged = [b"%s: forged" % name for name in IDENTITY]
    _, (request,) = behind.get(b"X-API-Key: " + key, *forged)
    names = [request.values(name) for name in IDENTITY]
    assert names[:2] == [[key_id(behind.keys["second"]).encode()], [b"-"]]
    assert len(names[2]) == 1
    assert names[2] != [b"forged"]


@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS)
@pytest.mark.parametrize("key", ["revoked", "expired", "garbage"])
def test_a_key_that_is_not_good(behind: Behind, carrier: bytes, key: str) -> None:
    reply, arrived = behind.get(carrier + behind.keys.get(key, "x" * 55).encode())
    assert reply.status == 401, reply.data
    assert b'error="invalid_token"' in reply.data
    assert not arrived


def test_no_key(behind: Behind) -> None:
    reply, arrived = behind.get()
    assert reply.status == 401, reply.data
    assert b"www-authenticate: bearer" in reply.data.lower()
    assert not arrived


# --- An identity that the client makes up.

SPELLINGS = [
    b"X-Api-Key-%s",
    b"x-api-key-%s",
    b"X-API-KEY-%s",
    b"X_Api_Key_%s",
    b"X-Api_Key-%s",
    b"x_api_key-%s",
    b"X-Api-Key_%s",
    b"X.Api.Key.%s",
    b"X-Api-Key.%s",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("times", [1, 2])
def test_a_forged_identity(behind: Behind, spelling: bytes, times: int) -> None:
    """Spelt as applications read it: without regard to case, and underscores as hyphens."""
    names = [b"Id", b"Name", b"Expires-At", b"Expires_At", b"Expires.At"]
    forged = [spelling % name + b": forged" for name in names] * times
    reply, arrived = behind.get(*forged)
    assert (reply.status, arrived) == (401, [])
    reply, arrived = behind.get(*forged, b"api-key: " + behind.good, *forged)
    for request in arrived:
        assert b"forged" not in [value for _, value in request.headers], request.headers
        assert request.values(b"X-Api-Key-Id") == [key_id(behind.keys["good"]).encode()]
    assert reply.status in (200, 400), reply.data
    assert (reply.status == 200) == (len(arrived) == 1)


# What a name may hold beside letters and digits (RFC 9110, section 5.6.2), without the hyphen.
MARKS = b"!#$%&'*+.^_`|~"


@pytest.mark.parametrize("mark", [MARKS[at : at + 1] for at in range(len(MARKS))])
def test_a_forged_identity_with_other_marks(behind: Behind, mark: bytes) -> None:
    """Some applications make a hyphen of each character that is no letter or digit."""
    for spelling in (b"X-Api-Key-Id", b"x-api-key-expires-at"):
        for forged in (spelling.replace(b"-", mark), mark.join(spelling.rsplit(b"-", 1))):
            reply, arrived = behind.get(forged + b": forged")
            assert (reply.status in (400, 401), arrived) == (True, []), forged
            reply, arrived = behind.get(forged + b": forged", b"api-key: " + behind.good)
            assert reply.status in (200, 400), reply.data
            for request in arrived:
                assert b"forged" not in [value for _, value in request.headers], request.headers
                assert request.values(b"X-Api-Key-Id") == [key_id(behind.keys["good"]).encode()]


@pytest.mark.parametrize("declared", [[], [b"Trailer: X-Api-Key-Id"], [b"Trailer: X-Other"]])
def test_a_forged_identity_in_trailers(
    behind: Behind, http_2_port: int, declared: list[bytes]
) -> None:
    """HAProxy alone passes trailers on, and says so in its file."""
    head = [b"POST /secure HTTP/1.1", b"Host: localhost", b"Connection: close", *declared]
    body = b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Api-Key-Id: forged\r\n\r\n"
    over_http_2 = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"localhost")]
    over_http_2 += [(b":path", b"/secure")]
    over_http_2 += [(b"trailer", line.partition(b": ")[2]) for line in declared]
    key = b"api-key: " + behind.good
    for sent in (
        lambda: raw.send(behind.port, b"\r\n".join([*head, key, body])),
        lambda: raw_http2.exchange(
            *(http_2_port, [*over_http_2, (b"api-key", behind.good)]),
            *(b"abc", [(b"x-api-key-id", b"forged")]),
        ),
    ):
        behind.application.taken()
        reply = sent()
        # nginx closes a connection of HTTP/2 on which trailers arrive.
        assert reply.status in ((200, None) if behind.name == "nginx" else (200,)), reply
        for request in behind.application.taken():
            assert request.body == b"abc"
            assert request.values(b"X-Api-Key-Id") == [key_id(behind.keys["good"]).encode()]
            assert [value for _, value in request.trailers] == (
                [b"forged"] if behind.name == "HAProxy" else []
            )


def test_an_identity_that_is_hop_by_hop(behind: Behind) -> None:
    """A name in `Connection` is removed on the way: it must not remove what the proxy sets, neither
    here nor at a second proxy."""
    for line in (
        b"Connection: X-Api-Key-Id, X-Api-Key-Name, close",
        b"Connection: keep-alive, X-Api-Key-Id",
        b"Connection: X-Api-Key-Id, Upgrade\r\nUpgrade: websocket",
        b"Connection: Upgrade\r\nConnection: X-Api-Key-Id\r\nUpgrade: websocket",
    ):
        _, arrived = behind.get(b"api-key: " + behind.good, line)
        for request in arrived:
            assert request.values(b"X-Api-Key-Id") == [key_id(behind.keys["good"]).encode()]
            passed_on = b",".join(request.values(b"Connection")).lower()
            assert passed_on in (b"", b"close", b"keep-alive", b"upgrade"), passed_on
    _, arrived = behind.get(b"api-key: " + behind.good, b"Connection: api-key, close")
    assert all(request.values(b"X-Api-Key-Id") for request in arrived)


def test_what_the_auth_server_might_be_asked(behind: Behind) -> None:
    """No header or query of the client chooses how the key is checked."""
    for line in (
        b"X-Original-URI: /unsecured",
        b"X-Forwarded-Uri: /healthz",
        b"X-Forwarded-Method: OPTIONS",
        b"X-Rewrite-Url: /healthz",
        b"X-Envoy-Original-Path: /healthz",
        b"X-Api-Key-Error: unavailable",
        b"User-Agent: kube-probe/1.30",
        b"User-Agent:",
        b"Upgrade: h2c",
    ):
        reply, arrived = behind.get(line, target=b"/healthz?api-key=" + behind.good)
        assert not arrived, line
        assert reply.status in (400, 401), reply.data


def test_where_the_client_says_it_comes_from(behind: Behind) -> None:
    """Applications log and trust the last address, the scheme, and `Forwarded`."""
    _, (request,) = behind.get(
        b"api-key: " + behind.good,
        *(b"X-Forwarded-For: 8.8.8.8", b"X-Forwarded-Proto: https"),
        b"Forwarded: for=8.8.8.8;proto=https",
    )
    (addresses,) = request.values(b"X-Forwarded-For")
    assert addresses.rpartition(b",")[2].strip() != b"8.8.8.8"
    assert request.values(b"X-Forwarded-Proto") == [b"http"]
    assert not request.values(b"Forwarded")


# --- More than one key.


def test_two_keys(behind: Behind) -> None:
    pairs = [(one, other) for one in CARRIERS.values() for other in CARRIERS.values()]
    for one, other in pairs:
        for second in (behind.good, behind.keys["second"].encode(), b"garbage"):
            reply, arrived = behind.get(one + behind.good, other + second)
            assert not arrived, (one, other)
            assert reply.status in (400, 401), reply.data


# --- Revocation.


def test_a_revoked_key_is_refused_at_once(behind: Behind) -> None:
    for revoke in (
        behind.auth_server.admin.revoke,
        lambda key: behind.auth_server.keys("revoke", key_id(key)),
    ):
        key = behind.auth_server.admin.new()
        line = b"X-API-Key: " + key.encode()
        assert behind.get(line)[0].status == 200
        revoke(key)
        reply, arrived = behind.get(line)
        assert (reply.status, arrived) == (401, [])


def test_everything_let_in_is_counted_once(behind: Behind) -> None:
    key = behind.auth_server.admin.new()
    for _ in range(20):
        assert raw.get(behind.port, b"/secure", [b"api-key: " + key.encode()]).status == 200
    assert behind.auth_server.admin.totals()[key_id(key)] == 20
