"""Passes requests to the Rust router of the resource API, which decides everything."""

from typing import Any

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from fastapi_simple_security import _answers
from fastapi_simple_security._core import AdminRequest, AdminResponse, Engine
from fastapi_simple_security._errors import SecurityError
from fastapi_simple_security._logs.mask import client_address
from fastapi_simple_security._waiting import run_for_route, wait_for_store


async def respond(engine: Engine, request: Request, path: str) -> Response:
    """The response of the router.

    Args:
        engine: whose keys they are.
        request: its body is read only as far as the router needs it.
        path: the decoded path of the request, without the prefix of the app.
    """
    passed = _passed(engine, request.scope, path)
    # Not `receive`: a dependency of the app, or a tracer, may have read the body.
    body = request.stream()
    try:
        # Before the secret is checked a request waits only as long as for any key.
        if not engine.is_open:
            await wait_for_store(engine.open)
        while (response := await run_for_route(passed.run)) is None:
            try:
                passed.feed(await anext(body))
            except StopAsyncIteration:
                passed.end()
            except ClientDisconnect:
                passed.disconnect()
    except SecurityError as error:
        response = AdminResponse.unavailable(_answers.log_unavailable(error))
    if response.wait:
        await anyio.sleep(response.wait)
    return _as_response(response)


def reject(engine: Engine, scope: Any) -> Response:
    """The response to a request without the admin secret, which takes no time."""
    response = _passed(engine, scope, "/").run()
    assert response is not None  # noqa: S101 (the router reads no body before the secret)
    return _as_response(response)


def _passed(engine: Engine, scope: Any, path: str) -> AdminRequest:
    return AdminRequest(
        engine,
        scope["method"],
        # Some servers let half a surrogate pair through, which UTF-8 does not have.
        path.encode(errors="replace"),
        scope.get("query_string", b""),
        scope["headers"],
        client_address(scope),
    )


def _as_response(passed: AdminResponse) -> Response:
    response = Response(passed.body, passed.status)
    response.raw_headers = passed.headers
    return response
