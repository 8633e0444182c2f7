"""Routers that cost the other routes of an app one search in the path of a request."""

import re
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from os.path import commonprefix
from types import MappingProxyType
from typing import Any, cast

from fastapi import APIRouter
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.routing import Match, Mount, Route, WebSocketRoute

from fastapi_simple_security._routing import with_included

Scope = MutableMapping[str, Any]
Matches = Callable[..., tuple[Match, Scope]]

# Made once, because each request would make two objects for each router. It cannot be changed.
_NO_MATCH = Match.NONE, cast("Scope", MappingProxyType({}))
_PARAMETER = re.compile(r"\{.*?\}")

# How often a route was added to a `PrefilteredRouter`.
_changes = 0


class PrefilteredRoute(APIRoute):
    """A route that looks for a part of its path in that of a request before it matches it.

    FastAPI before 0.137 copies the routes of an included router into the app, so that each of them
    has to reject a request for another route.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **settings: Any) -> None:
        super().__init__(path, endpoint, **settings)
        self._literal = max(_PARAMETER.split(path), key=len)
        self._compiled = self.path_regex

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for this route."""
        path = scope.get("path", self._literal)
        # Apps put another pattern in place of this one, to ignore case.
        if self._literal in path or self.path_regex is not self._compiled:
            return super().matches(scope)
        return _NO_MATCH


class PrefilteredRouter(APIRouter):
    """A router that costs the other routes of an app one search in the path of a request.

    The search is for what the paths of its routes have in common, which it takes from the routes.
    So their number makes no difference. See docs/decisions/0018-a-router-that-costs-nothing.md.
    """

    def __init__(self, *, route_class: type[APIRoute] = PrefilteredRoute, **settings: Any) -> None:
        super().__init__(route_class=route_class, **settings)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a request is for one of these routes; FastAPI calls it for an included router."""
        notes = scope.get("fastapi")
        for included in notes.values() if isinstance(notes, dict) else ():
            attributes = getattr(included, "__dict__", {})
            if attributes.get("original_router") is self and "matches" not in attributes:
                # Another FastAPI may be different. Without the search, which is not tried again, it
                # is slower and right.
                attributes["matches"] = included.matches
                with suppress(Exception):
                    _prefilter(included, attributes)
        return super().matches(scope)

    def _mark_routes_changed(self) -> None:
        """FastAPI calls this when a route was added; the searches are then made again."""
        global _changes
        _changes += 1
        super()._mark_routes_changed()


def _prefilter(included: Any, attributes: dict[str, Any]) -> None:
    """Puts the search in front of `matches` of the object that stands for a router in an app.

    From there to `PrefilteredRouter.matches` FastAPI takes longer than the search does.
    """
    if not hasattr(APIRouter, "_mark_routes_changed") or not _says_what_changes(included):
        return
    seen = _changes
    literals = {_first_literal(route) for route in with_included([included])}
    # Enough alone, unless the router is included without a prefix.
    common = commonprefix(list(literals))  # noqa: RUF071 (letter by letter, as it is searched)
    search = re.compile("|".join(map(re.escape, sorted(literals)))).search
    matches: Matches = included.matches

    def prefiltered(scope: Scope, *more: Any) -> tuple[Match, Scope]:
        if more or seen != _changes:
            # FastAPI's own method comes to `PrefilteredRouter.matches`, which makes a new search.
            attributes.pop("matches", None)
            return matches(scope, *more)
        try:
            path = scope["path"]
        except KeyError:
            return matches(scope, *more)
        if common in path and search(path):
            return matches(scope, *more)
        return _NO_MATCH

    attributes["matches"] = prefiltered


def _says_what_changes(included: Any) -> bool:
    """Whether every router in it counts its changes."""
    router = included.original_router
    return isinstance(router, PrefilteredRouter) and all(
        _says_what_changes(route) for route in router.routes if hasattr(route, "original_router")
    )


_MATCHED_BY_PATH = {
    each.matches
    for each in (Route, WebSocketRoute, Mount, APIRoute, APIWebSocketRoute, PrefilteredRoute)
}


def _first_literal(route: Any) -> str:
    """A text that each path contains which fits the route; the empty one where none is known."""
    if getattr(type(route.original_route), "matches", None) in _MATCHED_BY_PATH:
        for piece in _PARAMETER.split(route.path or ""):
            if piece.strip("/"):
                return str(piece)
    return ""
