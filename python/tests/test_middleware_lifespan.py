"""The middleware opens when an app starts, and closes before it says that it has stopped."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import middleware_app
import pytest
import servers
from fastapi import FastAPI
from fastapi.testclient import TestClient
from guarded_app import GuardedApp

from fastapi_simple_security import ApiKeyMiddleware, ConfigurationError, SimpleSecurity


async def lifespan_of(app: Any, opened: Callable[[], bool]) -> list[tuple[str, bool]]:
    """What the app says while it starts and stops, and whether the engine was open then."""
    to_app = ["lifespan.startup", "lifespan.shutdown"]
    said = []

    async def receive() -> Any:
        return {"type": to_app.pop(0)}

    async def send(message: Any) -> None:
        said.append((message["type"], opened()))

    await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)
    return said


@pytest.mark.parametrize("with_router", [False, True])
def test_open_while_the_app_runs(environment: pytest.MonkeyPatch, with_router: bool) -> None:
    security = SimpleSecurity()
    app = FastAPI()
    app.add_middleware(ApiKeyMiddleware, security=security)
    if with_router:
        app.include_router(security.legacy_router)
        app.include_router(security.admin_router)
    for _ in range(2):
        app.middleware_stack = None
        assert asyncio.run(lifespan_of(app, lambda: security._engine.is_open)) == [
            ("lifespan.startup.complete", True),
            ("lifespan.shutdown.complete", False),
        ]


def test_open_before_the_apps_own_start(guard: Callable[..., GuardedApp]) -> None:
    security = guard().security
    seen = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        seen.append(security._engine.is_open)
        await send({"type": "lifespan.startup.failed", "message": "not today"})

    app = ApiKeyMiddleware(inside, security=security)
    said = asyncio.run(lifespan_of(app, lambda: security._engine.is_open))
    assert seen == [True]
    assert said == [("lifespan.startup.failed", False)]


def test_a_wrong_setting_stops_the_start(guard: Callable[..., GuardedApp]) -> None:
    """It is told to the server, and raised."""
    app = FastAPI()
    app.add_middleware(ApiKeyMiddleware, security=guard(automatic_expiration=0).security)
    said: list[Any] = []
    with pytest.raises(ConfigurationError, match="automatic_expiration"):
        middleware_app.start(app, said)
    [message] = said
    assert message["type"] == "lifespan.startup.failed"
    assert message["message"].startswith("automatic_expiration: ")


def test_the_counts_are_written_at_the_end(guard: Callable[..., GuardedApp]) -> None:
    guarded = guard()
    app = FastAPI()
    app.add_middleware(ApiKeyMiddleware, security=guarded.security, open_paths=[])
    with TestClient(app) as client:
        key = guarded.new()
        assert client.get("/nowhere", headers={"api-key": key}).status_code == 404
    assert servers.stored_totals(guarded_database(guarded)) == {key[4:15]: 1}


def guarded_database(_guarded: GuardedApp) -> Path:
    import os

    return Path(os.environ["FASTAPI_SIMPLE_SECURITY_DB_LOCATION"])


def test_build_does_not_open(environment: pytest.MonkeyPatch, database: Path) -> None:
    app = middleware_app.build_app(SimpleSecurity())
    app.middleware_stack = app.build_middleware_stack()
    assert not database.exists()
