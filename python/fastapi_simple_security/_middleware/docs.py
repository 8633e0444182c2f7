"""Shows in the documentation of an app that its middleware asks for a key.

FastAPI makes the document from the routes, which know nothing of a middleware. So the finished
document is completed: by a wrapper around `FastAPI.openapi`, so that a script that only calls
`app.openapi()` gets it too, and around the `openapi` that an app has in place of it. What cannot be
told for certain is left as it is: not shown is better than wrong.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from fastapi import FastAPI

from fastapi_simple_security._core import Engine
from fastapi_simple_security._dependency.openapi import schemes
from fastapi_simple_security._middleware.chosen_route import admin_operations
from fastapi_simple_security._middleware.open_paths import OpenPaths

_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}

# What one middleware lets in without a key: its open paths, and who has its engine's secret.
Guard = tuple[OpenPaths, Engine]
# The middleware of ours that an app has.
Guards = Callable[[FastAPI], list[Guard]]


def show_in_all_apps(guards: Guards) -> None:
    """Completes what `FastAPI.openapi` makes, where an app has middleware of ours."""
    FastAPI.openapi = _completed(FastAPI.openapi, guards)  # type: ignore[method-assign]


def show_in(app: object, guards: Guards) -> None:
    """Completes what an app's own `openapi` makes, if it has one in place of `FastAPI.openapi`."""
    if isinstance(app, FastAPI) and not hasattr(app.openapi, "completes"):
        own = app.openapi
        completed = _completed(wraps(own)(lambda _: own()), guards)
        app.openapi = completed.__get__(app)  # type: ignore[method-assign]


def _completed(openapi: Callable[[FastAPI], dict[str, Any]], guards: Guards) -> Any:
    @wraps(openapi)
    def complete(self: FastAPI) -> dict[str, Any]:
        document = openapi(self)
        try:
            _add_key(document, self, guards(self))
        except Exception:  # noqa: BLE001 (a document or an app of a kind that is not known here)
            return document
        return document

    complete.completes = openapi  # type: ignore[attr-defined]
    return complete


def _add_key(document: dict[str, Any], app: FastAPI, guards: list[Guard]) -> None:
    """Adds what is not there yet. Nothing is changed before all of it is known."""
    present = document.get("components", {}).get("securitySchemes", {})
    changes, added = [], {}
    for operation, shown in _guarded_operations(document["paths"], app, guards):
        # An app may have a scheme of its own by one of the names: then there is no name for ours.
        ours = {
            name: scheme
            for name, scheme in shown.items()
            if _place(present.get(name, scheme)) == _place(scheme)
        }
        # Each is one way in. What was asked for before is asked for still.
        ways = operation.get("security", document.get("security")) or [{}]
        if ours and not any(name in way for way in ways for name in ours):
            changes.append((operation, [{**way, name: []} for way in ways for name in ours]))
            added.update(ours)
    if not changes:
        return
    for operation, security in changes:
        operation["security"] = security
    schemes_shown = document.setdefault("components", {}).setdefault("securitySchemes", {})
    for name, scheme in added.items():
        schemes_shown.setdefault(name, scheme)


def _place(scheme: dict[str, Any]) -> dict[str, Any]:
    """A scheme without its description, which is another for an instance with other headers."""
    return {name: value for name, value in scheme.items() if name != "description"}


def _guarded_operations(
    paths: dict[str, Any], app: FastAPI, guards: list[Guard]
) -> Iterable[tuple[dict[str, Any], dict[str, dict[str, Any]]]]:
    """The operations of a document for which some middleware asks for a key, with its schemes."""
    known = [
        (open_paths, admin_operations(app.routes, engine), schemes(engine.key_headers))
        for open_paths, engine in guards
    ]
    for path, methods in paths.items():
        for method, operation in methods.items():
            if method not in _METHODS:
                continue
            asked = (
                shown
                for open_paths, admin, shown in known
                if path not in open_paths and (path, method) not in admin
            )
            first = next(asked, None)
            if first is not None:
                yield operation, first
