"""Routes that check the key before FastAPI reads the body."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from fastapi import Depends, Request, Response, params
from fastapi.routing import APIRoute


def key_route(security: Callable[[Request], Awaitable[object]]) -> type[APIRoute]:
    """The class of routes that accept the keys of this instance of SimpleSecurity, and need one."""

    class KeyRoute(APIRoute):
        """A route that rejects a request without a key before any of its body is read."""

        def __init__(
            self,
            path: str,
            endpoint: Callable[..., Any],
            *,
            dependencies: Sequence[params.Depends] | None = None,
            **settings: Any,
        ) -> None:
            # Declared, so that OpenAPI shows it and `dependency_overrides` finds it.
            declared = list(dependencies or ())
            if not any(each.dependency is security for each in declared):
                declared.append(Depends(security))
            super().__init__(path, endpoint, dependencies=declared, **settings)

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def handle_with_key(request: Request) -> Response:
                # What replaces the dependency, in a test for example, decides alone.
                app = request.scope.get("app")
                if security not in getattr(app, "dependency_overrides", ()):
                    # Leaves the key in the scope, where the dependency finds it.
                    await security(request)
                return await handle(request)

            return handle_with_key

    return KeyRoute
