"""Code that looks like protection and checks no key stops the app; the error says what to write."""

import asyncio
import inspect
import pydoc
from collections.abc import Callable
from typing import Annotated, Any
from unittest import mock

import pytest
from fastapi import APIRouter, Depends, FastAPI, Security
from fastapi.testclient import TestClient
from guarded_app import GuardedApp
from pydantic import BaseModel, ConfigDict

from fastapi_simple_security import (
    ApiKey,
    ApiKeyMiddleware,
    SimpleSecurity,
    api_key_router,
    api_key_security,
)


class Own(SimpleSecurity):
    """Without a parameter by which FastAPI could notice that it is a class."""

    def __init__(self) -> None:
        super().__init__(secret="the secret of a subclass")


def route() -> str:
    return "public"


def on_the_app(dependency: Any) -> FastAPI:
    app = FastAPI(dependencies=[dependency])
    app.get("/")(route)
    return app


def on_the_route(dependency: Any) -> FastAPI:
    app = FastAPI()
    app.get("/", dependencies=[dependency])(route)
    return app


def on_a_router(dependency: Any) -> FastAPI:
    app, router = FastAPI(), APIRouter(dependencies=[dependency])
    router.get("/")(route)
    app.include_router(router)
    return app


def on_the_inclusion(dependency: Any) -> FastAPI:
    app, router = FastAPI(), APIRouter()
    router.get("/")(route)
    app.include_router(router, dependencies=[dependency])
    return app


def on_a_web_socket(dependency: Any) -> FastAPI:
    app = FastAPI()
    app.websocket("/", dependencies=[dependency])(route)
    return app


def in_a_dependency(dependency: Any) -> FastAPI:
    def inner(key: Any = dependency) -> Any:
        return key

    return on_the_route(Depends(inner))


def as_parameter(annotation: Any, default: Any = inspect.Parameter.empty) -> FastAPI:
    def endpoint(key: Any) -> str:
        return "public"

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameter = inspect.Parameter("key", kind, annotation=annotation, default=default)
    endpoint.__signature__ = inspect.Signature([parameter])  # type: ignore[attr-defined]
    app = FastAPI()
    app.get("/")(endpoint)
    return app


EVERYWHERE = [
    on_the_app,
    on_the_route,
    on_a_router,
    on_the_inclusion,
    on_a_web_socket,
    in_a_dependency,
]


def error_at_start(build: Callable[[], FastAPI]) -> str:
    """That of an app with the admin routes, from its definition or its start."""

    async def start() -> None:
        app = build()
        app.include_router(api_key_router, prefix="/auth")
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises((TypeError, AttributeError)) as raised:
        asyncio.run(start())
    return str(raised.value)


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.parametrize("kind", [SimpleSecurity, Own])
@pytest.mark.parametrize("depends", [Depends, Security])
@pytest.mark.usefixtures("environment")
def test_the_class_is_not_a_dependency(
    place: Callable[[Any], FastAPI], kind: type[SimpleSecurity], depends: Callable[[Any], Any]
) -> None:
    error = error_at_start(lambda: place(depends(kind)))
    assert kind.__name__ in error
    assert "write `security = SimpleSecurity()` once, and `Depends(security)`" in error


@pytest.mark.usefixtures("environment")
def test_without_the_admin_routes_an_included_class_is_never_public() -> None:
    """FastAPI 0.13x and later collect the dependencies of an inclusion at the first request."""
    try:
        app = on_the_inclusion(Depends(SimpleSecurity))
    except TypeError:
        return
    client = TestClient(app, raise_server_exceptions=False)
    assert [client.get("/").status_code for _ in range(2)] == [500, 500]


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[ApiKey, Depends(SimpleSecurity)],
        Annotated[str, Security(SimpleSecurity)],
        Annotated[SimpleSecurity, Depends()],
        Annotated[Own, Depends()],
    ],
)
@pytest.mark.usefixtures("environment")
def test_nor_is_it_in_an_annotation(annotation: Any) -> None:
    assert "Depends(security)" in error_at_start(lambda: as_parameter(annotation))


@pytest.mark.parametrize("place", EVERYWHERE)
@pytest.mark.usefixtures("environment")
def test_depends_cannot_be_forgotten(place: Callable[[Any], FastAPI]) -> None:
    error = error_at_start(lambda: place(api_key_security))
    assert "write `Depends(security)` in place of `security`" in error


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (Annotated[str, api_key_security], inspect.Parameter.empty),
        (Annotated[ApiKey, api_key_security], inspect.Parameter.empty),
        (ApiKey, api_key_security),
        (str, api_key_security),
        (inspect.Parameter.empty, api_key_security),
    ],
)
@pytest.mark.usefixtures("environment")
def test_nor_can_it_at_a_parameter(annotation: Any, default: Any) -> None:
    """FastAPI would read the parameter from the query, and accept whatever it is."""
    error = error_at_start(lambda: as_parameter(annotation, default))
    assert "write `Depends(security)` in place of `security`" in error


@pytest.mark.parametrize("kind", [SimpleSecurity, Own, ApiKey, ApiKeyMiddleware])
@pytest.mark.parametrize("annotation", [str, type, inspect.Parameter.empty, Annotated[str, "text"]])
def test_depends_and_brackets_cannot_both_be_forgotten(kind: type, annotation: Any) -> None:
    """Without the admin routes too. FastAPI would take the class for the default of a parameter."""
    with pytest.raises(AttributeError, match=f"{kind.__name__} is a class and checks no key: "):
        as_parameter(annotation, kind)
    with pytest.raises(AttributeError, match=f"{kind.__name__} is a class and checks no key: "):
        as_parameter(Annotated[str, kind], "default")


@pytest.mark.parametrize(
    ("dependency", "advice"),
    [
        (ApiKey, "Depends(api_key_security)"),
        (ApiKeyMiddleware, "app.add_middleware(ApiKeyMiddleware)"),
        (api_key_security.open, "Depends(security)"),
        (api_key_security.close, "Depends(security)"),
    ],
)
@pytest.mark.usefixtures("environment")
def test_other_names_of_the_package_are_not_dependencies(dependency: Any, advice: str) -> None:
    assert advice in error_at_start(lambda: on_the_route(Depends(dependency)))


@pytest.mark.usefixtures("environment")
def test_a_router_as_a_dependency_accepts_no_request() -> None:
    client = TestClient(on_the_route(Depends(api_key_router)), raise_server_exceptions=False)
    query = {"scope": "{}", "receive": "x", "send": "x"}
    assert client.get("/", params=query).status_code in (422, 500)


@pytest.mark.parametrize("security", [SimpleSecurity, Own, api_key_router, "a text"])
@pytest.mark.usefixtures("environment")
def test_the_middleware_takes_an_instance_alone(
    security: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = on_the_route(Depends(lambda: None))
    app.add_middleware(ApiKeyMiddleware, security=security, open_paths=["/"])
    assert TestClient(app).get("/").status_code == 503
    assert "write `security=SimpleSecurity()`" in caplog.text


@pytest.mark.usefixtures("environment")
def test_an_instance_is_not_middleware() -> None:
    app = on_the_route(Depends(lambda: None))
    app.add_middleware(ApiKeyMiddleware(app))  # type: ignore[arg-type, call-arg]
    with pytest.raises(TypeError):
        TestClient(app).get("/")


@pytest.mark.parametrize("depends", [Depends, Security])
def test_an_instance_is_a_dependency(guarded: GuardedApp, depends: Callable[[Any], Any]) -> None:
    """One made in place too, of the class or of a subclass."""
    key = guarded.new()
    for security in (guarded.security, SimpleSecurity(), Own()):
        for place in (on_the_app, on_the_route, on_a_router, on_the_inclusion, in_a_dependency):
            client = TestClient(place(depends(security)))
            assert client.get("/").status_code == 403
            assert client.get("/", headers={"api-key": key}).status_code == 200
        security.close()


def test_help_shows_the_class() -> None:
    text = pydoc.plain(pydoc.render_doc(SimpleSecurity))
    assert "class SimpleSecurity" in text
    assert "secret: str | None = None" in text
    assert "open(self) -> None" in text
    assert "Opens the database, if it is not open." in text
    assert pydoc.render_doc(api_key_security)
    assert pydoc.render_doc(ApiKey)
    assert pydoc.render_doc(ApiKeyMiddleware)


def test_its_signature_is_that_of_its_constructor() -> None:
    assert list(inspect.signature(SimpleSecurity).parameters) == [
        "secret",
        "db_location",
        "automatic_expiration",
        "hide_docs",
        "key_prefix",
        "refusal_status",
        "key_headers",
    ]
    assert not inspect.signature(Own).parameters
    assert list(inspect.signature(SimpleSecurity.open).parameters) == ["self"]
    assert not inspect.signature(api_key_security.open).parameters
    assert list(inspect.signature(ApiKeyMiddleware).parameters) == ["app", "security", "open_paths"]


def test_other_tools_can_look_at_it() -> None:
    for subject in (SimpleSecurity, api_key_security, ApiKey, ApiKeyMiddleware):
        assert inspect.getmembers(subject)
        mock.create_autospec(subject)

    class Holder(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        security: SimpleSecurity

    assert Holder(security=api_key_security).security is api_key_security
    assert api_key_security in {api_key_security}
    assert api_key_security != SimpleSecurity()
    assert repr(api_key_security).startswith("<fastapi_simple_security._security.SimpleSecurity")
