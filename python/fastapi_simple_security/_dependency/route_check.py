"""Stops an app with routes that seem to need a key and do not, which shows only when it starts.

While a route is defined, `misuse.py` stops what FastAPI itself looks at. FastAPI does not look
through a wrapper, or at a `Depends` that it does not use.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from inspect import isfunction, signature
from typing import Any, get_args

from fastapi import params
from fastapi.dependencies import utils
from starlette.routing import BaseRoute

from fastapi_simple_security._dependency.misuse import NeedsDepends, NotADependency, is_method
from fastapi_simple_security._routing import with_included

_INSTEAD = "write `Depends(security)`, with the instance itself"


# FastAPI's own function resolves annotations that are text. It is internal to it.
_parameters_of = getattr(utils, "get_typed_signature", signature)


def check_routes(routes: Iterable[BaseRoute]) -> None:
    """Checks the routes of an app, of the routers in it, and of the apps that are mounted in it.

    Raises:
        TypeError: a route would accept requests without a key; the text says what to write.
    """
    # Each call once: most routes of an app share their dependencies.
    for dependant in {id(each.call): each for each in _dependants(routes)}.values():
        _check_call(dependant.call)
        _check_parameters(dependant)


def _dependants(routes: Iterable[BaseRoute]) -> Iterator[Any]:
    """What FastAPI has collected of each endpoint and of each of their dependencies."""
    for route in with_included(routes):
        yield from _with_inner(getattr(route, "dependant", None))
        yield from _dependants(getattr(route, "routes", None) or ())


def _with_inner(dependant: Any) -> Iterator[Any]:
    if dependant is not None:
        yield dependant
        for each in dependant.dependencies:
            yield from _with_inner(each)


def _check_call(call: Any) -> None:
    wrapped = _unwrapped(call)
    if isinstance(wrapped, NotADependency):
        raise TypeError(wrapped.problem)
    if is_method(wrapped):
        # Itself it was stopped while the route was defined.
        raise TypeError(f"a wrapper around the method {_name(wrapped)} checks no key: {_INSTEAD}")
    if isinstance(wrapped, NeedsDepends) and wrapped is not call:
        raise TypeError(f"a wrapper around {_name(wrapped)} may check no key: {_INSTEAD}")


def _check_parameters(dependant: Any) -> None:
    used = {(each.name, id(each.call)) for each in dependant.dependencies}
    for name, parameter in _parameters_of(dependant.call).parameters.items():
        given = [parameter.default, *_metadata(parameter.annotation)]
        if any(is_method(each) or isinstance(type(each), NotADependency) for each in given):
            raise TypeError(
                f"the parameter {name} of {_name(dependant.call)} has no `Depends(...)`, so no key "
                f"is checked: {_INSTEAD}"
            )
        for each in _written_in(parameter.annotation):
            dependency = each.dependency
            if isinstance(dependency, NeedsDepends) and (name, id(dependency)) not in used:
                raise TypeError(
                    f"FastAPI ignores `Depends(...)` at the parameter {name} of "
                    f"{_name(dependant.call)}, so no key is checked: write "
                    f"`{name}: Annotated[str, Depends(security)]`, and nothing around or after it"
                )


def _unwrapped(call: Any) -> Any:
    """What is called in the end, within `functools.partial` and `lru_cache`."""
    # A function with `__wrapped__` does what its author wants; it may well check the key.
    if isfunction(call):
        return call
    inner = call.func if isinstance(call, partial) else getattr(call, "__wrapped__", None)
    return call if inner is None else _unwrapped(inner)


def _metadata(annotation: Any) -> Iterator[Any]:
    """What is beside the type in an annotation, within unions and type aliases too."""
    annotation = getattr(annotation, "__value__", annotation)
    yield from getattr(annotation, "__metadata__", ())
    for each in get_args(annotation):
        yield from _metadata(each)


def _written_in(annotation: Any) -> Iterator[params.Depends]:
    """Each `Depends` in an annotation."""
    return (each for each in _metadata(annotation) if isinstance(each, params.Depends))


def _name(call: Any) -> str:
    return getattr(call, "__qualname__", None) or f"an instance of {type(call).__name__}"
