"""Every identity header of the server arrives through each proxy, and none of the client's does.

The server is asked which headers these are.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import proxied
import proxies
import pytest
import raw
import recorder
from proxied import Behind
from test_proxies import MARKS
from test_proxies_answers import answering


@pytest.mark.parametrize("key", ["good", "second"])
def test_every_header_is_the_servers(behind: Behind, identity: list[bytes], key: str) -> None:
    """Also of a key without name and date, and whatever the client sends."""
    told = proxied.told_of(behind.auth_server, behind.keys[key])
    assert list(told) == identity
    sent = b"X-API-Key: " + behind.keys[key].encode()
    forged = [b"%s: forged" % name for name in identity]
    for lines in ([sent], [*forged, sent], [sent, *forged], [*forged, sent, *forged]):
        reply, (request,) = behind.get(*lines)
        assert reply.status == 200, reply.data
        assert {name: request.values(name) for name in identity} == {
            name: [value] for name, value in told.items()
        }


@pytest.mark.parametrize(
    ("owner", "header"),
    [("Zoë & sons", b"Zo%C3%AB%20&%20sons"), ("🔑" * 200, b"%F0%9F%94%91" * 200), ("", b"-")],
    ids=["encoded", "longest", "none"],
)
def test_the_owner(behind: Behind, owner: str, header: bytes) -> None:
    """With a name as long, both arrive, and not what the client sends as its owner."""
    key = behind.auth_server.admin.new(owner, owner=owner).encode()
    forged = [b"X-Api-Key-Owner: forged", b"X_Api_Key_Owner: forged", b"X-Api-Key_Owner: forged"]
    reply, (request,) = behind.get(b"api-key: " + key, *forged)
    assert reply.status == 200, reply.data
    assert request.values(b"X-Api-Key-Owner") == request.values(b"X-Api-Key-Name") == [header]
    assert b"forged" not in [value for _, value in request.headers]


@pytest.mark.parametrize("size", [1_000, 15_000, 64_000])
def test_the_longest_identity_with_a_body(behind: Behind, size: int) -> None:
    """The headers are added to a request of which a part of the body is read already."""
    longest = "🔑" * 200
    key = behind.auth_server.admin.new(longest, owner=longest).encode()
    head = b"POST /secure HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % size
    behind.application.taken()
    reply = raw.send(
        behind.port, head + b"api-key: " + key + b"\r\nConnection: close\r\n\r\n" + b"x" * size
    )
    assert reply.status == 200, reply.data
    (request,) = behind.application.taken()
    assert request.values(b"X-Api-Key-Owner") == [b"%F0%9F%94%91" * 200]


@pytest.mark.parametrize("mark", [MARKS[at : at + 1] for at in range(len(MARKS))])
def test_no_other_spelling_arrives(behind: Behind, identity: list[bytes], mark: bytes) -> None:
    """With another mark in the place of one hyphen, or of all."""
    for name in identity:
        hyphens = [at for at in range(len(name)) if name[at : at + 1] == b"-"]
        forged = [name[:at] + mark + name[at + 1 :] + b": forged" for at in hyphens]
        forged.append(name.replace(b"-", mark) + b": forged")
        forged.append(name.title().replace(b"-", mark) + b": forged")
        for lines in (forged, *([line] for line in forged)):
            reply, arrived = behind.get(*lines)
            assert (reply.status in (400, 401), arrived) == (True, []), lines
            reply, arrived = behind.get(*lines, b"api-key: " + behind.good, *lines)
            assert reply.status in (200, 400), reply.data
            assert (reply.status == 200) == (len(arrived) == 1), lines
            for request in arrived:
                assert b"forged" not in [value for _, value in request.headers], request.headers


def test_the_client_removes_none(behind: Behind, identity: list[bytes]) -> None:
    """`Connection` names headers that end at the proxy: it must not name these."""
    told = proxied.told_of(behind.auth_server, behind.keys["good"])
    for name in identity:
        _, arrived = behind.get(b"api-key: " + behind.good, b"Connection: close, " + name)
        for request in arrived:
            assert [request.values(header) for header in identity] == [[v] for v in told.values()]
            assert name not in b",".join(request.values(b"Connection")).lower()


Asked = Callable[[dict[bytes, bytes]], tuple[int | None, list[recorder.Arrived]]]


@pytest.fixture(params=proxies.KINDS)
def ask(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    application: recorder.Application,
    identity: list[bytes],
) -> Iterator[Asked]:
    """A request with a forged identity, for which the auth server sends 200 and these headers: the
    status, and what reached the application."""
    with (
        socket.create_server(("127.0.0.1", 0)) as strange,
        answering(strange) as answers,
        proxies.start(request.param, tmp_path, strange.getsockname()[1], application.port) as proxy,
    ):
        forged = [b"%s: forged" % header for header in identity]

        def ask(headers: dict[bytes, bytes]) -> tuple[int | None, list[recorder.Arrived]]:
            lines = [b"%s: %s" % header for header in headers.items()]
            head = [b"HTTP/1.1 200 OK", *lines, b"Content-Length: 0", b"", b""]
            answers[:] = [b"\r\n".join(head)]
            application.taken()
            reply = raw.get(proxy.port, b"/", [b"api-key: " + b"x" * 36, *forged])
            return reply.status, application.taken()

        yield ask


def test_a_response_without_one_of_them(
    ask: Asked, identity: list[bytes], request: pytest.FixtureRequest
) -> None:
    """It is from another server. Traefik accepts it, and removes the client's header even so."""
    is_traefik = request.node.callspec.params["ask"] == "Traefik"
    told = {header: b"told-%d" % at for at, header in enumerate(identity)}
    status, (arrived,) = ask(told)
    assert status == 200
    assert {header: arrived.values(header) for header in identity} == {
        header: [value] for header, value in told.items()
    }
    for header in identity:
        others = {other: value for other, value in told.items() if other != header}
        for headers in (others, {**told, header: b""}):
            status, all_arrived = ask(headers)
            assert all(b"forged" not in one.values(header) for one in all_arrived), header
            assert is_traefik or (status, all_arrived) == (503, []), header


def test_the_longest_values(ask: Asked, identity: list[bytes]) -> None:
    """Each is as long as the longest name: 200 characters of four bytes, percent-encoded."""
    longest = b"%F0%9F%94%91" * 200
    status, arrived = ask(dict.fromkeys(identity, longest))
    assert status == 200
    assert [arrived[0].values(header) for header in identity] == [[longest]] * len(identity)
