"""The security scheme of the admin routes."""

from collections.abc import MutableMapping
from typing import Any

from fastapi.openapi.models import APIKey
from fastapi.security.base import SecurityBase
from starlette.responses import Response

from fastapi_simple_security._core import Engine, Refusal


class AdminSecret(SecurityBase):
    """A dependency for routes that ask for the admin secret in the header `secret-key`.

    Args:
        engine: knows the secret.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.model = APIKey.model_validate({"in": "header", "name": "secret-key"})
        self.scheme_name = "Secret header"

    def rejection(self, scope: MutableMapping[str, Any], refusal: Refusal) -> Exception | Response:
        """The response of these routes to a request without the admin secret, which it logs."""
        raise NotImplementedError
