"""The route class checks the key before anything of the body is read, and once."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from guarded_app import DENIED, NOT_PRESENTED, GuardedApp, raw_scope
from starlette.websockets import WebSocketDisconnect

from fastapi_simple_security import (
    ApiKey,
    ApiKeyMiddleware,
    SimpleSecurity,
    api_key_security,
)

LARGE = 50_000_000


def protected_router(security: SimpleSecurity) -> APIRouter:
    """Routes as the documentation shows them."""
    router = APIRouter(route_class=security.route_class, dependencies=[Depends(security)])

    @router.post("/json")
    async def json(body: Annotated[dict[str, Any], Body()]) -> int:
        return len(body)

    @router.post("/whoami")
    async def whoami(
        body: Annotated[dict[str, Any], Body()], key: Annotated[ApiKey, Depends(security)]
    ) -> str:
        return key.id

    @router.websocket("/socket")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    return router


@pytest.fixture
def app(guarded: GuardedApp) -> FastAPI:
    """With routes of the class, included and nested, and one by `Depends` alone."""
    guarded.app.include_router(protected_router(guarded.security))
    nested = APIRouter()
    nested.include_router(protected_router(guarded.security), prefix="/inner")
    guarded.app.include_router(nested, prefix="/outer")

    @guarded.app.post("/by-dependency", dependencies=[Depends(guarded.security)])
    async def by_dependency(body: Annotated[dict[str, Any], Body()]) -> int:
        return len(body)

    return guarded.app


PATHS = ["/json", "/whoami", "/outer/inner/json", "/outer/inner/whoami"]


def status_and_messages_read(app: FastAPI, path: str, key: str | None) -> tuple[int, int]:
    """The status of a POST with a large body, and how often the app asked for a part of it."""
    headers = [(b"content-length", str(LARGE).encode()), (b"content-type", b"application/json")]
    if key is not None:
        headers.append((b"api-key", key.encode()))
    statuses, reads = [], 0

    async def receive() -> dict[str, Any]:
        nonlocal reads
        reads += 1
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    asyncio.run(app({**raw_scope("http", path, b"", headers), "method": "POST"}, receive, send))
    return statuses[0], reads


@pytest.mark.parametrize("path", PATHS)
def test_no_body_is_read_without_a_good_key(app: FastAPI, guarded: GuardedApp, path: str) -> None:
    for key in (None, "no key", guarded.new_revoked(), guarded.new_expired()):
        assert status_and_messages_read(app, path, key) == (403, 0)
    assert status_and_messages_read(app, path, guarded.new()) == (200, 1)


def test_the_dependency_alone_is_checked_after_the_body(app: FastAPI) -> None:
    """As the documentation says. If FastAPI changes that, it is to be said no more."""
    assert status_and_messages_read(app, "/by-dependency", None) == (403, 1)
    headers = {"content-type": "application/json"}
    client = TestClient(app)
    assert client.post("/by-dependency", content="no JSON", headers=headers).status_code == 422
    assert client.post("/json", content="no JSON", headers=headers).status_code == 403


@pytest.mark.parametrize("path", ["/whoami", "/outer/inner/whoami"])
@pytest.mark.parametrize("middleware", [False, True])
def test_a_request_counts_once(
    app: FastAPI, guarded: GuardedApp, path: str, middleware: bool
) -> None:
    """Also with the middleware, and with the dependency at the router and at a parameter."""
    if middleware:
        app.add_middleware(ApiKeyMiddleware, security=guarded.security)
    key = guarded.new()
    for _ in range(3):
        answer = guarded.client.post(path, json={}, headers={"api-key": key})
        assert (answer.status_code, answer.json()) == (200, key[4:15])
    assert guarded.log_of(key)["total_queries"] == 3


@pytest.mark.parametrize("status", [403, 401])
def test_it_answers_as_the_dependency_does(guard: Callable[..., GuardedApp], status: Any) -> None:
    guarded = guard(refusal_status=status)
    guarded.app.include_router(protected_router(guarded.security))
    guarded.app.get("/by-dependency", dependencies=[Depends(guarded.security)])(lambda: None)
    for headers in ({}, {"api-key": "no key"}, [("api-key", "a"), ("api-key", "b")]):
        expected = guarded.client.get("/by-dependency", headers=headers)
        answer = guarded.client.post("/json", json={}, headers=headers)
        assert answer.status_code == expected.status_code == status
        assert answer.content == expected.content
        assert answer.headers == expected.headers


def test_it_fails_closed(guard: Callable[..., GuardedApp], tmp_path: Path) -> None:
    guarded = guard(db_location=tmp_path / "missing" / "keys.db")
    guarded.app.include_router(protected_router(guarded.security))
    answer = guarded.client.post("/json", json={}, headers={"api-key": "a key"})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert status_and_messages_read(guarded.app, "/json", "a key") == (503, 0)


def test_the_dependency_can_be_replaced(app: FastAPI, guarded: GuardedApp) -> None:
    async def replacement() -> Any:
        class Key:
            id = "replaced"

        return Key

    app.dependency_overrides[guarded.security] = replacement
    for path in ("/whoami", "/outer/inner/whoami"):
        answer = guarded.client.post(path, json={})
        assert (answer.status_code, answer.json()) == (200, "replaced")
    app.dependency_overrides.clear()
    assert guarded.client.post("/whoami", json={}).status_code == 403


def test_another_instance_is_not_replaced(app: FastAPI, guarded: GuardedApp) -> None:
    app.dependency_overrides[api_key_security] = lambda: None
    assert guarded.client.post("/whoami", json={}).status_code == 403


def test_the_class_alone_protects_and_is_documented(guarded: GuardedApp) -> None:
    """Without `Depends`; an app's own routes and those of a router that it includes."""
    app = guarded.app
    router = APIRouter(route_class=guarded.security.route_class)
    router.get("/of-a-router")(lambda: "protected")
    app.include_router(router)
    app.router.route_class = guarded.security.route_class
    app.get("/of-the-app")(lambda: "protected")
    key = guarded.new()
    document = app.openapi()
    for path in ("/of-a-router", "/of-the-app"):
        assert guarded.client.get(path).json() == {"detail": NOT_PRESENTED}
        assert guarded.client.get(path, headers={"api-key": "x"}).json() == {"detail": DENIED}
        assert guarded.client.get(path, headers={"api-key": key}).json() == "protected"
        assert document["paths"][path]["get"]["security"] == [
            {"API key header": []},
            {"API key query": []},
        ]


def test_it_is_one_class_that_can_be_extended(guarded: GuardedApp) -> None:
    class Own(guarded.security.route_class):  # type: ignore[name-defined, misc]
        pass

    assert guarded.security.route_class is guarded.security.route_class
    router = APIRouter(route_class=Own)
    router.get("/own")(lambda: "protected")
    guarded.app.include_router(router)
    assert guarded.client.get("/own").status_code == 403


def test_an_included_router_keeps_its_own_class(guarded: GuardedApp) -> None:
    """As the documentation says: the routes of the administrator among others."""
    outer, inner = APIRouter(route_class=guarded.security.route_class), APIRouter()
    inner.get("/inner")(lambda: "public")
    outer.include_router(inner)
    guarded.app.include_router(outer)
    assert guarded.client.get("/inner").json() == "public"


def test_the_dependency_protects_the_web_sockets(app: FastAPI, guarded: GuardedApp) -> None:
    for path in ("/socket", "/outer/inner/socket"):
        with pytest.raises(WebSocketDisconnect), guarded.client.websocket_connect(path):
            pass
        with guarded.client.websocket_connect(path, headers={"api-key": guarded.new()}):
            pass
