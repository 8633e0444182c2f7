"""The example app as the tests serve it: each answer also names the worker that gave it."""

import os
from typing import Annotated, Any

from asgi_client import get
from fastapi import Depends, WebSocket
from fastapi_app import app

from fastapi_simple_security import ApiKey, api_key_security

WORKER = b"worker"


class NameTheWorker:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_name(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (WORKER, str(os.getpid()).encode())]
            await send(message)

        await self.app(scope, receive, send_with_name)


app.add_middleware(NameTheWorker)


@app.get("/broken", include_in_schema=False)
async def broken(key: Annotated[ApiKey, Depends(api_key_security)]) -> None:
    raise RuntimeError(f"broken on purpose, asked with {key!r}")


@app.websocket("/ws")
async def socket(socket: WebSocket, key: Annotated[ApiKey, Depends(api_key_security)]) -> None:
    await socket.accept()
    await socket.send_text(key.id)
    await socket.close()


# A server that loads the app before it forks may have used the package by then.
for _ in range(int(os.environ.get("REQUESTS_AT_IMPORT", "0"))):
    assert get(app, "/secure", os.environ["KEY_AT_IMPORT"]) == 200
