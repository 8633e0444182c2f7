"""WebSocket routes: a good key is accepted, all else is refused before `accept`."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, WebSocket
from guarded_app import GuardedApp, raw_scope
from servers import wait_until
from starlette.websockets import WebSocketDisconnect

from fastapi_simple_security import ApiKey

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013


@pytest.fixture
def sockets(guarded: GuardedApp) -> GuardedApp:
    return add_sockets(guarded)


def add_sockets(guarded: GuardedApp) -> GuardedApp:
    security = guarded.security

    def owner_of(key: Annotated[ApiKey, Depends(security)]) -> str:
        return key.name

    @guarded.app.websocket("/socket")
    async def socket(websocket: WebSocket, key: Annotated[ApiKey, Depends(security)]) -> None:
        await websocket.accept()
        await websocket.send_json({"key": key, "id": key.id})
        await websocket.close()

    @guarded.app.websocket("/socket-by-def")
    async def by_def(websocket: WebSocket, owner: Annotated[str, Depends(owner_of)]) -> None:
        await websocket.accept()
        await websocket.send_json({"owner": owner})
        await websocket.close()

    return guarded


@pytest.mark.parametrize("how", ["header", "query"])
def test_accepted(sockets: GuardedApp, how: str) -> None:
    key = sockets.new()
    path = f"/socket?api-key={key}" if how == "query" else "/socket"
    headers = {"api-key": key} if how == "header" else {}
    with sockets.client.websocket_connect(path, headers=headers) as socket:
        assert socket.receive_json() == {"key": key, "id": key[4:15]}
    assert sockets.log_of(key)["total_queries"] == 1


def test_through_a_dependency_by_def(sockets: GuardedApp) -> None:
    key = sockets.new("bob")
    with sockets.client.websocket_connect("/socket-by-def", headers={"api-key": key}) as socket:
        assert socket.receive_json() == {"owner": "bob"}


def test_one_good_key_is_enough(sockets: GuardedApp) -> None:
    key = sockets.new()
    for query, header in ((key, "x"), ("x", key)):
        path = f"/socket?api-key={query}"
        with sockets.client.websocket_connect(path, headers={"api-key": header}) as socket:
            assert socket.receive_json()["key"] == key


@pytest.mark.parametrize("path", ["/socket", "/socket-by-def"])
@pytest.mark.parametrize("state", ["nothing", "unknown", "revoked", "expired", "repeated"])
def test_refused_before_accept(sockets: GuardedApp, path: str, state: str) -> None:
    keys = {
        "nothing": [],
        "unknown": ["x"],
        "revoked": [sockets.new_revoked()],
        "expired": [sockets.new_expired()],
        "repeated": [sockets.new()] * 2,
    }[state]
    before = sockets.logs()
    headers = [(b"api-key", key.encode()) for key in keys]
    [message] = converse(sockets.app, headers, path)
    assert (message["type"], message["code"]) == ("websocket.close", POLICY_VIOLATION)
    assert sockets.logs() == before


@pytest.mark.parametrize("value", [b"\xff\xfe", b"\0", b"x" * 10_000])
def test_bad_bytes_are_refused_before_accept(sockets: GuardedApp, value: bytes) -> None:
    [message] = converse(sockets.app, [(b"api-key", value)])
    assert (message["type"], message["code"]) == ("websocket.close", POLICY_VIOLATION)


def test_what_a_client_sees_of_a_refusal(sockets: GuardedApp) -> None:
    with (
        pytest.raises(WebSocketDisconnect) as caught,
        sockets.client.websocket_connect("/socket", headers={"api-key": "x"}),
    ):
        pass
    assert caught.value.code == POLICY_VIOLATION


def converse(
    app: FastAPI, headers: list[tuple[bytes, bytes]], path: str = "/socket"
) -> list[dict[str, Any]]:
    """All that the app says to a client that connects."""
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        said.append(message)

    asyncio.run(app(raw_scope("websocket", path, b"", headers), receive, send))
    return said


def test_the_refusal_status_changes_nothing(guard: Callable[..., GuardedApp]) -> None:
    sockets = add_sockets(guard(refusal_status=401))
    [message] = converse(sockets.app, [(b"api-key", b"x")])
    assert (message["type"], message["code"]) == ("websocket.close", POLICY_VIOLATION)


def test_refused_while_the_store_is_gone(sockets: GuardedApp, database: Path) -> None:
    key = sockets.new()
    database.rename(database.with_name("moved-away.db"))
    # What was read before may serve until its lease ends.
    wait_until(lambda: sockets.use(key).status_code == 503, 5, "the end of the lease")
    messages = converse(sockets.app, [(b"api-key", key.encode())])
    [message] = messages
    assert (message["type"], message["code"]) == ("websocket.close", TRY_AGAIN_LATER)


def test_refused_while_settings_are_wrong(guard: Callable[..., GuardedApp]) -> None:
    sockets = add_sockets(guard(automatic_expiration=0))
    messages = converse(sockets.app, [(b"api-key", b"x" * 36)])
    [message] = messages
    assert (message["type"], message["code"]) == ("websocket.close", TRY_AGAIN_LATER)
