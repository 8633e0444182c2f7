"""Shows both places of a key in the documentation, at the price of one dependency.

A dependency of FastAPI shows one security scheme. A second scheme needs a second dependency, and
each costs every request more than verifying a key does (`make bench`). So the
second scheme is added where FastAPI collects them for the OpenAPI document. That is inside of
FastAPI, and may be another place in another version: it is tried out once, and where it does not
work the second dependency is there after all.

It is tried out when FastAPI first asks for the parameters of the dependency, and not at import,
which is paid for by those too that never ask.
"""

from collections.abc import Callable
from functools import cache, wraps
from inspect import Parameter, Signature
from typing import Any

import fastapi.openapi.utils as openapi
from fastapi import APIRouter, Depends, Security
from fastapi.openapi.models import APIKey
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

# The function that collects the schemes of one route: its name now, and before FastAPI 0.13x.
_COLLECTORS = ("_get_openapi_security_definitions", "get_openapi_security_definitions")

_Collector = Callable[..., tuple[dict[str, Any], list[dict[str, Any]]]]


class _DependencySignature:
    """What FastAPI takes for the parameters of a dependency.

    The class of a dependency has none of this kind: `inspect` finds that of its constructor.
    """

    def __get__(self, dependency: object, owner: type) -> Signature:
        if dependency is None:
            raise AttributeError("__signature__")
        return Signature(_parameters())


class KeyHeader(SecurityBase):
    """A scheme that is shown as the header `api-key`, and with it the parameter of that name."""

    __signature__ = _DependencySignature()

    def __init__(self) -> None:
        self.model = APIKey.model_validate({"in": "header", "name": "api-key"})
        self.scheme_name = "API key header"


class KeyQuery(SecurityBase):
    """The scheme of the parameter `api-key`, for where the header cannot bring it along."""

    def __init__(self) -> None:
        self.model = APIKey.model_validate({"in": "query", "name": "api-key"})
        self.scheme_name = "API key query"

    async def __call__(self) -> None:
        """Does nothing: the dependency of the header reads both."""


_query = KeyQuery()


def _parameters() -> list[Parameter]:
    kind = Parameter.POSITIONAL_OR_KEYWORD
    parameters = [Parameter("connection", kind, annotation=HTTPConnection)]
    if not _header_brings_query():
        query = Parameter("_query", kind, annotation=None, default=Security(_query))
        parameters.append(query)
    return parameters


@cache
def _header_brings_query() -> bool:
    """Lets the header bring the parameter along; false where FastAPI cannot be made to.

    Threads that ask at once may do so twice: that adds nothing twice.
    """
    for name in _COLLECTORS:
        collector: _Collector | None = getattr(openapi, name, None)
        if collector is not None:
            setattr(openapi, name, _with_query(collector))
            if _is_shown():
                return True
            setattr(openapi, name, collector)
    return False


def _with_query(collector: _Collector) -> _Collector:
    definition = _query.model.model_dump(by_alias=True, exclude_none=True, mode="json")
    header = {**definition, "in": "header"}

    @wraps(collector)
    def collect(*args: Any, **kwargs: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        definitions, requirements = collector(*args, **kwargs)
        # By its content too: an app may have a scheme of its own by this name.
        if definitions.get("API key header") == header:
            definitions.setdefault(_query.scheme_name, definition)
            if not any(_query.scheme_name in requirement for requirement in requirements):
                requirements.append({_query.scheme_name: []})
        return definitions, requirements

    return collect


def _is_shown() -> bool:
    """Whether the document of a route with the header shows the parameter too."""

    class Probe(SecurityBase):
        def __init__(self) -> None:
            self.model = APIKey.model_validate({"in": "header", "name": "api-key"})
            self.scheme_name = "API key header"

        async def __call__(self) -> None: ...

    async def route() -> None: ...

    router = APIRouter()
    router.add_api_route("/", route, dependencies=[Depends(Probe())], response_model=None)
    try:
        document = openapi.get_openapi(title="", version="", routes=router.routes)
        schemes = document["components"]["securitySchemes"]
        required = document["paths"]["/"]["get"]["security"]
    except Exception:  # noqa: BLE001 (whatever it is, the slower way is right)
        return False
    names = {"API key header", "API key query"}
    return names <= schemes.keys() and names == {name for each in required for name in each}
