"""Applications for hypercorn and waitress that print each request, as a line of JSON."""

import json
import sys
from collections.abc import Iterable
from typing import Any

GREETING = b"This is a secure endpoint"


def show(path: str, identity: str | None) -> None:
    sys.stdout.write(json.dumps({"path": path, "identity": identity}) + "\n")
    sys.stdout.flush()


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return
    identity = dict(scope["headers"]).get(b"x-api-key-id")
    show(scope["path"], identity and identity.decode())
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "bytes": GREETING})
        await send({"type": "websocket.close"})
    else:
        length = (b"content-length", b"%d" % len(GREETING))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": GREETING})


def wsgi(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    show(environ["PATH_INFO"], environ.get("HTTP_X_API_KEY_ID"))
    start_response("200 OK", [("Content-Length", str(len(GREETING)))])
    return [GREETING]
