"""From what the engine says to what a client gets: statuses, texts and headers."""

import logging
from collections.abc import MutableMapping
from typing import Any

from starlette.exceptions import HTTPException, WebSocketException
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Send
from starlette.websockets import WebSocketClose

from fastapi_simple_security._core import LogThrottle, Refusal
from fastapi_simple_security._errors import ConfigurationError, SecurityError

NO_STORE = {"Cache-Control": "no-store"}

_logger = logging.getLogger("fastapi_simple_security")
# Anyone may send invented keys, thousands in a second, and each is refused while the store is down.
_outages = LogThrottle()

_KEY_REFUSED = {
    Refusal.NotPresented: "An API key must be passed as query or header",
    Refusal.Repeated: "The API key was sent more than once",
    Refusal.Denied: "Wrong, revoked, or expired API key.",
}


def key_refused(scope_type: str, refusal: Refusal, status: int) -> Exception:
    """The answer to a request or a WebSocket without a good key: `status`, 403 or 401, or 1008."""
    detail = _KEY_REFUSED[refusal]
    if scope_type == "websocket":
        return WebSocketException(1008, detail)
    challenge = {"WWW-Authenticate": "APIKey"} if status == 401 else None
    return HTTPException(status, detail, challenge)


def unavailable(scope_type: str, error: SecurityError) -> Exception:
    """The response if the store or a setting is at fault: 503, or 1013 (RFC 6455: try again)."""
    detail = log_unavailable(error)
    if scope_type == "websocket":
        return WebSocketException(1013, detail)
    return HTTPException(503, detail, {"Retry-After": "1", **NO_STORE})


def log_unavailable(error: SecurityError) -> str:
    """Logs why a request fails, and returns the detail for the client.

    The cause is only for the log. An unavailable store is logged at most once a second.
    """
    if isinstance(error, ConfigurationError):
        _logger.error("%s", error)
        return f"The setting {error.setting} is wrong; the server's log says what to do"
    requests = _outages.record()
    if requests is not None:
        _logger.error("%s (requests refused since the last such line: %d)", error, requests)
    return "The store of the API keys is unavailable"


async def send_answer(
    answer: Exception | Response, scope: MutableMapping[str, Any], receive: Receive, send: Send
) -> None:
    """Sends a response, or an exception of this table as an exception handler of FastAPI would.

    Raises:
        Exception: the answer itself, to what is neither a request nor a WebSocket.
    """
    if isinstance(answer, Response):
        await answer(scope, receive, send)
    elif isinstance(answer, HTTPException) and scope["type"] == "http":
        body = {"detail": answer.detail}
        await JSONResponse(body, answer.status_code, answer.headers)(scope, receive, send)
    elif isinstance(answer, WebSocketException):
        await WebSocketClose(answer.code, answer.reason)(scope, receive, send)
    else:
        raise answer
