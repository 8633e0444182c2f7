"""The routes of an app, whatever way its version of FastAPI keeps them."""

from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import routing
from starlette.routing import BaseRoute


def with_included(routes: Iterable[BaseRoute]) -> Iterator[Any]:
    """Also those of included routers, which FastAPI keeps apart since 0.13x."""
    apart = getattr(routing, "iter_route_contexts", None)
    return iter(routes) if apart is None else apart(list(routes))
