"""Every door of an app, asked without a credential: open are those of a list, and no others."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import middleware_app
import pytest
from fastapi import FastAPI, routing
from guarded_app import GuardedApp, raw_scope
from starlette.routing import Mount

LIST = Path(__file__).parents[2] / "tests" / "vectors" / "open_routes.json"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "X")
# What no route has, files, and what is below a mount.
MORE = ("/nowhere", "/static/guarded_app.py", "/static/", "/inner/nowhere", "/auth/new/", "/")


def doors(routes: Any, prefix: str = "") -> Iterator[str]:
    """The paths of all routes: included, mounted and hidden ones, and WebSockets."""
    apart = getattr(routing, "iter_route_contexts", iter)
    for route in apart(list(routes)):
        if isinstance(getattr(route, "original_route", route), Mount):
            mount = getattr(route, "original_route", route)
            yield from doors(mount.routes, prefix + mount.path)
        else:
            yield prefix + route.path.replace("{item}", "thing")


def answers(app: FastAPI, path: str) -> Iterator[int]:
    """To each method, and to a WebSocket; a close code stands for itself."""
    for kind, method in [*(("http", method) for method in METHODS), ("websocket", "GET")]:
        scope = {**raw_scope(kind, path, b"", ()), "method": method}
        yield asyncio.run(first_word(app, scope))


async def first_word(app: FastAPI, scope: dict[str, Any]) -> int:
    said: list[dict[str, Any]] = []

    async def receive() -> Any:
        if scope["type"] == "websocket":
            return {"type": "websocket.connect"}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    code: int = said[0].get("status", said[0].get("code", 101))
    return code


def opened(app: FastAPI) -> list[str]:
    """The paths that are answered without a credential, by anything but a refusal."""
    paths = {*doors(app.routes), *MORE}
    refused = {401, 403, 1008}
    return sorted(path for path in paths if set(answers(app, path)) - refused)


def listed(face: str) -> list[str]:
    paths: list[str] = json.loads(LIST.read_text())[face]
    return paths


def test_the_doors_are_all_there(guard: Callable[..., GuardedApp]) -> None:
    found = set(doors(middleware_app.build_app(guard().security).routes))
    assert found >= {"/secure", "/hidden", "/health", "/docs", "/openapi.json", "/redoc", "/socket"}
    assert found >= {"/auth/new", "/auth/logs", "/inner/thing", "/inner/docs", "/items/thing"}


def test_behind_the_middleware(guard: Callable[..., GuardedApp]) -> None:
    assert opened(middleware_app.build_app(guard().security)) == listed("middleware")


def test_with_no_open_path_nothing_is_open(guard: Callable[..., GuardedApp]) -> None:
    assert opened(middleware_app.build_app(guard().security, ())) == []


@pytest.mark.parametrize("face", ["fastapi"])
def test_with_the_dependency(guarded: GuardedApp, face: str) -> None:
    """Here a route that has no dependency is open; a path or method that none has is nobody's."""
    by_get = {
        path: asyncio.run(first_word(guarded.app, raw_scope("http", path, b"", ())))
        for path in doors(guarded.app.routes)
    }
    assert sorted(path for path, status in by_get.items() if status != 403) == listed(face)
