"""Both places of a key are in the documentation, whichever way brings them there."""

from collections.abc import Iterator
from inspect import signature
from typing import Any

import fastapi.openapi.utils
import pytest
from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from guarded_app import GuardedApp

from fastapi_simple_security import SimpleSecurity
from fastapi_simple_security._dependency import openapi

BOTH = [{"API key header": []}, {"API key query": []}]
WHERE = {
    "type": "apiKey",
    "name": "api-key",
    "description": "A key is read from the query parameter `api-key` and from the header "
    "`api-key`: one good key is enough. If both are absent or empty, it is read from the header "
    "`X-API-Key`, then from `Authorization: Bearer`.",
}


def app_guarded_by(security: SimpleSecurity) -> FastAPI:
    app = FastAPI()

    @app.get("/secure", dependencies=[Depends(security)])
    async def secure() -> None: ...

    @app.get("/unsecured")
    async def unsecured() -> None: ...

    return app


def assert_both_are_shown(document: dict[str, Any]) -> None:
    assert document["paths"]["/secure"]["get"]["security"] == BOTH
    assert "security" not in document["paths"]["/unsecured"]["get"]
    assert document["components"]["securitySchemes"] == {
        "API key header": {**WHERE, "in": "header"},
        "API key query": {**WHERE, "in": "query"},
    }


@pytest.fixture
def slower_way(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A FastAPI that collects schemes where we do not know it."""
    for name in openapi._COLLECTORS:
        collector = getattr(fastapi.openapi.utils, name, None)
        if collector is not None:
            monkeypatch.setattr(fastapi.openapi.utils, name, collector.__wrapped__)
    monkeypatch.setattr(openapi, "_COLLECTORS", ())
    openapi._header_brings_query.cache_clear()
    yield
    openapi._header_brings_query.cache_clear()


def test_one_dependency_shows_both() -> None:
    security = SimpleSecurity()
    assert list(signature(security).parameters) == ["connection"]
    assert_both_are_shown(app_guarded_by(security).openapi())


def test_a_document_made_by_hand_shows_both() -> None:
    app = app_guarded_by(SimpleSecurity())
    assert_both_are_shown(get_openapi(title="by hand", version="1", routes=app.routes))


@pytest.mark.usefixtures("slower_way")
def test_where_one_cannot_a_second_dependency_shows_the_other() -> None:
    security = SimpleSecurity()
    assert list(signature(security).parameters) == ["connection", "_query"]
    assert_both_are_shown(app_guarded_by(security).openapi())


@pytest.mark.usefixtures("slower_way")
def test_the_slower_way_lets_in_and_refuses_alike(guarded: GuardedApp) -> None:
    assert guarded.accepts(guarded.new())
    assert not guarded.accepts("no key")
