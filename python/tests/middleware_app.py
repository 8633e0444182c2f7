"""An app with a door of each kind, behind the middleware."""

import asyncio
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from starlette.staticfiles import StaticFiles

from fastapi_simple_security import ApiKey, ApiKeyMiddleware, SimpleSecurity

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
HERE = Path(__file__).parent


def build_app(security: SimpleSecurity, open_paths: Any = ("/health",), **options: Any) -> FastAPI:
    app = FastAPI(**options)
    app.add_middleware(ApiKeyMiddleware, security=security, open_paths=open_paths)
    app.include_router(security.legacy_router, prefix="/auth")
    app.include_router(security.admin_router, prefix="/auth")

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"message": "open"}

    @app.get("/secure")
    async def secure(request: Request) -> dict[str, str]:
        return facts(request.state.api_key)

    @app.api_route("/every", methods=METHODS, include_in_schema=False)
    async def every_method(request: Request) -> dict[str, str]:
        return facts(request.state.api_key)

    @app.get("/hidden", include_in_schema=False)
    def hidden(request: Request) -> dict[str, str]:
        return facts(request.state.api_key)

    @app.get("/items/{item}")
    async def items(item: str) -> str:
        return item

    @app.websocket("/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(facts(websocket.state.api_key))
        await websocket.close()

    inner = FastAPI()

    @inner.get("/thing")
    async def thing(request: Request) -> dict[str, str]:
        return facts(request.state.api_key)

    @inner.get("/health")
    async def inner_health() -> str:
        return "not open"

    app.mount("/inner", inner)
    app.mount("/static", StaticFiles(directory=HERE))
    return app


def facts(key: ApiKey) -> dict[str, str]:
    return {"key": key, "id": key.id, "name": key.name}


def start(app: Any, said: list[Any]) -> None:
    """What a server does first; what the app says goes to `said`. Raises what the app raises."""

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        said.append(message)

    asyncio.run(app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send))
