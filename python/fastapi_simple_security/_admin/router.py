"""The routes of the resource API, made from its OpenAPI document."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from fastapi_simple_security._admin.pass_through import reject, respond
from fastapi_simple_security._admin_secret import AdminSecret
from fastapi_simple_security._core import Engine, Refusal, openapi
from fastapi_simple_security._prefilter import PrefilteredRouter

# The methods of HTTP (RFC 9110, section 9; RFC 5789) that a path can have.
_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]


def admin_router(engine: Engine, *, lifespan: Any, include_in_schema: bool) -> APIRouter:
    """The router of the resource API.

    Each operation is a route, so that the documentation and telemetry show it. One more route per
    resource takes all other paths and methods, because the Rust router rejects them too.

    Args:
        engine: whose keys they are.
        lifespan: what opens the engine at the start of an app and closes it at its end.
        include_in_schema: whether the documentation shows the routes.
    """
    secret = RouterSecret(engine)
    router = PrefilteredRouter(
        lifespan=lifespan,
        include_in_schema=include_in_schema,
        dependencies=[Depends(secret)],
    )
    document = json.loads(openapi())
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method.upper() in _METHODS:
                _add(router, secret, path, method.upper(), _resolved(operation, document))
    for resource in sorted({path.split("/")[1] for path in document["paths"]}):
        for path in (f"/{resource}", f"/{resource}/{{rest:path}}"):
            router.add_api_route(
                path,
                _endpoint(secret, path.replace(":path", "")),
                methods=_METHODS,
                name=f"other_{resource}",
                include_in_schema=False,
            )
    return router


class RouterSecret(AdminSecret):
    """Shows that a route asks for the admin secret.

    For the routes of the resource API the Rust router checks it. For a route that an app adds to
    this router, the dependency does.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.passed_on: set[Callable[..., Any]] = set()

    async def __call__(self, request: Request) -> None:
        """Raises 401 without the admin secret, 400 if it was sent twice, or 503."""
        if request.scope.get("endpoint") in self.passed_on:
            return
        if isinstance(await self.authenticate(request.scope), Refusal):
            response = reject(self.engine, request.scope)
            headers = {
                name: value
                for name, value in response.headers.items()
                if not name.startswith("content-")
            }
            detail = json.loads(bytes(response.body))["detail"]
            raise HTTPException(response.status_code, detail, headers)

    def rejection(self, scope: MutableMapping[str, Any], _refusal: Refusal) -> Response:
        """The response of the Rust router, which logs it."""
        return reject(self.engine, scope)


def _add(
    router: APIRouter,
    secret: RouterSecret,
    path: str,
    method: str,
    operation: dict[str, Any],
) -> None:
    # FastAPI adds a response with this status to the document.
    first = min(operation["responses"])
    router.add_api_route(
        path,
        _endpoint(secret, path),
        methods=[method],
        # FastAPI makes the id of the operation from it and the path.
        name=operation.pop("operationId"),
        summary=operation.pop("summary", None),
        description=operation.pop("description", ""),
        status_code=int(first),
        response_class=Response,
        # From the dependency.
        openapi_extra={name: part for name, part in operation.items() if name != "security"},
    )


def _endpoint(secret: RouterSecret, path: str) -> Callable[[Request], Awaitable[Response]]:
    async def pass_on(request: Request) -> Response:
        # The parameters of the prefix are in `path_params` too.
        sent = path.format_map(request.path_params)
        # Starlette's pattern of a path also matches the path with a newline after it: another path.
        newline = "\n" if request.scope["path"].endswith("\n") else ""
        return await respond(secret.engine, request, sent + newline)

    secret.passed_on.add(pass_on)
    return pass_on


def _resolved(described: Any, document: dict[str, Any]) -> Any:
    """The same with each `$ref` replaced by what it refers to."""
    if isinstance(described, list):
        return [_resolved(item, document) for item in described]
    if not isinstance(described, dict):
        return described
    if "$ref" in described:
        target: Any = document
        for name in described["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        return _resolved(target, document)
    return {name: _resolved(part, document) for name, part in described.items()}
