"""The middleware on Starlette and on Litestar."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guarded_app import DENIED, NOT_PRESENTED, GuardedApp, raw_scope
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from fastapi_simple_security import ApiKeyMiddleware

HERE = Path(__file__).parent


def starlette(guarded: GuardedApp) -> Starlette:
    async def health(_request: Request) -> JSONResponse:
        return JSONResponse("open")

    def secure(request: Request) -> JSONResponse:
        return JSONResponse(request.state.api_key.id)

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(websocket.state.api_key.id)
        await websocket.close()

    options = {"security": guarded.security, "open_paths": ["/health"]}
    return Starlette(
        routes=[
            Route("/health", health),
            Route("/secure", secure),
            WebSocketRoute("/socket", socket),
            Mount("/files", StaticFiles(directory=HERE)),
            Mount("/admin", guarded.app),
        ],
        middleware=[Middleware(ApiKeyMiddleware, **options)],  # type: ignore[arg-type]
    )


def test_starlette(guarded: GuardedApp) -> None:
    with TestClient(starlette(guarded)) as client:
        admin = {"secret-key": guarded.secret}
        key = client.get("/admin/auth/new", headers=admin).json()
        guarded.canaries.add(key)
        assert client.get("/health").json() == "open"
        for path in ("/secure", "/files/guarded_app.py", "/nowhere", "/admin/unsecured"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()) == (403, {"detail": NOT_PRESENTED}), path
        good = {"api-key": key}
        assert client.get("/secure", headers=good).json() == key[4:15]
        assert client.get("/admin/secure", headers=good).json()["key"] == key
        assert client.get("/files/guarded_app.py", headers=good).status_code == 200
        with client.websocket_connect("/socket", headers=good) as socket:
            assert socket.receive_json() == key[4:15]
        with (
            pytest.raises(WebSocketDisconnect) as refused,
            client.websocket_connect("/socket", headers={"api-key": "x"}),
        ):
            raise AssertionError("accepted")
        assert (refused.value.code, refused.value.reason) == (1008, DENIED)
    assert guarded.log_of(key)["total_queries"] == 4


@pytest.fixture
def litestar(guarded: GuardedApp) -> Callable[..., Any]:
    pytest.importorskip("litestar")
    from litestar import Litestar, asgi, get, websocket
    from litestar import Request as LitestarRequest
    from litestar import WebSocket as LitestarWebSocket
    from litestar.middleware import DefineMiddleware
    from litestar.static_files import create_static_files_router

    @get("/health", sync_to_thread=False)
    def health() -> str:
        return "open"

    @get("/secure", sync_to_thread=False)
    def secure(request: LitestarRequest) -> str:  # type: ignore[type-arg]
        return str(request.state.api_key.id)

    @get("/api/health", sync_to_thread=False)
    def not_open() -> str:
        return "not open"

    @websocket("/socket")
    async def socket(socket: LitestarWebSocket) -> None:  # type: ignore[type-arg]
        await socket.accept()
        await socket.send_json(socket.state.api_key.id)
        await socket.close()

    @asgi("/mounted", is_mount=True, copy_scope=True)
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await JSONResponse("not open")(scope, receive, send)

    def make(**lifecycle: Any) -> Any:
        options = {"security": guarded.security, "open_paths": ["/health", "/health/"]}
        files = create_static_files_router(path="/files", directories=[HERE])
        return Litestar(
            [health, secure, not_open, socket, mounted, files],
            middleware=[DefineMiddleware(ApiKeyMiddleware, **options)],
            **lifecycle,
        )

    # Names of annotations that Litestar reads.
    for function in (secure.fn, socket.fn):
        function.__globals__.update(
            LitestarRequest=LitestarRequest, LitestarWebSocket=LitestarWebSocket
        )
    return make


def litestar_client(app: Any, **more: Any) -> Any:
    from litestar.testing import TestClient as LitestarClient

    return LitestarClient(app, **more)


def test_litestar(guarded: GuardedApp, litestar: Callable[..., Any]) -> None:
    key = guarded.new()
    with litestar_client(litestar()) as client:
        assert client.get("/health").text == "open"
        for path in ("/secure", "/schema", "/schema/openapi.json", "/files/guarded_app.py"):
            answer = client.get(path)
            assert (answer.status_code, answer.json()) == (403, {"detail": NOT_PRESENTED}), path
        good = {"api-key": key}
        assert client.get("/secure", headers=good).text == key[4:15]
        assert client.get("/secure", params={"api-key": key}).text == key[4:15]
        assert client.get("/schema/openapi.json", headers=good).status_code == 200
        assert client.get("/files/guarded_app.py", headers=good).status_code == 200
        with client.websocket_connect("/socket", headers=good) as socket:
            assert socket.receive_json() == key[4:15]
        assert client.get("/secure", headers={"secret-key": guarded.secret}).status_code == 403
    assert guarded.log_of(key)["total_queries"] == 5


def test_litestars_web_sockets_are_refused_before_they_are_accepted(
    litestar: Callable[..., Any],
) -> None:
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        said.append(message)

    scope = raw_scope("websocket", "/socket", b"", [(b"api-key", b"x")])
    del scope["method"]
    asyncio.run(litestar()(scope, receive, send))
    assert [(each["type"], each.get("code")) for each in said] == [("websocket.close", 1008)]


def status_of(app: Any, path: str, **more: Any) -> int:
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {**raw_scope("http", path, b"", ()), **more}
    if scope["raw_path"] is None:
        del scope["raw_path"]
    with contextlib.suppress(RuntimeError):
        asyncio.run(app(scope, receive, send))
    status: int = said[0]["status"]
    return status


@pytest.mark.parametrize("raw", [True, False])
def test_what_litestar_makes_of_a_path_opens_nothing(
    litestar: Callable[..., Any], raw: bool
) -> None:
    """It cuts mounts and its root path off, and slashes out, before middleware sees the path."""
    app = litestar()
    for path, root_path in (
        ("/mounted/health", ""),
        ("/mounted/health/", ""),
        ("/files/health", ""),
        ("/api/health", ""),
        ("/api/api/health", "/api"),
        ("/x/api/health", "/api"),
        ("//health", ""),
        ("/secure", "/health"),
    ):
        more = {"root_path": root_path, "raw_path": path.encode() if raw else None}
        assert status_of(app, path, **more) in (403, 404), (path, root_path)
    assert status_of(app, "/health") == 200
    assert status_of(app, "/api/health", root_path="/api", raw_path=b"/api/health") == 200


def test_litestar_opens_and_closes_where_it_is_told(
    guarded: GuardedApp, litestar: Callable[..., Any]
) -> None:
    security = guarded.security
    engine = security._engine
    app = litestar(on_startup=[security.open], on_shutdown=[security.close])
    with litestar_client(app):
        assert engine.is_open
    assert not engine.is_open


def test_litestar_opens_at_the_first_request_else(
    guarded: GuardedApp, litestar: Callable[..., Any]
) -> None:
    key = guarded.new()
    guarded.security.close()
    with litestar_client(litestar()) as client:
        assert not guarded.security._engine.is_open
        assert client.get("/health").status_code == 200
        assert not guarded.security._engine.is_open
        assert client.get("/secure", headers={"api-key": key}).status_code == 200
