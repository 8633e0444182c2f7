"""An app guarded as users guard theirs, and the calls that the tests make most."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.testclient import TestClient

from fastapi_simple_security import ApiKey, SimpleSecurity

if TYPE_CHECKING:
    from httpx import Response

# Long enough for no warning, and like no other text in a file or log.
ADMIN_SECRET = "admin-canary-7hQ2mXv9Kd4pLw8Z"

PAST_DATE = "2000-01-01"
NOT_PRESENTED = "An API key must be passed as query or header"
DENIED = "Wrong, revoked, or expired API key."
REPEATED = "The API key was sent more than once"
NO_SECRET = "secret_key must be passed as a header field"

ADMIN_PATHS = (
    "/auth/new",
    "/auth/revoke?api-key=x",
    "/auth/renew?api-key=x",
    "/auth/logs",
)


def build_app(security: SimpleSecurity, router: APIRouter | None = None) -> FastAPI:
    """The app of the old package's README, with a `def` route beside the `async def` one."""
    app = FastAPI()
    app.include_router(router or security.legacy_router, prefix="/auth", tags=["_auth"])

    @app.get("/unsecured")
    async def unsecured() -> dict[str, str]:
        return {"message": "open"}

    @app.get("/secure")
    async def secure(api_key: Annotated[ApiKey, Depends(security)]) -> dict[str, str]:
        return {"key": api_key, "id": api_key.id, "name": api_key.name}

    @app.get("/secure-sync")
    def secure_sync(api_key: Annotated[ApiKey, Depends(security)]) -> dict[str, str]:
        return {"key": api_key, "id": api_key.id, "name": api_key.name}

    return app


@dataclass
class GuardedApp:
    app: FastAPI
    security: SimpleSecurity
    client: TestClient
    canaries: set[str]
    secret: str = ADMIN_SECRET

    def start(self) -> None:
        """What a server does first, and last: it raises what keeps the app from starting."""

        async def lifespan() -> None:
            async with self.app.router.lifespan_context(self.app):
                pass

        asyncio.run(lifespan())

    def admin(self, path: str, **parameters: str) -> "Response":
        """Calls an admin route with the secret; underscores in names stand for hyphens."""
        query = {name.replace("_", "-"): value for name, value in parameters.items()}
        return self.client.get(f"/auth/{path}", params=query, headers={"secret-key": self.secret})

    def new(self, name: str | None = None, *, never_expires: bool = False) -> str:
        parameters = {"never_expires": str(never_expires).lower()}
        if name is not None:
            parameters["name"] = name
        answer = self.client.get(
            "/auth/new", params=parameters, headers={"secret-key": self.secret}
        )
        assert answer.status_code == 200, answer.text
        key: str = answer.json()
        self.canaries.add(key)
        return key

    def new_expired(self) -> str:
        key = self.new()
        assert self.renew(key, PAST_DATE).status_code == 200
        return key

    def new_revoked(self) -> str:
        key = self.new()
        assert self.revoke(key).status_code == 200
        return key

    def revoke(self, key: str) -> "Response":
        return self.admin("revoke", api_key=key)

    def renew(self, key: str, date: str | None = None) -> "Response":
        if date is None:
            return self.admin("renew", api_key=key)
        return self.admin("renew", api_key=key, expiration_date=date)

    def logs(self) -> list[dict[str, Any]]:
        answer = self.admin("logs")
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["logs"]
        return rows

    def log_of(self, key: str) -> dict[str, Any]:
        """The row of a key of our own form, which contains its id, or of an id."""
        [row] = [row for row in self.logs() if row["api_key"] in key]
        return row

    def use(self, key: str, path: str = "/secure") -> "Response":
        return self.client.get(path, headers={"api-key": key})

    def accepts(self, key: str) -> bool:
        answer = self.use(key)
        assert (answer.status_code, answer.json().get("detail")) in ((200, None), (403, DENIED))
        return bool(answer.status_code == 200)


@dataclass
class RawAnswer:
    status: int
    headers: dict[str, str]
    body: bytes


def request_raw(
    app: FastAPI,
    path: str,
    *,
    query: bytes = b"",
    headers: Iterable[Any] = (),
    **scope: Any,
) -> RawAnswer:
    """One GET straight into the app, with bytes that no HTTP client agrees to send."""
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    asyncio.run(app({**raw_scope("http", path, query, headers), **scope}, receive, send))
    start = next(message for message in messages if message["type"] == "http.response.start")
    return RawAnswer(
        status=start["status"],
        headers={name.decode(): value.decode() for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in messages),
    )


def raw_scope(kind: str, path: str, query: bytes, headers: Iterable[Any]) -> dict[str, Any]:
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http" if kind == "http" else "ws",
        "path": path,
        "raw_path": path.encode(errors="surrogateescape"),
        "root_path": "",
        "query_string": query,
        "headers": list(headers),
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        "subprotocols": [],
        "state": {},
    }
