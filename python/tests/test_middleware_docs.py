"""The documentation of an app behind the middleware asks for the key, so that Authorize works."""

import copy
from collections.abc import Callable
from typing import Any

import middleware_app
import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer
from fastapi.testclient import TestClient
from guarded_app import GuardedApp

from fastapi_simple_security import ApiKeyMiddleware, SimpleSecurity
from fastapi_simple_security._middleware import docs

BOTH = [{"API key header": []}, {"API key query": []}]
WHERE = {
    "type": "apiKey",
    "name": "api-key",
    "description": "A key is read from the query parameter `api-key` and from the header "
    "`api-key`: one good key is enough. If both are absent or empty, it is read from the header "
    "`X-API-Key`, then from `Authorization: Bearer`.",
}
SCHEMES = {
    "API key header": {**WHERE, "in": "header"},
    "API key query": {**WHERE, "in": "query"},
}


def security_of(document: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{method} {path}": operation.get("security")
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }


def guarded_app(open_paths: Any = ("/health",)) -> FastAPI:
    return middleware_app.build_app(SimpleSecurity(), open_paths)


def test_all_but_the_open_and_the_admin_operations_ask_for_a_key() -> None:
    """By `app.openapi()` alone, as a script calls it."""
    document = guarded_app().openapi()
    shown = security_of(document)
    assert shown.pop("get /health") is None
    admin = {name: shown.pop(name) for name in list(shown) if " /auth/" in name}
    assert len(admin) == 11
    assert all(security == [{"Secret header": []}] for security in admin.values())
    assert shown == {"get /secure": BOTH, "get /items/{item}": BOTH}
    schemes = document["components"]["securitySchemes"]
    assert {name: schemes[name] for name in SCHEMES} == SCHEMES


def test_it_is_done_once() -> None:
    app = guarded_app()
    first = copy.deepcopy(app.openapi())
    assert app.openapi() == first
    app.add_middleware(ApiKeyMiddleware, security=SimpleSecurity())
    assert app.openapi()["paths"]["/secure"]["get"]["security"] == BOTH
    # This other one lets nobody in without a key, at no path.
    assert app.openapi()["paths"]["/health"]["get"]["security"] == BOTH


def test_also_routes_that_are_added_later() -> None:
    app = guarded_app()
    app.openapi()

    @app.get("/later")
    async def later() -> None: ...

    app.openapi_schema = None
    assert app.openapi()["paths"]["/later"]["get"]["security"] == BOTH


def test_an_app_without_the_middleware_is_left_alone(guarded: GuardedApp) -> None:
    document = guarded.app.openapi()
    own = docs.FastAPI.openapi.completes  # type: ignore[attr-defined]
    assert own(guarded.app) is document
    assert "security" not in document["paths"]["/unsecured"]["get"]
    app = FastAPI()

    @app.get("/")
    async def index() -> None: ...

    assert "components" not in app.openapi()
    assert security_of(app.openapi()) == {"get /": None}


def test_where_the_dependency_shows_it_nothing_is_added(guarded: GuardedApp) -> None:
    before = security_of(guarded.app.openapi())
    app = guarded.app
    app.openapi_schema = None
    app.add_middleware(ApiKeyMiddleware, security=guarded.security)
    after = security_of(app.openapi())
    assert after.pop("get /unsecured") == BOTH
    assert before.pop("get /unsecured") is None
    assert after == before


def test_it_is_asked_for_beside_what_the_route_asks_for() -> None:
    app = guarded_app()

    @app.get("/bearer", dependencies=[Depends(HTTPBearer())])
    async def bearer() -> None: ...

    @app.get("/nothing", openapi_extra={"security": []})
    async def nothing() -> None: ...

    shown = security_of(app.openapi())
    assert shown["get /bearer"] == [{"HTTPBearer": [], **way} for way in BOTH]
    assert shown["get /nothing"] == BOTH


@pytest.mark.parametrize("names", [["API key header"], ["API key header", "API key query"]])
def test_an_apps_own_schemes_of_these_names_stay(names: list[str]) -> None:
    app = guarded_app()
    own = {"type": "http", "scheme": "basic"}

    def custom() -> dict[str, Any]:
        document = get_openapi(title="x", version="1", routes=app.routes)
        document["components"]["securitySchemes"].update(dict.fromkeys(names, own))
        return document

    app.openapi = custom  # type: ignore[method-assign]
    docs.show_in(app, lambda app: middleware_guards(app))
    document = app.openapi()
    schemes = document["components"]["securitySchemes"]
    assert all(schemes[name] == own for name in names)
    expected = None if len(names) == 2 else [{"API key query": []}]
    assert security_of(document)["get /secure"] == expected


def middleware_guards(app: FastAPI) -> Any:
    from fastapi_simple_security._middleware import middleware

    return middleware._guards(app)


def replaced(app: FastAPI) -> FastAPI:
    """As FastAPI's documentation tells it."""

    def custom_openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = get_openapi(title="Custom", version="2", routes=app.routes)
        return app.openapi_schema

    app.openapi = custom_openapi  # type: ignore[method-assign]
    return app


def replaced_and_calling_fastapis(app: FastAPI) -> FastAPI:
    app.openapi = lambda: {**FastAPI.openapi(app), "x": 1}  # type: ignore[method-assign]
    return app


class Own(FastAPI):
    def openapi(self) -> dict[str, Any]:
        return get_openapi(title="Own", version="3", routes=self.routes)


@pytest.mark.parametrize("replace", [replaced, replaced_and_calling_fastapis, None])
def test_a_replaced_document_is_completed_when_the_app_is_used(
    environment: pytest.MonkeyPatch, replace: Callable[[FastAPI], FastAPI] | None
) -> None:
    if replace is None:
        app: FastAPI = Own()
        app.add_middleware(ApiKeyMiddleware, open_paths=["/openapi.json"])
        app.include_router(APIRouter(), prefix="/x")
        app.add_api_route("/secure", lambda: None)
    else:
        app = replace(guarded_app(["/openapi.json", "/health"]))
    client = TestClient(app)
    for _ in range(2):
        document = client.get("/openapi.json").json()
        assert security_of(document)["get /secure"] == BOTH
        assert document["components"]["securitySchemes"].items() >= SCHEMES.items()
    assert app.openapi() == app.openapi()


def test_with_a_good_key_too_the_first_document_is_complete(guarded: GuardedApp) -> None:
    """The key lets the request in by the shortest way."""
    app = replaced(middleware_app.build_app(guarded.security))
    answer = TestClient(app).get("/openapi.json", headers={"api-key": guarded.new()})
    assert security_of(answer.json())["get /secure"] == BOTH


@pytest.mark.parametrize("document", [{}, [], None, {"paths": None}, {"paths": {"/": 1}}])
def test_what_is_not_understood_is_left_as_it_is(document: Any) -> None:
    app = guarded_app()
    app.openapi = lambda: document  # type: ignore[method-assign]
    before = copy.deepcopy(document)
    docs.show_in(app, middleware_guards)
    assert app.openapi() == before


def test_a_wrong_open_path_changes_no_document() -> None:
    document = guarded_app("/health").openapi()
    assert security_of(document)["get /secure"] is None


def test_the_document_opens_no_database(environment: pytest.MonkeyPatch, database: Any) -> None:
    guarded_app().openapi()
    assert not database.exists()
