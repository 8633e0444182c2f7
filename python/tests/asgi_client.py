"""Asks an ASGI app in this process with nothing but the standard library: no socket, no thread."""

import asyncio
from typing import Any


def get(app: Any, path: str, key: str | None = None, secret: str | None = None) -> int:
    """The status that the app answers to a GET."""
    return ask(app, path, key, secret)[0]


def ask(app: Any, path: str, key: str | None = None, secret: str | None = None) -> tuple[int, str]:
    """The status and body that the app answers to a GET; `path` may carry a query."""
    return asyncio.run(_ask(app, path, {"api-key": key, "secret-key": secret}))


async def _ask(app: Any, path: str, headers: dict[str, str | None]) -> tuple[int, str]:
    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(n.encode(), v.encode()) for n, v in headers.items() if v is not None],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in messages)
    return messages[0]["status"], body.decode()
