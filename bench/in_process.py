"""What the dependency and the middleware add to a request of FastAPI, in process: no server.

Four apps that differ in nothing but the dependency of one route, or a middleware, are called in
turn, in rounds. The cost that each adds is the difference to the plain route of the same round.
Reported are medians over the rounds; the ratio of the two dependencies' added costs, which must be
at most 2; and what the middleware adds, which must be at most 4 % of the plain route.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import Depends, FastAPI

from fastapi_simple_security import ApiKeyMiddleware, SimpleSecurity, _core

ROUNDS = 200
REQUESTS = 100
BOUND = 2.0
MIDDLEWARE_BOUND = 0.04


async def nothing() -> None:
    """The cheapest dependency there is."""


def app_with(security: SimpleSecurity, dependency: Callable[..., Any] | None) -> FastAPI:
    """An app with one route, and behind it the routes that all three have."""
    app = FastAPI()

    @app.get("/", dependencies=[Depends(dependency)] if dependency else [])
    async def route() -> dict[str, str]:
        return {"message": "hello"}

    app.include_router(security.router, prefix="/auth")
    return app


async def request(app: FastAPI, key: bytes) -> None:
    """One request, as a server would hand it to the app."""
    scope: MutableMapping[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"localhost:8080"),
            (b"accept", b"*/*"),
            (b"accept-encoding", b"gzip, deflate"),
            (b"user-agent", b"bench"),
            (b"connection", b"keep-alive"),
            (b"api-key", key),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message.get("status", 200) != 200:
            raise RuntimeError(f"the request was answered {message['status']}")

    await app(scope, receive, send)


async def microseconds(run: Callable[[], Awaitable[None]]) -> float:
    """What one request takes, over a round."""
    begun = time.perf_counter()
    for _ in range(REQUESTS):
        await run()
    return (time.perf_counter() - begun) / REQUESTS * 1e6


async def main() -> None:
    """Measures, prints, and fails when the bound is broken."""
    with tempfile.TemporaryDirectory() as folder:
        secret = "only for this measurement"  # noqa: S105
        security = SimpleSecurity(secret=secret, db_location=os.path.join(folder, "keys.db"))
        security.open()
        keys = _core.Keys(security._engine)
        key = str(keys.issue("bench", never_expires=True)[1]).encode()
        apps = [app_with(security, each) for each in (None, nothing, security, None)]
        apps[3].add_middleware(ApiKeyMiddleware, security=security)
        for app in apps:
            await microseconds(lambda app=app: request(app, key))
        rounds = []
        for _ in range(ROUNDS):
            rounds.append([await microseconds(lambda app=app: request(app, key)) for app in apps])
        counted = keys.logs()[0][6]
        security.close()
    plain, empty, ours, guarded = (
        statistics.median(column) for column in zip(*rounds, strict=True)
    )
    empty_added = statistics.median(each[1] - each[0] for each in rounds)
    ours_added = statistics.median(each[2] - each[0] for each in rounds)
    guarded_added = statistics.median(each[3] - each[0] for each in rounds)
    ratio, share = ours_added / empty_added, guarded_added / plain
    print(f"plain route             {plain:7.2f} µs")
    print(f"one empty dependency    {empty:7.2f} µs   adds {empty_added:6.2f} µs")
    print(f"ours as dependency      {ours:7.2f} µs   adds {ours_added:6.2f} µs")
    print(f"ours as middleware      {guarded:7.2f} µs   adds {guarded_added:6.2f} µs")
    print(f"ours / one empty dependency: {ratio:.2f} (at most {BOUND:g})")
    print(f"middleware / plain route: {share:.3f} (at most {MIDDLEWARE_BOUND:g})")
    answered = 2 * (ROUNDS + 1) * REQUESTS
    print(f"counted / answered: {counted} / {answered}")
    if ratio > BOUND or share > MIDDLEWARE_BOUND or counted != answered:
        sys.exit(1)


asyncio.run(main())
