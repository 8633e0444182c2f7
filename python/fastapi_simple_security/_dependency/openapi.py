"""Shows in the documentation where a key is read, at the cost of one dependency.

OpenAPI has the two schemes of 1.x: the header `api-key`, and the parameter of that name. Their
description lists the other headers.

A dependency of FastAPI shows one security scheme. A second scheme needs a second dependency, and
each costs every request more than verifying a key does (`make bench`). So the
second scheme is added where FastAPI collects them for the OpenAPI document. That is internal to
FastAPI and may change with its version: it is tried once, and if it fails, the second dependency is
used.

The trial runs when FastAPI first reads the parameters of the dependency, not at import, so that
programs without such a route do not pay for it.
"""

from collections.abc import Callable, Collection
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

_HEADER = "API key header"
_QUERY = "API key query"
# The other headers, as people write them, in the order in which they are read.
_FALLBACKS = {"x-api-key": "the header `X-API-Key`", "authorization": "`Authorization: Bearer`"}
# The descriptions of this package's schemes: an app may have its own scheme by one of the names.
_described: set[str] = set()


def schemes(key_headers: Collection[str]) -> dict[str, dict[str, Any]]:
    """Returns the schemes by name, for a key that is read from these headers."""
    description = _description(key_headers)
    shown = {_HEADER: "header", _QUERY: "query"} if "api-key" in key_headers else {_QUERY: "query"}
    return {name: _definition(place, description) for name, place in shown.items()}


def _description(key_headers: Collection[str]) -> str:
    fallbacks = [shown for name, shown in _FALLBACKS.items() if name in key_headers]
    if "api-key" in key_headers:
        text = "A key is read from the query parameter `api-key` and from the header `api-key`: "
        text += "one good key is enough."
        absent = "both are"
    else:
        text = "A key is read from the query parameter `api-key`."
        absent = "it is"
    if fallbacks:
        text += f" If {absent} absent or empty, it is read from {', then from '.join(fallbacks)}."
    return text


def _definition(place: str, description: str) -> dict[str, Any]:
    return {"type": "apiKey", "description": description, "in": place, "name": "api-key"}


class _DependencySignature:
    """What FastAPI takes for the parameters of a dependency.

    Only instances have it: for the class, `inspect` finds the signature of its constructor.
    """

    def __get__(self, dependency: "KeyScheme | None", owner: type) -> Signature:
        if dependency is None:
            raise AttributeError("__signature__")
        return Signature(_parameters(dependency))


class KeyScheme(SecurityBase):
    """Is shown as the header `api-key`, and with it the parameter of that name.

    Where the header is not read, it is shown as the parameter alone.
    """

    __signature__ = _DependencySignature()

    def __init__(self, key_headers: Collection[str]) -> None:
        shown = schemes(key_headers)
        self.scheme_name = next(iter(shown))
        self.model = APIKey.model_validate(shown[self.scheme_name])
        _described.add(_description(key_headers))


class _KeyQuery(SecurityBase):
    """The scheme of the parameter `api-key`, for where the header cannot bring it along."""

    def __init__(self, description: str) -> None:
        self.model = APIKey.model_validate(_definition("query", description))
        self.scheme_name = _QUERY

    async def __call__(self) -> None:
        """Does nothing: the dependency of the header reads both."""


def _parameters(dependency: KeyScheme) -> list[Parameter]:
    kind = Parameter.POSITIONAL_OR_KEYWORD
    parameters = [Parameter("connection", kind, annotation=HTTPConnection)]
    if dependency.scheme_name == _HEADER and not _header_brings_query():
        query = _KeyQuery(dependency.model.description or "")
        parameters.append(Parameter("_query", kind, annotation=None, default=Security(query)))
    return parameters


@cache
def _header_brings_query() -> bool:
    """Lets the header bring the parameter along; false where FastAPI cannot be made to.

    Concurrent threads may do so twice, which adds nothing twice.
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
    @wraps(collector)
    def collect(*args: Any, **kwargs: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        definitions, requirements = collector(*args, **kwargs)
        header = definitions.get(_HEADER)
        if header is not None and _is_ours(header):
            definitions.setdefault(_QUERY, {**header, "in": "query"})
            if not any(_QUERY in requirement for requirement in requirements):
                requirements.append({_QUERY: []})
        return definitions, requirements

    return collect


def _is_ours(header: dict[str, Any]) -> bool:
    """By its content too: an app may have a scheme of its own by this name."""
    description = header.get("description", "")
    return description in _described and header == _definition("header", description)


def _is_shown() -> bool:
    """Whether the document of a route with the header shows the parameter too."""

    class Probe(SecurityBase):
        def __init__(self) -> None:
            description = next(iter(_described))
            self.model = APIKey.model_validate(_definition("header", description))
            self.scheme_name = _HEADER

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
    names = {_HEADER, _QUERY}
    return names <= schemes.keys() and names == {name for each in required for name in each}
