"""Which route an app would choose for a request, and whether it is for the administrator.

A middleware sees a request before the app has chosen a route. So the choice is made here as the
routers of Starlette and FastAPI make it. Where they are not as expected, no route is an
administrator's: such a request needs a key, like any other.
"""

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from fastapi import routing
from starlette.routing import BaseRoute, Host, Match, Mount

from fastapi_simple_security import _core
from fastapi_simple_security._admin import AdminSecret

Scope = MutableMapping[str, Any]


def is_admin_route(scope: Scope, engine: _core.Engine) -> bool:
    """Whether the app of a request would choose a route that asks for this engine's secret."""
    try:
        app = scope["app"]
        if scope.get("router") is app.router:
            # The app has chosen already, a mount for example: what comes next is not its choice.
            return False
        # FastAPI takes notes in the scope while it chooses; these are not for the request.
        notes: Scope = {name: value for name, value in scope.items() if name != "fastapi"}
        return _leads_to_admin(app.routes, notes, engine)
    except Exception:  # noqa: BLE001 (whatever it is, the request needs a key)
        return False


def admin_operations(routes: Iterable[BaseRoute], engine: _core.Engine) -> set[tuple[str, str]]:
    """The routes of an app that ask for this engine's secret: path and method, in small letters."""
    return {
        (each.path_format, method.lower())
        for each in _with_included(routes)
        if _asks_for_secret(getattr(each, "original_route", each), engine)
        for method in each.methods
    }


def _with_included(routes: Iterable[BaseRoute]) -> Iterator[Any]:
    """Also those of included routers, which FastAPI keeps apart since 0.13x."""
    apart = getattr(routing, "iter_route_contexts", None)
    return iter(routes) if apart is None else apart(list(routes))


def _leads_to_admin(routes: Iterable[BaseRoute], scope: Scope, engine: _core.Engine) -> bool:
    """The first route that fits, else the first that would with another method."""
    partial: tuple[BaseRoute, Scope] | None = None
    for route in routes:
        match, child_scope = route.matches(scope)
        if match is Match.FULL:
            return _is_admin(route, {**scope, **child_scope}, engine)
        if match is Match.PARTIAL and partial is None:
            partial = route, child_scope
    return partial is not None and _is_admin(partial[0], {**scope, **partial[1]}, engine)


def _is_admin(route: BaseRoute, scope: Scope, engine: _core.Engine) -> bool:
    if isinstance(route, (Mount, Host)):
        # An app that is told its `root_path` uses that one.
        root_path = getattr(route.app, "root_path", "")
        return _leads_to_admin(
            route.routes, {**scope, "root_path": root_path} if root_path else scope, engine
        )
    choose = getattr(route, "_match", None)
    if choose is not None:
        # A router that FastAPI keeps apart says what it would choose.
        match, child_scope, chosen, _ = choose(scope)
        return match is not Match.NONE and _is_admin(chosen, {**scope, **child_scope}, engine)
    return _asks_for_secret(route, engine)


def _asks_for_secret(route: object, engine: _core.Engine) -> bool:
    """Whether a route itself has the dependency that asks for the secret of this engine."""
    return isinstance(route, routing.APIRoute) and any(
        isinstance(dependency.call, AdminSecret) and dependency.call._engine is engine
        for dependency in route.dependant.dependencies
    )
