"""Which route an app would choose for a request, and whether it is for the administrator.

A middleware sees a request before the app has chosen a route. So the choice is made here as the
routers of Starlette and FastAPI make it. Where they are not as expected, no route is an
administrator's: such a request needs a key, like any other.
"""

from collections.abc import Iterable, MutableMapping
from typing import Any

from fastapi import routing
from starlette.routing import BaseRoute, Host, Match, Mount

from fastapi_simple_security._admin_secret import AdminSecret
from fastapi_simple_security._core import Engine
from fastapi_simple_security._routing import with_included

Scope = MutableMapping[str, Any]


def admin_secret_of(scope: Scope, engine: Engine) -> AdminSecret | None:
    """What asks for this engine's secret on the route that an app would choose for a request."""
    try:
        app = scope["app"]
        if scope.get("router") is app.router:
            # The app has chosen already, a mount for example: what comes next is not its choice.
            return None
        # FastAPI takes notes in the scope while it chooses; these are not for the request.
        notes: Scope = {name: value for name, value in scope.items() if name != "fastapi"}
        return _secret_behind(app.routes, notes, engine)
    except Exception:  # noqa: BLE001 (whatever it is, the request needs a key)
        return None


def admin_operations(routes: Iterable[BaseRoute], engine: Engine) -> set[tuple[str, str]]:
    """The routes of an app that ask for this engine's secret: path and method, in small letters."""
    return {
        (each.path_format, method.lower())
        for each in with_included(routes)
        if _secret_of(getattr(each, "original_route", each), engine) is not None
        for method in each.methods
    }


def _secret_behind(routes: Iterable[BaseRoute], scope: Scope, engine: Engine) -> AdminSecret | None:
    """That of the first route that fits, else of the first that would with another method."""
    partial: tuple[BaseRoute, Scope] | None = None
    for route in routes:
        match, child_scope = route.matches(scope)
        if match is Match.FULL:
            return _secret_within(route, {**scope, **child_scope}, engine)
        if match is Match.PARTIAL and partial is None:
            partial = route, child_scope
    if partial is None:
        return None
    return _secret_within(partial[0], {**scope, **partial[1]}, engine)


def _secret_within(route: BaseRoute, scope: Scope, engine: Engine) -> AdminSecret | None:
    if isinstance(route, (Mount, Host)):
        # An app that is told its `root_path` uses that one.
        root_path = getattr(route.app, "root_path", "")
        return _secret_behind(
            route.routes, {**scope, "root_path": root_path} if root_path else scope, engine
        )
    choose = getattr(route, "_match", None)
    if choose is not None:
        # A router that FastAPI keeps apart says what it would choose.
        match, child_scope, chosen, _ = choose(scope)
        if match is Match.NONE:
            return None
        return _secret_within(chosen, {**scope, **child_scope}, engine)
    return _secret_of(route, engine)


def _secret_of(route: object, engine: Engine) -> AdminSecret | None:
    """The dependency of a route that asks for the secret of this engine."""
    if not isinstance(route, routing.APIRoute):
        return None
    for dependency in route.dependant.dependencies:
        if isinstance(dependency.call, AdminSecret) and dependency.call.engine is engine:
            return dependency.call
    return None
