"""The example app behind the middleware, with its open route open."""

from fastapi_app import app

from fastapi_simple_security import ApiKeyMiddleware

app.add_middleware(ApiKeyMiddleware, open_paths=["/unsecured"])
