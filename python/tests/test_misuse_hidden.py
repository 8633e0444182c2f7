"""An app does not start where a wrapper, a function or a type hides a dependency from FastAPI."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import fastapi
import pytest
from fastapi import Depends, FastAPI, Query
from fastapi.testclient import TestClient
from guarded_app import GuardedApp
from starlette.requests import HTTPConnection
from test_misuse import EVERYWHERE, as_parameter, error_at_start, on_the_route, route
from typing_extensions import TypeAliasType

from fastapi_simple_security import ApiKey, SimpleSecurity, api_key_router, api_key_security


def in_a_mounted_app(dependency: Any) -> FastAPI:
    app = FastAPI()
    app.mount("/mounted", on_the_route(dependency))
    return app


CLASS = "SimpleSecurity is a class and checks no key"
METHOD = "a wrapper around the method "
WRAPPER = "a wrapper around an instance of SimpleSecurity may check no key"


@pytest.mark.parametrize("place", [*EVERYWHERE, in_a_mounted_app])
@pytest.mark.parametrize(
    ("dependency", "problem"),
    [
        (functools.partial(SimpleSecurity), CLASS),
        (functools.partial(SimpleSecurity, secret="a secret that is given"), CLASS),
        (functools.lru_cache(SimpleSecurity), CLASS),
        (functools.partial(functools.lru_cache(functools.partial(SimpleSecurity))), CLASS),
        # FastAPI 0.112.4 awaits none of these; newer ones await some.
        (functools.partial(api_key_security), WRAPPER),
        (functools.lru_cache(api_key_security), WRAPPER),
        (functools.lru_cache(functools.partial(api_key_security)), WRAPPER),
        (functools.partial(api_key_security.verify), METHOD),
        (functools.partial(api_key_security.keys.revoke), METHOD),
    ],
)
@pytest.mark.usefixtures("environment")
def test_what_hides_the_class_or_the_instance_is_no_dependency(
    place: Callable[[Any], FastAPI], dependency: Any, problem: str
) -> None:
    error = error_at_start(lambda: place(Depends(dependency)))
    assert error.startswith(problem)
    assert "`Depends(security)`" in error


KEY = Annotated[str, Depends(api_key_security)]


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (Annotated[KEY, Query()], None),
        (Annotated[KEY, Depends(route)], inspect.Parameter.empty),
        (KEY | None, None),
        (TypeAliasType("Key", KEY) | None, None),
        (list[KEY], Query(default=[])),
    ],
)
@pytest.mark.usefixtures("environment")
def test_depends_must_be_used(annotation: Any, default: Any) -> None:
    """FastAPI uses the last of its marks at a parameter, and none that is within the type."""
    error = error_at_start(lambda: as_parameter(annotation, default))
    assert error.startswith("FastAPI ignores `Depends(...)` at the parameter key of ")
    assert "write `key: Annotated[str, Depends(security)]`" in error


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (Annotated[str, api_key_security.verify], None),
        (Annotated[str, api_key_security.keys], None),
        (Annotated[str | None, Query(), api_key_security.verify], None),
    ],
)
@pytest.mark.usefixtures("environment")
def test_a_method_without_depends_is_no_dependency(annotation: Any, default: Any) -> None:
    error = error_at_start(lambda: as_parameter(annotation, default))
    assert "so no key is checked" in error
    assert "`Depends(security)`" in error


def own_dependency(key: KEY) -> ApiKey:
    return key  # type: ignore[return-value]


@functools.wraps(api_key_security)
async def own_wrapper(connection: HTTPConnection) -> ApiKey:
    return await api_key_security(connection)


def injected() -> SimpleSecurity:
    """For a route that wants the instance, and has the key from elsewhere."""
    return api_key_security


def with_injected(key: KEY, security: Annotated[SimpleSecurity, Depends(injected)]) -> ApiKey:
    assert security is api_key_security
    return key  # type: ignore[return-value]


def unreadable(key: KEY) -> "the key, as it was sent":  # type: ignore[valid-type] # noqa: F722
    return key


@pytest.mark.parametrize(
    "annotation",
    [
        Annotated[str, Query(), Depends(api_key_security)],
        Annotated[str, Depends(api_key_security), "a text"],
        Annotated[str, Depends(own_dependency)],
        Annotated[str, Depends(own_wrapper)],
        Annotated[str, Depends(with_injected)],
        Annotated[str | None, Depends(functools.partial(own_dependency))],
        pytest.param(
            Annotated[str, Depends(unreadable)],
            marks=pytest.mark.skipif(
                not fastapi.__version__.startswith("0.112."), reason="newer ones read it"
            ),
        ),
    ],
)
def test_other_dependencies_on_an_instance_start_and_check(
    guarded: GuardedApp, annotation: Any
) -> None:
    app = as_parameter(annotation)
    app.include_router(api_key_router, prefix="/auth")
    with TestClient(app) as client:
        assert client.get("/").status_code == 403
        assert client.get("/", headers={"api-key": guarded.new()}).status_code == 200
