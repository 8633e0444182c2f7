"""Apps behind the middleware, as the tests serve them."""

import middleware_app
from fastapi_app import app as example

from fastapi_simple_security import ApiKeyMiddleware, api_key_security

app = middleware_app.build_app(api_key_security, ["/health"])
wrong = middleware_app.build_app(api_key_security, "/health")
by_hand = ApiKeyMiddleware(example, open_paths=["/health"])


@example.get("/health", include_in_schema=False)
async def health() -> None: ...
