"""One plain route with the admin routes in its app: declared after them, or before them.

Both orders are the same app, whose routes change places, so that nothing else is different: two
apps lie in memory in two ways, which is worth some percent.
"""

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from fastapi_simple_security import ApiKeyMiddleware, api_key_router, api_key_security


class Ordered:
    """An app, and its routes in each order."""

    def __init__(self, *, middleware: bool) -> None:
        self.app = FastAPI()
        if middleware:
            self.app.add_middleware(ApiKeyMiddleware)
        documentation = list(self.app.routes)

        @self.app.get("/")
        async def route() -> dict[str, str]:
            """What every app of the benchmark answers."""
            return {"message": "hello"}

        [declared] = self.app.routes[len(documentation) :]
        self.app.include_router(api_key_router, prefix="/auth")
        self.app.include_router(api_key_security.admin_router, prefix="/auth")
        admin = self.app.routes[len(documentation) + 1 :]
        for _ in admin:
            self.app.include_router(APIRouter())
        empty = self.app.routes[-len(admin) :]
        self.before = [*documentation, declared, *admin]
        self.after = [*documentation, *admin, declared]
        # What as many routers cost that have no route at all.
        self.after_empty = [*documentation, *empty, declared]

    def put(self, routes: list[BaseRoute]) -> None:
        """As if they had been declared in this order."""
        self.app.router.routes[:] = routes
