"""What the comments of the configurations offer to copy does what they say. (That for HTTP/2 serves
the tests of HTTP/2.)"""

from __future__ import annotations

import re
from collections.abc import Iterator

import program
import proxies
import pytest
import raw
import recorder
from test_proxies import CARRIERS, CREDENTIALS, MARKS

PUBLIC = "location = /health {"


def test_no_snippet_is_overlooked() -> None:
    texts = [
        (proxies.DEPLOY / file).read_text()
        for kind in proxies.KINDS.values()
        for file in kind.files
    ]
    found = re.findall(r"^ *# +(\S.*(?:[;{]|;  #.*))$", "\n".join(texts), re.MULTILINE)
    assert found == [
        "http2 on;  # from nginx 1.25.1",
        PUBLIC,
        "proxy_pass http://application/health;",
    ]


@pytest.fixture(scope="module")
def port(
    tmp_path_factory: pytest.TempPathFactory,
    auth_server: program.Program,
    application: recorder.Application,
) -> Iterator[int]:
    """nginx with a public path."""
    folder = tmp_path_factory.mktemp("snippet")
    ports = auth_server.port, application.port
    with proxies.start("nginx", folder, *ports, proxies.with_snippet(PUBLIC)) as proxy:
        yield proxy.port


FORGED = [
    *(b"X_Api_Key_Id: forged", b"X.Api.Key.Id: forged", b"Connection: X-Api-Key-Id"),
    *(b"X-Api-Key%sId: forged" % MARKS[at : at + 1] for at in range(len(MARKS))),
]


@pytest.mark.parametrize("carrier", CARRIERS.values(), ids=CARRIERS)
def test_a_public_path(
    port: int,
    application: recorder.Application,
    proxied_keys: dict[str, str],
    identity: list[bytes],
    carrier: bytes,
) -> None:
    """Public for everyone, with no identity and no key."""
    application.taken()
    forged = [*(name + b": forged" for name in identity), *FORGED]
    for key in ([], [carrier + proxied_keys["good"].encode()]):
        upgrade = [b"Upgrade: h2c", b"Connection: Upgrade"]
        for lines in (forged, upgrade, [*upgrade, *forged]):
            assert raw.get(port, b"/health?a=1", [*lines, *key]).status == 200
            (request,) = application.taken()
            assert request.line.startswith(b"GET /health?a=1 ")
            assert b"forged" not in [value for _, value in request.headers]
            for name in (*identity, *CREDENTIALS, b"Upgrade", b"Connection"):
                assert not request.values(name), name


PATHS = [
    *(
        b"/",
        b"/secure",
        b"/health/",
        b"/health/x",
        b"/healthz",
        b"/HEALTH",
        b"//health",
        b"/health//",
    ),
    *(
        b"/health/../secure",
        b"/health/..%2fsecure",
        b"/health%2f..%2fsecure",
        b"/health/%2e%2e/secure",
    ),
    *(b"/secure/../health", b"/secure/..%2fhealth", b"/%68ealth", b"/health%3fa", b"/health;x"),
    *(
        b"/health%00",
        b"/health%2f",
        b"/./health",
        b"/health#a",
        b"http://other.example/health",
        b"*",
    ),
]


@pytest.mark.parametrize("path", PATHS)
def test_no_other_path_is_public(port: int, application: recorder.Application, path: bytes) -> None:
    application.taken()
    for method in (b"GET", b"POST"):
        head = method + b" %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path
        reply = raw.send(port, head)
        arrived = application.taken()
        assert {request.line.split(b" ")[1] for request in arrived} <= {b"/health"}, reply.data
        assert (reply.status == 200) == (len(arrived) == 1), reply.data


def test_the_other_paths_are_protected(
    port: int, application: recorder.Application, proxied_keys: dict[str, str]
) -> None:
    application.taken()
    assert raw.get(port, b"/secure").status == 401
    assert not application.taken()
    assert raw.get(port, b"/secure", [b"api-key: " + proxied_keys["good"].encode()]).status == 200
