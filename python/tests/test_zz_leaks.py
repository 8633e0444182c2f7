"""Run last: no key and no admin secret of the whole session is in any file, log or document.

Searched are the directories of all databases, with the write-ahead logs, side files and server logs
that lie in them, and what the package has logged in this process.
"""

import logging
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import pytest
import servers
import websockets.exceptions
import websockets.sync.client
from clients import Connection
from fastapi import Depends
from fastapi.testclient import TestClient
from guarded_app import GuardedApp

from fastapi_simple_security import ApiKey

# Old keys may be as short as a byte, which is in every file.
SHORTEST = 12
# The line that prints a generated secret is the one exception.
PRINTED_ONCE = b"FASTAPI_SIMPLE_SECURITY_SECRET"


@pytest.mark.parametrize("serve", [servers.uvicorn, servers.gunicorn])
def test_a_server_logs_no_key(
    serve: Callable[..., Any], database: Path, canaries: set[str]
) -> None:
    """In the query, where access logs show it, in each header, and where an endpoint fails."""
    secret = "secret-of-the-log-test"
    with serve(database, secret=secret) as server:
        admin = server.admin(secret, canaries)
        key = admin.new()
        connection: Connection = server.connect()
        assert connection.get("/secure", api_key=key).status == 200
        assert connection.get("/secure", api_key=key, other="shown").status == 200
        assert connection.get("/unsecured", other="shown", api_key=key).status == 200
        # uvicorn closes the connection of an app that raised.
        assert server.connect().get("/broken", api_key=key).status == 500
        for headers in in_each_header(key):
            assert connection.get("/secure", headers).status == 200
            assert server.connect().get("/broken", headers).status == 500
        admin.renew(key)
        admin.revoke(key)
        assert connection.get("/secure", api_key=key).status == 403
        for headers in in_each_header(key):
            assert connection.get("/secure", headers).status == 403
        admin.connection.get("/auth/logs", {"secret-key": f"{secret}-mistyped"})
        openapi = connection.get("/openapi.json").text
        server.stop()
        log = server.log()
    assert "broken on purpose" in log
    assert "Traceback" in log
    assert "other=shown" in log
    assert "/auth/revoke" in log
    assert not leaks(canaries, log.encode())
    assert not leaks(canaries, openapi.encode())


def test_a_server_logs_no_key_of_a_web_socket(database: Path, canaries: set[str]) -> None:
    """A browser cannot send headers with it, so its key is in the query."""
    secret = "secret-of-the-socket-test"
    with servers.uvicorn(database, secret=secret) as server:
        admin = server.admin(secret, canaries)
        key, revoked = admin.new(), admin.new()
        admin.revoke(revoked)
        url = f"ws://127.0.0.1:{server.port}/ws"
        with websockets.sync.client.connect(f"{url}?api-key={key}") as socket:
            assert socket.recv() == key[4:15]
        for headers in in_each_header(key):
            with websockets.sync.client.connect(url, additional_headers=headers) as socket:
                assert socket.recv() == key[4:15]
        with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
            websockets.sync.client.connect(f"{url}?api-key={revoked}")
        assert refused.value.response.status_code == 403
        server.stop()
        log = server.log()
    assert log.count("/ws?api-key=***") == 2
    assert not leaks(canaries, log.encode())


def test_a_failing_endpoint_shows_no_key(
    guarded: GuardedApp, caplog: pytest.LogCaptureFixture
) -> None:
    """logging.exception, and a traceback that shows the local variables of each frame."""
    shown: list[str] = []

    def fail(key: ApiKey) -> NoReturn:
        raise RuntimeError(f"broken on purpose for {key!r}")

    @guarded.app.get("/broken")
    async def broken(key: Annotated[ApiKey, Depends(guarded.security)]) -> None:
        try:
            fail(key)
        except RuntimeError as error:
            logging.getLogger("an.app").exception("with %r", key)
            report = traceback.TracebackException.from_exception(error, capture_locals=True)
            shown.extend(report.format())
            raise

    # The client's own log has each URL, where another test has let it.
    caplog.set_level(logging.WARNING, "httpx")
    key = guarded.new()
    client = TestClient(guarded.app, raise_server_exceptions=False)
    for headers in in_each_header(key):
        assert client.get("/broken", headers=headers).status_code == 500
    assert client.get("/broken", params={"api-key": key}).status_code == 500
    assert "".join(shown).count(" key = ") >= 4
    assert not leaks({key}, "".join(shown).encode())
    assert "broken on purpose" in caplog.text
    assert not leaks({key}, caplog.text.encode())


def test_the_openapi_document_shows_no_key(guarded: GuardedApp, canaries: set[str]) -> None:
    guarded.new()
    assert not leaks(canaries, guarded.client.get("/openapi.json").content)


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    key = "fss_" + "i" * 11 + "_" + "s" * 33 + "c" * 6
    planted = tmp_path / "planted"
    planted.write_bytes(b"\0..." + key[16:49].encode() + b"...\0")
    assert leaks({key, "another-secret"}, planted.read_bytes()) == [key]


def test_the_package_logged_no_canary(package_log: list[str], canaries: set[str]) -> None:
    assert not leaks(canaries, without_printed_secret("\n".join(package_log).encode()))


def test_no_file_holds_a_canary(database_directories: list[Path], canaries: set[str]) -> None:
    files = [path for place in database_directories for path in place.rglob("*") if path.is_file()]
    found = {
        path: leaked
        for path in files
        if (leaked := leaks(canaries, without_printed_secret(path.read_bytes())))
    }
    print(f"{len(canaries)} keys and secrets, {len(files)} files")
    assert not found


def in_each_header(key: str) -> list[dict[str, str]]:
    return [{"api-key": key}, {"X-API-Key": key}, {"Authorization": f"Bearer {key}"}]


def leaks(canaries: Iterable[str], content: bytes) -> list[str]:
    """The canaries of which the content holds the secret part."""
    long = (canary for canary in canaries if len(canary) >= SHORTEST)
    return [canary for canary in long if secret_part(canary).encode() in content]


def secret_part(canary: str) -> str:
    """A key's id is public; its 33 secret characters alone would be enough to guess the rest."""
    return canary[16:49] if canary.startswith("fss_") and len(canary) == 55 else canary


def without_printed_secret(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(line for line in lines if PRINTED_ONCE not in line)
