"""The middleware: what it lets in, what it leaves in the request, how it refuses."""

import asyncio
import dataclasses
import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import CoroutineType
from typing import Annotated, Any

import asgi_client
import middleware_app
import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from guarded_app import DENIED, NO_SECRET, NOT_PRESENTED, REPEATED, GuardedApp, raw_scope
from servers import wait_until
from starlette.middleware.cors import CORSMiddleware
from starlette.websockets import WebSocketDisconnect

from fastapi_simple_security import ApiKey, ApiKeyMiddleware, SimpleSecurity


@pytest.fixture
def behind(guard: Callable[..., GuardedApp]) -> Callable[..., GuardedApp]:
    """Makes an app behind the middleware, with an instance of its own."""

    def make(open_paths: Any = ("/health",), **settings: Any) -> GuardedApp:
        guarded = guard(**settings)
        app = middleware_app.build_app(guarded.security, open_paths)
        return dataclasses.replace(guarded, app=app, client=TestClient(app))

    return make


def test_a_good_key_is_let_in_and_in_the_state(behind: Callable[..., GuardedApp]) -> None:
    app = behind()
    key = app.new("alice")
    expected = {"key": key, "id": key[4:15], "name": "alice"}
    for path in ("/secure", "/hidden", "/inner/thing"):
        assert app.use(key, path).json() == expected
    assert app.client.get("/secure", params={"api-key": key}).json() == expected
    assert app.log_of(key)["total_queries"] == 4


def test_refused_as_the_dependency_does(
    behind: Callable[..., GuardedApp], guarded: GuardedApp
) -> None:
    app = behind()
    for parameters, headers, detail in (
        ({}, {}, NOT_PRESENTED),
        ({"api-key": "x"}, {}, DENIED),
        ({}, {"api-key": app.new_revoked()}, DENIED),
        ({}, {"api-key": app.new_expired()}, DENIED),
        ({"api-key": ["x", "x"]}, {}, REPEATED),
    ):
        answers = [
            client.get("/secure", params=parameters, headers=headers)
            for client in (app.client, guarded.client)
        ]
        assert answers[0].json() == {"detail": detail}
        assert [each.content for each in answers] == [answers[1].content] * 2
        assert answers[0].headers == answers[1].headers
        assert answers[0].status_code == answers[1].status_code == 403


def test_the_refusal_status(behind: Callable[..., GuardedApp]) -> None:
    answer = behind(refusal_status=401).client.get("/secure")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "APIKey")
    assert answer.json() == {"detail": NOT_PRESENTED}


@pytest.mark.parametrize("method", middleware_app.METHODS)
def test_every_method(behind: Callable[..., GuardedApp], method: str) -> None:
    app = behind()
    key = app.new()
    for path in ("/every", "/nowhere"):
        assert app.client.request(method, path).status_code == 403
    assert app.client.request(method, "/every", headers={"api-key": key}).status_code == 200
    assert app.client.request(method, "/nowhere", headers={"api-key": key}).status_code == 404


def test_unavailable(behind: Callable[..., GuardedApp], database: Path) -> None:
    app = behind()
    key = app.new()
    database.rename(database.with_name("moved-away.db"))
    # What was read before may serve until its lease ends.
    wait_until(lambda: app.use(key).status_code == 503, 5, "the end of the lease")
    answer = app.use(key)
    assert answer.json() == {"detail": "The store of the API keys is unavailable"}
    assert (answer.headers["retry-after"], answer.headers["cache-control"]) == ("1", "no-store")
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        app.client.websocket_connect("/socket", headers={"api-key": key}),
    ):
        raise AssertionError("accepted")
    assert refused.value.code == 1013
    # An open path does not need the store.
    assert app.use(key, "/health").status_code == 200


def test_web_sockets(behind: Callable[..., GuardedApp]) -> None:
    app = behind()
    key = app.new("bob")
    for path, headers in (("/socket", {"api-key": key}), (f"/socket?api-key={key}", {})):
        with app.client.websocket_connect(path, headers=headers) as socket:
            assert socket.receive_json() == {"key": key, "id": key[4:15], "name": "bob"}
    for path in ("/socket", "/nowhere", "/socket?api-key=x"):
        said = asyncio.run(converse(app.app, raw_scope("websocket", *path.partition("?")[::2], ())))
        [message] = said
        assert (message["type"], message["code"]) == ("websocket.close", 1008)
        assert message["reason"] in (NOT_PRESENTED, DENIED)
    assert app.log_of(key)["total_queries"] == 2


async def converse(app: Any, scope: dict[str, Any]) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = []
    if isinstance(scope["query_string"], str):
        scope["query_string"] = scope["query_string"].encode()

    async def receive() -> Any:
        raise AssertionError("nothing is read before the check")

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    return said


def test_no_body_is_read_before_the_check(behind: Callable[..., GuardedApp]) -> None:
    app = behind()
    scope = {**raw_scope("http", "/secure", b"", ()), "method": "POST"}
    said = asyncio.run(converse(app.app, scope))
    assert said[0]["status"] == 403


def test_another_kind_of_scope_is_refused(behind: Callable[..., GuardedApp]) -> None:
    async def inside(*_: Any) -> None:
        raise AssertionError("let in")

    middleware = ApiKeyMiddleware(inside, security=behind().security)
    for scope in ({"type": "other"}, {"type": "other", "headers": []}):
        with pytest.raises(Exception, match=NOT_PRESENTED):
            asyncio.run(converse(middleware, {"query_string": b"", **scope}))


def test_with_the_dependency_inside_it_is_counted_once(behind: Callable[..., GuardedApp]) -> None:
    app = behind()
    app.app.add_middleware(ApiKeyMiddleware, security=app.security)
    inner = FastAPI(dependencies=[Depends(app.security)])
    inner.add_middleware(ApiKeyMiddleware, security=app.security)

    @inner.get("/thing")
    async def thing(
        request: Request, key: Annotated[ApiKey, Depends(app.security)]
    ) -> dict[str, str]:
        assert request.state.api_key == key
        return middleware_app.facts(key)

    app.app.mount("/twice", inner)
    key = app.new("carol")
    expected = {"key": key, "id": key[4:15], "name": "carol"}
    assert app.use(key, "/twice/thing").json() == expected
    assert app.log_of(key)["total_queries"] == 1
    # A header for administrators makes no difference.
    headers = {"api-key": key, "secret-key": "x"}
    assert app.client.get("/twice/thing", headers=headers).json() == expected
    assert app.log_of(key)["total_queries"] == 2


def test_two_instances_ask_each_for_itself(
    behind: Callable[..., GuardedApp], database: Path
) -> None:
    one, other = behind(), behind(db_location=database.with_name("other.db"))
    one.app.add_middleware(ApiKeyMiddleware, security=other.security)
    key = str(one.security.keys.issue(expires_at=None).key)
    assert one.use(key).status_code == 403


def test_a_state_that_requests_share_does_not_get_the_key(
    behind: Callable[..., GuardedApp],
) -> None:
    app = behind()
    key = app.new()
    shared: dict[str, Any] = {"pool": object()}
    seen = []

    async def inside(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["state"])

    middleware = ApiKeyMiddleware(inside, security=app.security)
    for headers in (
        [(b"api-key", key.encode())],
        [(b"api-key", key.encode()), (b"secret-key", b"x")],
    ):
        scope = raw_scope("http", "/secure", b"", headers)
        scope["state"] = shared
        asyncio.run(converse(middleware, scope))
    assert shared.keys() == {"pool"}
    assert [(state["api_key"], state["pool"]) for state in seen] == [(key, shared["pool"])] * 2
    scope = raw_scope("http", "/secure", b"", headers)
    del scope["state"]
    asyncio.run(converse(middleware, scope))
    assert seen[-1] == {"api_key": key}


def test_a_hit_is_the_call_of_the_app_itself(behind: Callable[..., GuardedApp]) -> None:
    """No coroutine between, no thread, no wait."""
    app = behind()
    key = app.new().encode()
    called = []

    async def inside(scope: Any, *_: Any) -> None:
        called.append(scope)

    middleware = ApiKeyMiddleware(inside, security=app.security)

    def call() -> Any:
        return middleware(raw_scope("http", "/", b"", [(b"api-key", key)]), None, None)  # type: ignore[arg-type]

    asyncio.run(call())
    hit: CoroutineType[Any, Any, None] = call()
    assert hit.cr_code is inside.__code__
    with pytest.raises(StopIteration):
        hit.send(None)
    assert len(called) == 2


def test_opening_does_not_hold_the_event_loop(
    environment: pytest.MonkeyPatch, canaries: set[str]
) -> None:
    security = SimpleSecurity()
    threads: list[str] = []
    engine = security._engine

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def open(self) -> None:
            import threading

            threads.append(threading.current_thread().name)
            engine.open()

    app = middleware_app.build_app(security)
    middleware = ApiKeyMiddleware(app, security=security)
    middleware._engine = Watched()  # type: ignore[assignment]
    assert asgi_client.get(middleware, "/secure") == 403
    assert threads
    assert "MainThread" not in threads
    security.close()


def test_servers_take_it_for_a_coroutine_function() -> None:
    """uvicorn asks so, of the app that it is handed (`uvicorn.config.Config.load`)."""
    assert asyncio.iscoroutinefunction(ApiKeyMiddleware.__call__) or inspect.iscoroutinefunction(
        ApiKeyMiddleware.__call__
    )


def test_cors_added_last_answers_before_the_key_is_asked(
    behind: Callable[..., GuardedApp],
) -> None:
    app = behind()
    app.app.add_middleware(CORSMiddleware, allow_origins=["https://a.example"])
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    preflight = app.client.options("/secure", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "https://a.example"
    refused = app.client.get("/secure", headers={"Origin": "https://a.example"})
    assert refused.status_code == 403
    assert refused.headers["access-control-allow-origin"] == "https://a.example"
    # OPTIONS that is no preflight gets no further.
    assert app.client.options("/secure").status_code == 403


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_on_asyncio_and_on_trio(behind: Callable[..., GuardedApp], backend: Any) -> None:
    if backend == "trio":
        pytest.importorskip("trio")
    app = behind()
    with TestClient(app.app, backend=backend) as client:
        secret = {"secret-key": app.secret}
        key = client.get("/auth/new", headers=secret).json()
        app.canaries.add(key)
        assert client.get("/secure").status_code == 403
        assert client.get("/secure", headers={"api-key": key}).json()["key"] == key
        with client.websocket_connect("/socket", headers={"api-key": key}) as socket:
            assert socket.receive_json()["key"] == key


def test_counts_are_exact_under_many_requests_at_once(behind: Callable[..., GuardedApp]) -> None:
    app = behind()
    keys = [app.new() for _ in range(4)]
    each, threads = 250, 4

    async def many() -> None:
        async def one(number: int) -> None:
            scope = raw_scope("http", "/secure", b"", [(b"api-key", keys[number % 4].encode())])
            said: list[Any] = []

            async def receive() -> Any:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Any) -> None:
                said.append(message)

            await app.app(scope, receive, send)
            assert said[0]["status"] == 200

        await asyncio.gather(*(one(number) for number in range(each * 4)))

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(lambda: asyncio.run(many())) for _ in range(threads)]:
            done.result()
    assert [app.log_of(key)["total_queries"] for key in keys] == [each * threads] * 4


def test_the_default_instance(environment: pytest.MonkeyPatch, default: GuardedApp) -> None:
    app = FastAPI()
    app.add_middleware(ApiKeyMiddleware)
    key = default.new()
    client = TestClient(app)
    assert client.get("/docs").status_code == 403
    assert client.get("/docs", headers={"api-key": key}).status_code == 200
    assert NO_SECRET not in client.get("/docs").text
