"""Who is let in through each proxy, and what then reaches the application."""

import pytest
import raw
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


def test_an_identity_that_is_hop_by_hop(behind: Behind) -> None:
    """A name in `Connection` is taken out on the way: it may not take out what the proxy sets."""
    _, arrived = behind.get(
        b"api-key: " + behind.good, b"Connection: X-Api-Key-Id, X-Api-Key-Name, close"
    )
    for request in arrived:
        assert request.values(b"X-Api-Key-Id") == [key_id(behind.keys["good"]).encode()]
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
