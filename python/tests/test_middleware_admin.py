"""The administrator's routes behind the middleware: with the secret alone, and nothing else is."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import middleware_app
import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.testclient import TestClient
from guarded_app import ADMIN_PATHS, NO_SECRET, NOT_PRESENTED, GuardedApp, raw_scope
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route, Router

from fastapi_simple_security import ApiKeyMiddleware, SimpleSecurity
from fastapi_simple_security._legacy.secret import LegacySecret
from fastapi_simple_security._middleware.chosen_route import admin_secret_of


@pytest.fixture
def behind(guarded: GuardedApp) -> GuardedApp:
    app = middleware_app.build_app(guarded.security)
    return dataclasses.replace(guarded, app=app, client=TestClient(app))


def refusal(client: TestClient, path: str, **headers: str) -> Any:
    answer = client.get(path, headers={name.replace("_", "-"): headers[name] for name in headers})
    assert answer.status_code == 403, (path, answer.text)
    return answer.json()["detail"]


def test_the_secret_alone_makes_the_first_key(behind: GuardedApp) -> None:
    key = behind.new("first")
    assert behind.use(key).status_code == 200
    assert behind.revoke(key).status_code == 200
    assert behind.use(key).status_code == 403
    assert behind.renew(key).status_code == 200


@pytest.mark.parametrize("path", ADMIN_PATHS)
def test_without_it_the_refusal_is_the_admin_routes(behind: GuardedApp, path: str) -> None:
    assert refusal(behind.client, path) == NO_SECRET
    wrong = behind.client.get(path, headers={"secret-key": "wrong"})
    assert wrong.json()["detail"].startswith("Wrong secret key.")
    assert wrong.headers["cache-control"] == "no-store"
    # A good key is no secret, and a wrong secret is not made good by it.
    key = behind.new()
    assert refusal(behind.client, path, api_key=key) == NO_SECRET or "api-key=" in path
    assert "secret" in refusal(behind.client, path, api_key=key, secret_key="wrong").lower()


def test_the_resource_api_behind_it_answers_as_ever(behind: GuardedApp) -> None:
    for headers, code in (({}, "not_presented"), ({"secret-key": "wrong"}, "denied")):
        answer = behind.client.get("/auth/keys", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, code)
        assert answer.headers["content-type"] == "application/problem+json"
    made = behind.client.post("/auth/keys", headers={"secret-key": behind.secret})
    assert made.status_code == 201
    behind.canaries.add(made.json()["key"])
    assert behind.use(made.json()["key"]).status_code == 200


def test_what_is_asked_about_a_key_is_no_use_of_it(behind: GuardedApp) -> None:
    key = behind.new()
    behind.renew(key)
    behind.client.get("/auth/logs", headers={"secret-key": behind.secret, "api-key": key})
    assert behind.log_of(key)["total_queries"] == 0


@pytest.mark.parametrize(
    "path", ["/secure", "/hidden", "/nowhere", "/docs", "/inner/thing", "/auth/nowhere", "/auth"]
)
def test_the_secret_opens_nothing_else(behind: GuardedApp, path: str) -> None:
    assert refusal(behind.client, path, secret_key=behind.secret) == NOT_PRESENTED
    # With a key it is let in and counted, whatever the secret is.
    key = behind.new()
    for secret in (behind.secret, "wrong"):
        answer = behind.client.get(path, headers={"secret-key": secret, "api-key": key})
        assert answer.status_code in (200, 404)
    assert behind.log_of(key)["total_queries"] == 2


def test_spellings_of_admin_paths_need_a_key(behind: GuardedApp) -> None:
    for path in ("/auth/new/", "/AUTH/new", "/auth/./new", "//auth/new", "/auth%2fnew/"):
        scope = raw_scope("http", path, b"", [(b"secret-key", behind.secret.encode())])
        scope["app"] = behind.app
        assert not admin_secret_of(scope, behind.security._engine), path


def test_another_method_is_the_admin_routes_business(behind: GuardedApp) -> None:
    answer = behind.client.post("/auth/new", headers={"secret-key": behind.secret})
    assert answer.status_code == 405
    assert behind.client.post("/auth/new").json() == {"detail": NO_SECRET}


def test_a_route_before_it_with_the_same_path_is_the_one_chosen(guarded: GuardedApp) -> None:
    app = FastAPI()

    @app.get("/auth/{anything}")
    async def first(anything: str) -> str:
        return anything

    @app.post("/auth/logs")
    async def other_method() -> str:
        return "full match"

    app.include_router(guarded.security.legacy_router, prefix="/auth")
    app.include_router(guarded.security.admin_router, prefix="/auth")
    app.add_middleware(ApiKeyMiddleware, security=guarded.security)
    client = TestClient(app)
    assert refusal(client, "/auth/new", secret_key=guarded.secret) == NOT_PRESENTED
    answer = client.post("/auth/logs", headers={"secret-key": guarded.secret})
    assert answer.json() == {"detail": NOT_PRESENTED}


def reachable(app: Any, path: str, guarded: GuardedApp, **more: Any) -> bool:
    answer = TestClient(app, **more).get(path, headers={"secret-key": guarded.secret})
    assert answer.status_code == 200 or answer.json() == {"detail": NOT_PRESENTED}, answer.text
    return answer.status_code == 200


def nested(security: SimpleSecurity) -> tuple[Any, str]:
    inner = APIRouter(prefix="/inner")
    inner.include_router(security.legacy_router, prefix="/keys")
    inner.include_router(security.admin_router, prefix="/keys")
    outer = APIRouter()

    @outer.get("/outer/inner/keys/logs/more")
    async def more() -> None: ...

    outer.include_router(inner, prefix="/outer")
    app = FastAPI()
    app.include_router(outer, prefix="/v1")
    return app, "/v1/outer/inner/keys/logs"


def mounted(security: SimpleSecurity) -> tuple[Any, str]:
    inner, path = nested(security)
    app = FastAPI()
    app.mount("/mounted", inner)
    return app, f"/mounted{path}"


def mounted_in_a_router(security: SimpleSecurity) -> tuple[Any, str]:
    inner, path = nested(security)
    router = APIRouter()
    router.mount("/mounted", inner)
    app = FastAPI()
    app.include_router(router)
    app.router.routes.append(Mount("/more", routes=[Mount("/mounted", app=inner)]))
    return app, f"/more/mounted{path}"


def in_starlette(security: SimpleSecurity) -> tuple[Any, str]:
    inner, path = nested(security)
    return Starlette(routes=[Mount("/a", routes=[Mount("/b", app=inner)])]), f"/a/b{path}"


def by_host(security: SimpleSecurity) -> tuple[Any, str]:
    inner, path = nested(security)
    return Starlette(routes=[Host("testserver", app=inner)]), path


def added_later(security: SimpleSecurity) -> tuple[Any, str]:
    """A router of one's own that asks for the same secret."""
    router = APIRouter(dependencies=[Depends(LegacySecret(security._engine))])

    @router.get("/report")
    async def report() -> str:
        return "for administrators"

    app = FastAPI()
    app.include_router(router, prefix="/later")
    return app, "/later/report"


@pytest.mark.parametrize(
    "place", [nested, mounted, mounted_in_a_router, in_starlette, by_host, added_later]
)
def test_where_the_routes_may_be(
    guarded: GuardedApp, place: Callable[[SimpleSecurity], tuple[Any, str]]
) -> None:
    app, path = place(guarded.security)
    app.add_middleware(ApiKeyMiddleware, security=guarded.security)
    assert reachable(app, path, guarded)
    answer = TestClient(app).get(path)
    assert answer.json() == {"detail": NO_SECRET}
    assert not reachable(app, f"{path}/more", guarded)


def test_under_a_root_path(guarded: GuardedApp) -> None:
    app = FastAPI()
    app.root_path = "/api"
    app.include_router(guarded.security.legacy_router, prefix="/auth")
    app.include_router(guarded.security.admin_router, prefix="/auth")
    app.add_middleware(ApiKeyMiddleware, security=guarded.security)
    assert reachable(app, "/auth/logs", guarded)
    assert reachable(app, "/api/auth/logs", guarded)


def test_another_instances_routes_are_not_ours(guarded: GuardedApp, database: Path) -> None:
    other = SimpleSecurity(secret=guarded.secret, db_location=database.with_name("other.db"))
    app = FastAPI()
    app.include_router(other.legacy_router, prefix="/other")
    app.include_router(other.admin_router, prefix="/other")
    app.add_middleware(ApiKeyMiddleware, security=guarded.security)
    assert not reachable(app, "/other/logs", guarded)
    other.close()


def test_a_good_secret_that_cannot_be_checked_is_503(
    guard: Callable[..., GuardedApp],
) -> None:
    guarded = guard(automatic_expiration=0)
    client = TestClient(middleware_app.build_app(guarded.security))
    for path in (*ADMIN_PATHS, "/secure"):
        assert client.get(path, headers={"secret-key": guarded.secret}).status_code == 503


class Failing(Router):
    """As a FastAPI of another time may be."""

    @property
    def routes(self) -> Any:
        raise RuntimeError("no such thing")

    @routes.setter
    def routes(self, _: Any) -> None: ...


def test_what_is_not_understood_is_not_an_admin_route(guarded: GuardedApp) -> None:
    engine = guarded.security._engine
    good = raw_scope("http", "/auth/logs", b"", ())
    assert admin_secret_of({**good, "app": guarded.app}, engine)
    assert not admin_secret_of(good, engine)
    assert not admin_secret_of({**good, "app": object()}, engine)
    assert not admin_secret_of({**good, "app": Failing()}, engine)
    # Where the app has chosen already, its routes say nothing of what comes next.
    assert not admin_secret_of({**good, "app": guarded.app, "router": guarded.app.router}, engine)
    for missing in ("path", "method", "type"):
        scope = {name: value for name, value in good.items() if name != missing}
        assert not admin_secret_of({**scope, "app": guarded.app}, engine)
    assert not admin_secret_of({**good, "type": "websocket", "app": guarded.app}, engine)


def test_below_a_mount_the_outer_apps_admin_paths_are_not_its_own(guarded: GuardedApp) -> None:
    """A mount with the middleware, whose app has a path that is the administrator's outside."""

    def secret_of_the_house(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("let in")

    guard_it = Middleware(ApiKeyMiddleware, security=guarded.security)  # type: ignore[arg-type]
    routes = [Route("/auth/logs", secret_of_the_house)]
    app = guarded.app
    app.router.routes.append(Mount("/below", routes=routes, middleware=[guard_it]))
    assert not reachable(app, "/below/auth/logs", guarded)


def test_choosing_leaves_no_trace_in_the_request(guarded: GuardedApp) -> None:
    scope = {**raw_scope("http", "/auth/logs", b"", ()), "app": guarded.app}
    before = dict(scope)
    assert admin_secret_of(scope, guarded.security._engine)
    assert scope == before
